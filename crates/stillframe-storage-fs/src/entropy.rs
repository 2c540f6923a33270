use stillframe_storage::{ErrorKind, StorageError};
use stillframe_storage_directory::Entropy;

/// The random numbers of the operating system, from which names are drawn.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn draw(&self) -> Result<u128, StorageError> {
        let mut bytes = [0; 16];
        match getrandom::fill(&mut bytes) {
            Ok(()) => Ok(u128::from_ne_bytes(bytes)),
            Err(error) => {
                Err(StorageError::new(ErrorKind::Unavailable, "draw", "a unique name").with_source(error))
            }
        }
    }
}
