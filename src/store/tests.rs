//! A store on good and bad files and disks.

use super::*;
use redb::StorageBackend;
use redb::backends::FileBackend;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tempfile::TempDir;
use uuid::Uuid;
use weir_model::{Command, Limits, NetworkId, NewNetwork, ProjectId, Request, Timestamp, Topology};

/// Makes networks, one commit each.
struct Maker {
    topology: Topology,
    made: u128,
}

impl Maker {
    fn new() -> Self {
        Self { topology: Topology::new(Limits::default()), made: 0 }
    }

    fn commit(&mut self) -> Commit {
        self.made += 1;
        let network = NewNetwork::new(NetworkId(Uuid::from_u128(self.made)), ProjectId::from("p"));
        let command = Command::CreateNetworks(vec![network]);
        let (after, commit, _) = self.topology.transact(Request { command, at: Timestamp(1) }).unwrap();
        self.topology = after;
        commit
    }

    fn batch(&mut self, size: usize) -> Vec<Commit> {
        (0..size).map(|_| self.commit()).collect()
    }
}

fn loaded(store: &mut Store) -> Topology {
    let (records, revision) = store.load().unwrap();
    Topology::load(Limits::default(), records.into_iter(), revision).unwrap()
}

#[test]
fn what_is_stored_is_loaded() {
    let directory = TempDir::new().unwrap();
    let mut maker = Maker::new();
    let mut store = Store::open(&directory.path().join("a/b")).unwrap();
    assert_eq!(loaded(&mut store), Topology::new(Limits::default()));
    store.commit(&[]).unwrap();
    store.commit(&maker.batch(2)).unwrap();
    store.commit(&maker.batch(1)).unwrap();
    let delete = Command::DeleteNetwork { id: NetworkId(Uuid::from_u128(2)), if_revision: None };
    let (after, commit, _) = maker.topology.transact(Request { command: delete, at: Timestamp(2) }).unwrap();
    store.commit(&[commit]).unwrap();
    assert_eq!(loaded(&mut store), after);
    drop(store);
    let mut store = Store::open(&directory.path().join("a/b")).unwrap();
    assert_eq!(loaded(&mut store), after);
    assert_eq!(after.networks().count(), 2);
}

#[test]
fn batches_follow_each_other() {
    let directory = TempDir::new().unwrap();
    let mut maker = Maker::new();
    let mut store = Store::open(directory.path()).unwrap();
    let first = maker.batch(2);
    store.commit(&first).unwrap();
    let error = store.commit(&first).unwrap_err();
    assert_eq!(error.to_string(), "revision 2 does not follow stored revision 2");
    store.commit(&maker.batch(1)).unwrap();
    assert_eq!(loaded(&mut store), maker.topology);
}

#[test]
fn a_later_run_has_a_larger_number_whatever_the_clock_says() {
    let directory = TempDir::new().unwrap();
    let mut store = Store::open(directory.path()).unwrap();
    assert_eq!(store.next_generation(1_000).unwrap(), 1_000);
    drop(store);
    let mut store = Store::open(directory.path()).unwrap();
    assert_eq!(store.next_generation(10).unwrap(), 1_001);
    assert_eq!(store.next_generation(5_000).unwrap(), 5_000);
    let mut maker = Maker::new();
    store.commit(&maker.batch(2)).unwrap();
    assert_eq!(loaded(&mut store), maker.topology);
}

#[test]
fn facts_that_do_not_outlive_the_process_cost_nothing() {
    let directory = TempDir::new().unwrap();
    let mut store = Store::open(directory.path()).unwrap();
    let volatile = Commit { revision: Revision(7), changes: Vec::new() };
    store.commit(&[volatile]).unwrap();
    assert_eq!(store.load().unwrap().1, Revision(0));
}

#[test]
fn a_newer_file_is_refused() {
    let directory = TempDir::new().unwrap();
    drop(Store::open(directory.path()).unwrap());
    let path = directory.path().join(FILE);
    let database = Database::open(&path).unwrap();
    let writing = database.begin_write().unwrap();
    writing.open_table(META).unwrap().insert(META_FORMAT, u64::from(FORMAT) + 1).unwrap();
    writing.commit().unwrap();
    drop(database);
    let error = Store::open(directory.path()).unwrap_err();
    assert!(matches!(error, OpenError::TooNew { .. }));
    let expected = format!(
        "{} has format {}; this program understands formats up to {FORMAT}",
        path.display(),
        u64::from(FORMAT) + 1
    );
    assert_eq!(error.to_string(), expected);
}

#[test]
fn what_is_no_store_is_refused() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join(FILE);
    fs::write(&path, b"This is a letter to my aunt, and certainly not a database.".repeat(100)).unwrap();
    assert!(matches!(Store::open(directory.path()), Err(OpenError::Damaged { .. })));
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(matches!(Store::open(directory.path()), Err(OpenError::Io { .. })));
    Store::open(&path.join("x")).unwrap();
    let file = directory.path().join("file");
    fs::write(&file, b"").unwrap();
    assert!(matches!(Store::open(&file), Err(OpenError::Io { .. })));
}

#[test]
fn a_record_that_cannot_be_read_is_named() {
    let directory = TempDir::new().unwrap();
    let mut store = Store::open(directory.path()).unwrap();
    let database = store.database().unwrap();
    let writing = database.begin_write().unwrap();
    writing.open_table(RECORDS).unwrap().insert(&b"\x02\xab"[..], &b"{}"[..]).unwrap();
    writing.commit().unwrap();
    let error = store.load().unwrap_err().to_string();
    assert!(error.starts_with("the store is damaged: record 02ab cannot be read: "), "{error}");
}

/// A disk that fails after some writes, until it is mended.
#[derive(Clone, Debug, Default)]
struct Disk {
    /// Writes and syncs that are left; negative for any number.
    left: Arc<AtomicI64>,
}

impl Disk {
    fn fails_after(&self, writes: i64) {
        self.left.store(writes, Ordering::SeqCst);
    }

    fn mend(&self) {
        self.left.store(-1, Ordering::SeqCst);
    }

    fn spend(&self) -> Result<(), io::Error> {
        let taken = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| match left {
            0 => None,
            left => Some((left - 1).max(-1)),
        });
        match taken {
            Ok(_) => Ok(()),
            Err(_) => Err(io::ErrorKind::StorageFull.into()),
        }
    }
}

#[derive(Debug)]
struct Failing {
    disk: Disk,
    file: FileBackend,
}

impl StorageBackend for Failing {
    fn len(&self) -> Result<u64, io::Error> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        self.disk.spend()?;
        self.file.set_len(len)
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        self.disk.spend()?;
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        self.disk.spend()?;
        self.file.write(offset, data)
    }

    fn close(&self) -> Result<(), io::Error> {
        self.file.close()
    }
}

#[test]
fn a_full_disk_leaves_the_whole_batch_or_nothing() {
    let mut refused = 0;
    for writes in 0..60 {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join(FILE);
        let disk = Disk::default();
        disk.mend();
        let medium = {
            let (disk, path) = (disk.clone(), path.clone());
            Box::new(move || {
                let file = File::options().read(true).write(true).create(true).truncate(false).open(&path)?;
                Builder::new().create_with_backend(Failing { disk: disk.clone(), file: FileBackend::new(file)? })
            })
        };
        let mut store = Store::on(medium, path).unwrap();
        let mut maker = Maker::new();
        store.commit(&maker.batch(2)).unwrap();
        let before = maker.topology.clone();
        disk.fails_after(writes);
        let result = store.commit(&maker.batch(40));
        disk.mend();
        match result {
            Ok(()) => assert!(loaded(&mut store) == maker.topology, "after {writes} writes"),
            Err(error) => {
                refused += 1;
                assert!(matches!(error, StoreError::Disk(_)), "{error}");
                assert!(loaded(&mut store) == before, "after {writes} writes");
                maker.topology = before;
            }
        }
        store.commit(&maker.batch(1)).unwrap();
        assert!(loaded(&mut store) == maker.topology, "after {writes} writes and one more batch");
    }
    assert!((5..60).contains(&refused), "{refused} of 60 were refused");
}

#[test]
fn a_disk_that_stays_full_is_reported_each_time() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join(FILE);
    let disk = Disk::default();
    disk.mend();
    let medium = {
        let (disk, path) = (disk.clone(), path.clone());
        Box::new(move || {
            let file = File::options().read(true).write(true).create(true).truncate(false).open(&path)?;
            Builder::new().create_with_backend(Failing { disk: disk.clone(), file: FileBackend::new(file)? })
        })
    };
    let mut store = Store::on(medium, path).unwrap();
    let mut maker = Maker::new();
    let batch = maker.batch(3);
    disk.fails_after(0);
    for _ in 0..3 {
        assert!(matches!(store.commit(&batch), Err(StoreError::Disk(_))));
    }
    disk.mend();
    store.commit(&batch).unwrap();
    assert_eq!(loaded(&mut store), maker.topology);
}

#[tokio::test]
async fn the_writer_gives_batches_back_and_closes_the_file() {
    let directory = TempDir::new().unwrap();
    let mut maker = Maker::new();
    let writer = Writer::start(Store::open(directory.path()).unwrap()).unwrap();
    let batch = maker.batch(2);
    let (back, result) = writer.commit(batch.clone()).await;
    result.unwrap();
    assert_eq!(back, batch);
    let (_, result) = writer.commit(batch).await;
    assert!(matches!(result, Err(StoreError::OutOfOrder { stored: 2, offered: 2 })));
    writer.close().await;
    assert_eq!(loaded(&mut Store::open(directory.path()).unwrap()), maker.topology);
}
