//! What outlives the process: every record of the model in one file, `weir.redb`.
//!
//! A batch of commits is one transaction, durable (`fsync`) when [`Store::commit`] returns. A process that is killed
//! at any moment leaves either the whole batch or nothing of it. Records are JSON under binary keys, so that fields
//! can be added without rewriting the file.

mod error;
mod key;
mod writer;

#[cfg(test)]
mod tests;

pub use error::{OpenError, StoreError};
pub use writer::Writer;

use key::KeyBytes;
use redb::{Builder, Database, DatabaseError, ReadableDatabase, ReadableTable, StorageError, TableDefinition};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use weir_model::{Change, Commit, Diff, FORMAT, Record, Revision};

/// Name of the file in the data directory.
pub const FILE: &str = "weir.redb";

/// Bytes of pages kept in memory. The model holds every record anyway: pages serve writing only.
const CACHE: usize = 64 << 20;

/// Numbers about the store.
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
/// In [`META`]: the version of the records' form.
const META_FORMAT: &str = "format";
/// In [`META`]: the revision after the newest batch.
const META_REVISION: &str = "revision";
/// In [`META`]: the number of the newest run.
const META_GENERATION: &str = "generation";
/// The records, JSON under the bytes of their key.
const RECORDS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("records");

/// Opens the file, again after it failed.
type Medium = Box<dyn Fn() -> Result<Database, DatabaseError> + Send>;

/// The file, locked for this process.
pub struct Store {
    medium: Medium,
    /// `None` after a failure, until the file has been opened again.
    database: Option<Database>,
    /// A batch that was refused and may be in the file all the same.
    doubtful: Option<Doubtful>,
    revision: Revision,
    path: PathBuf,
}

/// A batch whose commit failed: the disk may have taken it and failed later.
struct Doubtful {
    /// The revision that the file has if it has the batch.
    revision: Revision,
    /// What takes the batch back, in order.
    undo: Vec<Change>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("path", &self.path).field("revision", &self.revision).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens `directory/weir.redb`; makes both if they are not there.
    ///
    /// # Errors
    /// The file cannot be opened, is in use, is not a store, or was written by a newer Weir.
    pub fn open(directory: &Path) -> Result<Self, OpenError> {
        let path = directory.join(FILE);
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| OpenError::Io { path, source }
        };
        fs::create_dir_all(directory).map_err(io(directory))?;
        let file = path.clone();
        let medium = Box::new(move || Builder::new().set_cache_size(CACHE).create(&file));
        let store = Self::on(medium, path)?;
        // The entry of a new file must be as durable as what is in it.
        File::open(directory).and_then(|it| it.sync_all()).map_err(io(directory))?;
        Ok(store)
    }

    fn on(medium: Medium, path: PathBuf) -> Result<Self, OpenError> {
        let refused = |error| refusal(&path, error);
        let database = medium().map_err(refused)?;
        let damaged = |error: StoreError| OpenError::Damaged { path: path.clone(), reason: error.to_string() };
        let supported = u64::from(FORMAT);
        let revision = match header(&database).map_err(damaged)? {
            Some((found, _)) if found > supported => return Err(OpenError::TooNew { path, found, supported }),
            Some((_, revision)) => revision,
            None => {
                found(&database).map_err(|error| match error {
                    StoreError::Damaged(reason) => OpenError::Damaged { path: path.clone(), reason },
                    other => OpenError::Io { path: path.clone(), source: io::Error::other(other.to_string()) },
                })?;
                Revision(0)
            }
        };
        Ok(Self { medium, database: Some(database), doubtful: None, revision, path })
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads every record, and the revision after the newest batch.
    ///
    /// # Errors
    /// The disk fails, or a record cannot be understood.
    pub fn load(&mut self) -> Result<(Vec<Record>, Revision), StoreError> {
        let database = self.database()?;
        let reading = database.begin_read()?;
        let table = reading.open_table(RECORDS)?;
        let mut records = Vec::new();
        for entry in table.iter()? {
            let (key, value) = entry?;
            let record = serde_json::from_slice(value.value()).map_err(|error| {
                StoreError::Damaged(format!("record {} cannot be read: {error}", key::show(key.value())))
            })?;
            records.push(record);
        }
        Ok((records, self.revision))
    }

    /// The number of a new run, durable when this returns: larger than that of every earlier one, and no smaller than
    /// `at_least`. Switches refuse a master of an earlier run by it, so that a clock alone, which may be set back, would
    /// lock a restarted controller out.
    ///
    /// # Errors
    /// The disk fails.
    pub fn next_generation(&mut self, at_least: u64) -> Result<u64, StoreError> {
        let database = self.database()?;
        let writing = database.begin_write()?;
        let generation = {
            let mut meta = writing.open_table(META)?;
            let last = meta.get(META_GENERATION)?.map_or(0, |last| last.value());
            let generation = at_least.max(last.saturating_add(1));
            meta.insert(META_GENERATION, generation)?;
            generation
        };
        writing.commit()?;
        Ok(generation)
    }

    /// Stores what the commits changed, in one transaction that is durable when this returns.
    ///
    /// Commits that change nothing that outlives the process cost nothing.
    ///
    /// # Errors
    /// Nothing of the batch is stored. After an error of the disk the file is opened anew for the next batch.
    pub fn commit(&mut self, batch: &[Commit]) -> Result<(), StoreError> {
        let Some(last) = batch.last() else { return Ok(()) };
        if !batch.iter().flat_map(|commit| &commit.changes).any(|change| change.record().is_some()) {
            return Ok(());
        }
        if last.revision <= self.revision {
            return Err(StoreError::OutOfOrder { stored: self.revision.0, offered: last.revision.0 });
        }
        let changes = || batch.iter().flat_map(|commit| &commit.changes);
        let written = self.database().and_then(|database| write(database, changes(), last.revision));
        match written {
            Ok(()) => {
                self.revision = last.revision;
                Ok(())
            }
            Err(error) => {
                // Without a database the batch never got anywhere near the file.
                if self.database.take().is_some() {
                    let undo = changes().rev().map(inverse).collect();
                    self.doubtful = Some(Doubtful { revision: last.revision, undo });
                }
                // If the file cannot be opened now, the next batch tries again.
                drop(self.database());
                Err(error)
            }
        }
    }

    /// The open file, without any batch that was refused.
    fn database(&mut self) -> Result<&Database, StoreError> {
        let database = match self.database.take() {
            Some(database) => database,
            None => (self.medium)()?,
        };
        if let Some(doubtful) = &self.doubtful {
            if header(&database)?.is_some_and(|(_, revision)| revision == doubtful.revision) {
                write(&database, doubtful.undo.iter(), self.revision)?;
            }
            self.doubtful = None;
        }
        Ok(self.database.insert(database))
    }
}

/// The change that takes a change back.
fn inverse(change: &Change) -> Change {
    fn turned<T>(diff: &Diff<T>) -> Diff<T> {
        Diff { before: diff.after.clone(), after: diff.before.clone() }
    }
    match change {
        Change::Network(diff) => Change::Network(turned(diff)),
        Change::Subnet(diff) => Change::Subnet(turned(diff)),
        Change::AddressGroup(diff) => Change::AddressGroup(turned(diff)),
        Change::SecurityGroup(diff) => Change::SecurityGroup(turned(diff)),
        Change::SecurityGroupRule(diff) => Change::SecurityGroupRule(turned(diff)),
        Change::SecuritySet(diff) => Change::SecuritySet(turned(diff)),
        Change::Router(diff) => Change::Router(turned(diff)),
        Change::Zones(diff) => Change::Zones(turned(diff)),
        Change::Port(diff) => Change::Port(turned(diff)),
        Change::Hypervisor(diff) => Change::Hypervisor(turned(diff)),
        Change::Counters { before, after } => Change::Counters { before: *after, after: *before },
        fact @ (Change::Vif(_) | Change::Liveness { .. }) => fact.clone(),
    }
}

fn refusal(path: &Path, error: DatabaseError) -> OpenError {
    let path = path.to_owned();
    match error {
        DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => OpenError::InUse(path),
        DatabaseError::Storage(StorageError::Io(source)) if source.kind() != io::ErrorKind::InvalidData => {
            OpenError::Io { path, source }
        }
        other => OpenError::Damaged { path, reason: other.to_string() },
    }
}

/// Format and revision; `None` for a file that was just made.
fn header(database: &Database) -> Result<Option<(u64, Revision)>, StoreError> {
    let reading = database.begin_read()?;
    let meta = match reading.open_table(META) {
        Ok(meta) => meta,
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let number = |name: &str| -> Result<u64, StoreError> {
        let value = meta.get(name)?.ok_or_else(|| StoreError::Damaged(format!("it has no {name}")))?;
        Ok(value.value())
    };
    Ok(Some((number(META_FORMAT)?, Revision(number(META_REVISION)?))))
}

/// Makes the tables.
fn found(database: &Database) -> Result<(), StoreError> {
    let writing = database.begin_write()?;
    {
        let mut meta = writing.open_table(META)?;
        meta.insert(META_FORMAT, u64::from(FORMAT))?;
        meta.insert(META_REVISION, 0)?;
        writing.open_table(RECORDS)?;
    }
    writing.commit()?;
    Ok(())
}

fn write<'a>(
    database: &Database,
    changes: impl Iterator<Item = &'a Change>,
    revision: Revision,
) -> Result<(), StoreError> {
    let writing = database.begin_write()?;
    {
        let mut records = writing.open_table(RECORDS)?;
        let mut json = Vec::with_capacity(1024);
        for (key, record) in changes.filter_map(Change::record) {
            let key = KeyBytes::from(key);
            match record {
                Some(record) => {
                    json.clear();
                    serde_json::to_writer(&mut json, &record)
                        .map_err(|error| StoreError::Damaged(format!("a record cannot be written: {error}")))?;
                    records.insert(key.as_slice(), json.as_slice())?;
                }
                None => {
                    records.remove(key.as_slice())?;
                }
            }
        }
        writing.open_table(META)?.insert(META_REVISION, revision.0)?;
    }
    writing.commit()?;
    Ok(())
}
