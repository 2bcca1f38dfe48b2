//! Many requests at once over one stream.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;

use futures::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::BoxStream;
use crate::codec::FrameError;

/// How many calls of one caller may be under way; beyond it a call waits for another to end.
pub const IN_FLIGHT_MAX: usize = 1024;

/// Asks over one stream, from any number of tasks.
pub struct Caller<Q, A> {
    _marker: PhantomData<fn(Q) -> A>,
}

impl<Q, A> Clone for Caller<Q, A> {
    fn clone(&self) -> Self {
        todo!()
    }
}

impl<Q, A> fmt::Debug for Caller<Q, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller").finish_non_exhaustive()
    }
}

/// No answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The stream ended. Whether the request was carried out is unknown.
    #[error("the connection was lost before the answer came")]
    Lost,
    /// The request does not fit a frame. Nothing was sent.
    #[error("a request of {size} bytes is longer than the {max} allowed")]
    TooLarge { size: usize, max: usize },
}

impl<Q: Serialize, A> Caller<Q, A> {
    /// Asks and waits for the answer. Dropping the future gives up the answer, not the request.
    pub async fn call(&self, _request: Q) -> Result<A, CallError> {
        todo!()
    }

    /// Whether the stream has ended.
    pub fn is_closed(&self) -> bool {
        todo!()
    }

    /// Waits until the stream has ended.
    pub async fn closed(&self) {
        todo!()
    }
}

/// A caller over the stream, and the future that carries its frames. The caller's owner spawns it; it
/// ends with the stream, or when the last clone of the caller is gone and all was answered.
pub fn caller<Q, A>(
    _stream: BoxStream,
    _size_max_bytes: usize,
) -> (Caller<Q, A>, impl Future<Output = ()> + Send + 'static)
where
    Q: Serialize + Send + 'static,
    A: DeserializeOwned + Send + 'static,
{
    (Caller { _marker: PhantomData }, async { todo!() })
}

/// Answers what the other side of the stream asks, in any order, until it ends. At most `concurrent_max`
/// requests are under way; beyond it the stream is not read, which holds the asker back.
pub async fn serve<Q, A, F>(
    _stream: BoxStream,
    _size_max_bytes: usize,
    _concurrent_max: usize,
    _handler: F,
) -> Result<(), FrameError>
where
    Q: DeserializeOwned + Send + 'static,
    A: Serialize + Send + 'static,
    F: Fn(Q) -> BoxFuture<'static, A> + Send,
{
    todo!()
}
