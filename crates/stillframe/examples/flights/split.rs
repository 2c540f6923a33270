//! How the input is divided between parallel sources: always into the same splits, so that a job can be restored with
//! another parallelism by dealing the splits out again.

/// How many splits every input has. A source instance reads one or several of them.
pub(crate) const SPLITS: u32 = 32;

/// Blocks of this many consecutive lines go to the splits in turn.
pub(crate) const BLOCK_LINES: u64 = 256;

/// The split that a data line belongs to. Data lines are counted from 0, behind the header.
pub(crate) fn split_of(line: u64) -> u32 {
    let block = line / BLOCK_LINES;
    u32::try_from(block % u64::from(SPLITS)).unwrap_or_else(|_| unreachable!("a remainder of a u32 is a u32"))
}

/// How many lines of a split come before a data line.
pub(crate) fn lines_before(split: u32, line: u64) -> u64 {
    let round = BLOCK_LINES * u64::from(SPLITS);
    let into_block = (line % round).saturating_sub(BLOCK_LINES * u64::from(split));
    line / round * BLOCK_LINES + into_block.min(BLOCK_LINES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_go_to_the_splits_in_turn() {
        for (line, split) in [
            (0, 0),
            (255, 0),
            (256, 1),
            (511, 1),
            (31 * 256, 31),
            (32 * 256 - 1, 31),
            (32 * 256, 0),
            (u64::MAX, 31),
        ] {
            assert_eq!(split_of(line), split, "{line}");
        }
    }

    #[test]
    fn lines_before_counts_what_split_of_says() {
        let mut counts = [0; SPLITS as usize];
        for line in 0..BLOCK_LINES * 70 {
            for (split, count) in (0..).zip(counts) {
                assert_eq!(lines_before(split, line), count, "split {split} before {line}");
            }
            counts[split_of(line) as usize] += 1;
        }
    }

    #[test]
    fn every_split_gets_the_same_number_of_lines_of_a_whole_round() {
        let mut lines = [0; SPLITS as usize];
        for line in 0..BLOCK_LINES * u64::from(SPLITS) {
            lines[split_of(line) as usize] += 1;
        }
        assert_eq!(lines, [BLOCK_LINES; SPLITS as usize]);
    }
}
