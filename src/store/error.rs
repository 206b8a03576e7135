//! What can go wrong with the store.

use redb::{CommitError, DatabaseError, StorageError, TableError, TransactionError};
use std::path::PathBuf;

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory could not be made or the file in it not opened.
    #[error("cannot open {path}: {source}")]
    Io {
        /// What could not be opened.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another process has it open.
    #[error("{0} is in use by another process")]
    InUse(PathBuf),
    /// It was written by a newer Weir.
    #[error("{path} has format {found}; this program understands formats up to {supported}")]
    TooNew {
        /// The file.
        path: PathBuf,
        /// The format that it has.
        found: u64,
        /// The newest format that can be read.
        supported: u64,
    },
    /// It is not a store, or damaged.
    #[error("{path} is not a readable store: {reason}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
}

/// Why the store could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk refused; none of the batch is stored.
    #[error("the store could not be written: {0}")]
    Disk(String),
    /// What is stored does not make sense.
    #[error("the store is damaged: {0}")]
    Damaged(String),
    /// A batch does not follow what is stored.
    #[error("revision {offered} does not follow stored revision {stored}")]
    OutOfOrder {
        /// The revision that is stored.
        stored: u64,
        /// The revision of the first commit offered.
        offered: u64,
    },
    /// The writing thread has ended.
    #[error("the store is closed")]
    Closed,
}

impl From<StorageError> for StoreError {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Corrupted(reason) => Self::Damaged(reason),
            other => Self::Disk(other.to_string()),
        }
    }
}

impl From<TransactionError> for StoreError {
    fn from(error: TransactionError) -> Self {
        match error {
            TransactionError::Storage(storage) => storage.into(),
            other => Self::Disk(other.to_string()),
        }
    }
}

impl From<TableError> for StoreError {
    fn from(error: TableError) -> Self {
        match error {
            TableError::Storage(storage) => storage.into(),
            other => Self::Damaged(other.to_string()),
        }
    }
}

impl From<CommitError> for StoreError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Storage(storage) => storage.into(),
            other => Self::Disk(other.to_string()),
        }
    }
}

impl From<DatabaseError> for StoreError {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::Storage(storage) => storage.into(),
            other => Self::Disk(other.to_string()),
        }
    }
}
