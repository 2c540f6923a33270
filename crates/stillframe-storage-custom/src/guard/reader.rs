use super::{Call, Guard};
use crate::history::{Breach, breach};
use crate::ledger::Content;
use crate::{CallKind, Rule};
use async_trait::async_trait;
use bytes::Bytes;
use core::fmt;
use std::sync::Arc;
use stillframe_model::StateHandle;
use stillframe_storage::{ErrorKind, StateReader, StorageError};

pub(super) struct GuardedReader {
    guard: Arc<Guard>,
    /// `None` after a call that did not give it back.
    inner: Option<Box<dyn StateReader>>,
    object: String,
    len: u64,
    read: Content,
    written: Option<Content>,
    is_over: bool,
}

impl GuardedReader {
    /// Opens state with `open`, and holds the reader to the length of the handle.
    pub(super) fn open<F>(
        guard: &Arc<Guard>,
        call: Call<'_>,
        handle: &StateHandle,
        written: Option<Content>,
        open: F,
    ) -> Result<Box<dyn StateReader>, StorageError>
    where
        F: Future<Output = Result<Box<dyn StateReader>, StorageError>> + Send + 'static,
    {
        let (inner, len) = guard.call(call, async move {
            let reader = open.await?;
            let len = reader.len();
            Ok((reader, len))
        })?;
        if len != handle.size() {
            let found = format!("the reader has {len} bytes, the handle {}", handle.size());
            return Err(guard.broken(ErrorKind::Corrupt, call, breach(Rule::ReadsExactlyLen, found)));
        }
        Ok(Box::new(Self {
            guard: Arc::clone(guard),
            inner: Some(inner),
            object: call.object.to_string(),
            len,
            read: Content::EMPTY,
            written,
            is_over: false,
        }))
    }

    /// Takes a piece into account. The last one is not given out before all of them were compared.
    fn check(&mut self, call: Call<'_>, piece: Option<&Bytes>) -> Result<(), StorageError> {
        let corrupt = |breach: Breach| Err(self.guard.broken(ErrorKind::Corrupt, call, breach));
        match piece {
            Some(bytes) if bytes.is_empty() => {
                corrupt(breach(Rule::ReadsExactlyLen, "a piece without bytes"))
            }
            Some(bytes) => {
                self.read = self.read.extend(bytes);
                if self.read.len > self.len {
                    let found = format!("{} bytes so far, expected {} in all", self.read.len, self.len);
                    return corrupt(breach(Rule::ReadsExactlyLen, found));
                }
                if self.read.len < self.len {
                    return Ok(());
                }
                self.guard.compare(call, self.read, self.written)
            }
            None if self.read.len < self.len => {
                let found = format!("the end after {} bytes, expected {}", self.read.len, self.len);
                corrupt(breach(Rule::ReadsExactlyLen, found))
            }
            None => Ok(()),
        }
    }
}

#[async_trait]
impl StateReader for GuardedReader {
    fn len(&self) -> u64 {
        self.len
    }

    fn is_empty(&self) -> bool {
        self.len == 0
    }

    async fn next(&mut self) -> Result<Option<Bytes>, StorageError> {
        if self.is_over {
            return Ok(None);
        }
        let object = core::mem::take(&mut self.object);
        let call = Call { kind: CallKind::Read, operation: "read state of", object: &object };
        let result = match self.inner.take() {
            None => Err(StorageError::new(ErrorKind::Unavailable, call.operation, object.clone())
                .with_detail("an earlier call did not give the reader back; open the state again")),
            Some(mut inner) => match self.guard.call(call, async move {
                let piece = inner.next().await;
                Ok((inner, piece))
            }) {
                Err(error) => Err(error),
                Ok((inner, Err(error))) => {
                    self.inner = Some(inner);
                    Err(self.guard.secrets.shield(error))
                }
                Ok((inner, Ok(piece))) => self.check(call, piece.as_ref()).map(|()| {
                    self.inner = Some(inner);
                    self.is_over = piece.is_none();
                    piece
                }),
            },
        };
        self.object = object;
        result
    }
}

impl fmt::Debug for GuardedReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardedReader")
            .field("inner", &self.inner)
            .field("object", &self.object)
            .field("len", &self.len)
            .field("read", &self.read)
            .finish_non_exhaustive()
    }
}
