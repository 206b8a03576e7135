//! The thread that makes batches durable.

use super::{Store, StoreError};
use std::thread;
use tokio::sync::{mpsc, oneshot};
use weir_model::Commit;

/// Batches that may wait for the disk.
const QUEUE: usize = 4;

struct Batch {
    commits: Vec<Commit>,
    done: oneshot::Sender<(Vec<Commit>, Result<(), StoreError>)>,
}

/// A store on a thread of its own, so that `fsync` never holds up the runtime.
///
/// Batches are stored in the order in which they are handed over. The thread ends when the last clone is dropped.
#[derive(Clone, Debug)]
pub struct Writer {
    batches: mpsc::Sender<Batch>,
}

impl Writer {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(store: Store) -> std::io::Result<Self> {
        let (batches, mut queue) = mpsc::channel::<Batch>(QUEUE);
        thread::Builder::new().name("store".to_owned()).spawn(move || {
            let mut store = store;
            while let Some(Batch { commits, done }) = queue.blocking_recv() {
                let result = store.commit(&commits);
                // A caller that has gone has nobody left to tell.
                let _ = done.send((commits, result));
            }
        })?;
        Ok(Self { batches })
    }

    /// Stores a batch in one durable transaction and gives it back with the result.
    pub async fn commit(&self, commits: Vec<Commit>) -> (Vec<Commit>, Result<(), StoreError>) {
        let (done, answer) = oneshot::channel();
        if let Err(refused) = self.batches.send(Batch { commits, done }).await {
            return (refused.0.commits, Err(StoreError::Closed));
        }
        answer.await.unwrap_or_else(|_| (Vec::new(), Err(StoreError::Closed)))
    }
}
