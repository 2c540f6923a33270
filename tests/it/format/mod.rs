//! The bytes on disk: as `docs/format.md` shows them, as the first version wrote them, and as nobody ever should.

mod document;
mod version_1;
