//! `kill -9` at any moment loses nothing that was acknowledged.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command as Process, Stdio};
use std::time::Duration;
use uuid::Uuid;
use weir::store::Store;
use weir_model::{Command, Limits, NetworkId, NewNetwork, ProjectId, Request, Timestamp, Topology};

/// Names the directory to the process that is killed.
const DIRECTORY: &str = "WEIR_TEST_KILL_DIRECTORY";
/// How often a process is killed.
const KILLS: u32 = 8;

#[test]
fn what_was_acknowledged_survives_kill_9() {
    if let Some(directory) = std::env::var_os(DIRECTORY) {
        commit_for_ever(Path::new(&directory));
    }
    let directory = tempfile::tempdir().unwrap();
    let mut acknowledged = BTreeSet::new();
    for round in 0..KILLS {
        let before = acknowledged.len();
        acknowledged.extend(killed_after(directory.path(), Duration::from_millis(u64::from(20 + round * 37 % 90))));
        assert!(acknowledged.len() > before, "nothing was acknowledged in round {round}");
        let mut store = Store::open(directory.path()).unwrap();
        let (records, revision) = store.load().unwrap();
        let topology = Topology::load(Limits::default(), records.into_iter(), revision).unwrap();
        let stored: BTreeSet<Uuid> = topology.networks().map(|network| network.id.0).collect();
        let lost: Vec<&Uuid> = acknowledged.difference(&stored).collect();
        assert!(lost.is_empty(), "lost {lost:?}");
        // Of what was not acknowledged at most one batch is there, whole.
        let surplus = stored.len() - acknowledged.len();
        assert!(
            stored.len().is_multiple_of(BATCH) && surplus <= BATCH,
            "{surplus} of {} were not acknowledged",
            stored.len()
        );
        acknowledged = stored;
    }
}

/// Networks of one transaction.
const BATCH: usize = 3;

/// Runs this very test in a process of its own, kills it, and gives back the ids that it printed.
fn killed_after(directory: &Path, time: Duration) -> Vec<Uuid> {
    let mut process = Process::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill::what_was_acknowledged_survives_kill_9", "--nocapture"])
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let (first, started) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        let mut ids = Vec::new();
        for line in lines.map_while(Result::ok) {
            if let Some(id) = line.strip_prefix("stored ").and_then(|id| id.parse().ok()) {
                ids.push(id);
                let _ = first.send(());
            }
        }
        ids
    });
    started.recv_timeout(Duration::from_secs(30)).expect("the process stores something");
    // The moment of the kill is what the test varies; nothing is waited for.
    std::thread::sleep(time);
    process.kill().unwrap();
    process.wait().unwrap();
    reader.join().unwrap()
}

fn commit_for_ever(directory: &Path) -> ! {
    let mut store = Store::open(directory).unwrap();
    let (records, revision) = store.load().unwrap();
    let mut topology = Topology::load(Limits::default(), records.into_iter(), revision).unwrap();
    let mut out = std::io::stdout();
    loop {
        let ids: [Uuid; BATCH] = std::array::from_fn(|_| Uuid::new_v4());
        let commits: Vec<_> = ids
            .iter()
            .map(|id| {
                let network = NewNetwork::new(NetworkId(*id), ProjectId::from("p"));
                let command = Command::CreateNetworks(vec![network]);
                let (after, commit, _) = topology.transact(Request { command, at: Timestamp(1) }).unwrap();
                topology = after;
                commit
            })
            .collect();
        store.commit(&commits).unwrap();
        for id in ids {
            writeln!(out, "stored {id}").unwrap();
        }
    }
}
