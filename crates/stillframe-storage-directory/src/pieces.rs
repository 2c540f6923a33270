use bytes::Bytes;

/// Pieces of fewer bytes are copied together, larger ones kept as they are: a write costs as much as copying
/// about so many.
const SMALL: usize = 16 * 1024;

/// Bytes in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    whole: Vec<Bytes>,
    /// What came after the last of these, in small pieces.
    small: Vec<u8>,
    len: usize,
}

impl Pieces {
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn push(&mut self, bytes: Bytes) {
        self.len += bytes.len();
        if bytes.len() < SMALL {
            self.small.extend_from_slice(&bytes);
        } else {
            self.close_small();
            self.whole.push(bytes);
        }
    }

    /// As few pieces as that takes.
    pub(crate) fn into_vec(mut self) -> Vec<Bytes> {
        self.close_small();
        self.whole
    }

    /// One piece, in memory of its own.
    pub(crate) fn copied(&self) -> Bytes {
        let mut all = Vec::with_capacity(self.len);
        self.whole.iter().for_each(|piece| all.extend_from_slice(piece));
        all.extend_from_slice(&self.small);
        Bytes::from(all)
    }

    fn close_small(&mut self) {
        if !self.small.is_empty() {
            self.whole.push(Bytes::from(core::mem::take(&mut self.small)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_pieces_are_joined_and_large_ones_are_not_copied() {
        let large = Bytes::from(vec![2; SMALL]);
        let mut pieces = Pieces::default();
        for piece in [Bytes::from_static(b"ab"), Bytes::from_static(b"c"), large.clone(), Bytes::new()] {
            pieces.push(piece);
        }
        pieces.push(Bytes::from_static(b"d"));
        assert_eq!(pieces.len(), SMALL + 4);
        assert_eq!(pieces.copied(), [b"abc", &large[..], b"d"].concat());
        let pieces = pieces.into_vec();
        assert_eq!(pieces, [Bytes::from_static(b"abc"), large.clone(), Bytes::from_static(b"d")]);
        assert_eq!(pieces[1].as_ptr(), large.as_ptr());
    }
}
