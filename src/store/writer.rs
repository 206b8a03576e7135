//! The thread that makes batches durable.

use super::{Store, StoreError};
use std::thread;
use tokio::sync::{mpsc, oneshot, watch};
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
    /// Ends when the file is closed.
    closed: watch::Receiver<()>,
}

impl Writer {
    /// Starts the thread; when it ends, the file is closed.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(store: Store) -> std::io::Result<Self> {
        let (batches, mut queue) = mpsc::channel::<Batch>(QUEUE);
        let (open, closed) = watch::channel(());
        thread::Builder::new().name("store".to_owned()).spawn(move || {
            // Dropped in reverse order: the file is closed before anyone hears of it.
            let _open = open;
            let mut store = store;
            while let Some(Batch { commits, done }) = queue.blocking_recv() {
                let result = store.commit(&commits);
                // A caller that has gone has nobody left to tell.
                let _ = done.send((commits, result));
            }
        })?;
        Ok(Self { batches, closed })
    }

    /// Ends the thread once every other clone is gone, and waits until the file is closed.
    pub async fn close(self) {
        let Self { batches, mut closed } = self;
        drop(batches);
        // Nothing is ever sent: a change is the end.
        while closed.changed().await.is_ok() {}
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
