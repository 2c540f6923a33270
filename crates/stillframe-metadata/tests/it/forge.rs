//! Records with right checksums around whatever bytes: what a hostile writer makes.

use stillframe_metadata::frame::{self, RecordKind};

/// A frame around a body.
pub(crate) fn seal(body: &[u8]) -> Vec<u8> {
    frame::seal_body(RecordKind::CheckpointMetadata, body).expect("a body within the limit")
}

/// The body in a frame.
pub(crate) fn body(bytes: &[u8]) -> &[u8] {
    frame::open_body(RecordKind::CheckpointMetadata, bytes).expect("a frame that fits")
}

/// A body as it is written by hand.
#[derive(Clone, Default)]
pub(crate) struct Pen(pub(crate) Vec<u8>);

impl Pen {
    /// Job, id 17, a checkpoint, triggered at 0, without directories: what comes before the number of operators.
    pub(crate) fn preamble() -> Self {
        Self::default().raw(&[9; 16]).raw(&[17, 0, 0, 0])
    }

    /// The same with one operator `a` of 128 key groups and one subtask, up to the contents of that.
    pub(crate) fn subtask() -> Self {
        Self::preamble().raw(&[1]).text_name("a").raw(&[128, 1])
    }

    pub(crate) fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// In the shortest form.
    pub(crate) fn number(self, number: u64) -> Self {
        match number {
            0..=250 => self.raw(&number.to_le_bytes()[..1]),
            251..=0xffff => self.raw(&[251]).raw(&number.to_le_bytes()[..2]),
            0x1_0000..=0xffff_ffff => self.raw(&[252]).raw(&number.to_le_bytes()[..4]),
            _ => self.raw(&[253]).raw(&number.to_le_bytes()),
        }
    }

    pub(crate) fn text(self, text: &str) -> Self {
        self.number(text.len() as u64).raw(text.as_bytes())
    }

    pub(crate) fn text_name(self, name: &str) -> Self {
        self.raw(&[0]).text(name)
    }

    /// Why this is no metadata.
    pub(crate) fn refusal(&self) -> String {
        match stillframe_metadata::decode(&seal(&self.0)) {
            Err(error) => error.to_string(),
            Ok(metadata) => panic!("was read: {metadata:?}"),
        }
    }
}
