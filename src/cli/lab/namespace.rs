//! Network namespaces and the veth pairs between them.

use std::fs::File;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use nix::sched::{CloneFlags, setns};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use super::{LabError, Tool};

/// Where iproute2 keeps the names of network namespaces (`ip-netns(8)`).
const DIRECTORY: &str = "/run/netns";

/// A named network namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Namespace(String);

impl Namespace {
    /// The namespace `part` of the lab `lab`; it need not exist.
    pub fn of(lab: &str, part: &str) -> Self {
        Self(format!("{}{part}", Self::prefix(lab)))
    }

    /// What the names of all namespaces of a lab begin with. A lab's name holds no dot, so that one lab's prefix is
    /// never the beginning of another's.
    fn prefix(lab: &str) -> String {
        format!("weir.{lab}.")
    }

    /// Every existing namespace of the lab, told by its name alone.
    pub fn all(lab: &str) -> Result<Vec<Self>, LabError> {
        let directory = PathBuf::from(DIRECTORY);
        let entries = match directory.read_dir() {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(LabError::io("read", &directory, error)),
        };
        let prefix = Self::prefix(lab);
        let mut found: Vec<_> = entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| name.starts_with(&prefix))
            .map(Self)
            .collect();
        found.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(found)
    }

    /// The name as `ip netns` shows it.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// Makes the namespace and brings its loopback interface up.
    pub fn create(&self) -> Result<(), LabError> {
        Tool::new("ip").args(["netns", "add", &self.0]).run()?;
        self.ip(["link set lo up"])
    }

    /// Removes the name; the kernel removes the namespace with its interfaces when its last process is gone.
    pub fn delete(&self) -> Result<(), LabError> {
        Tool::new("ip").args(["netns", "delete", &self.0]).run().map(drop)
    }

    /// Whether the namespace is there.
    pub fn exists(&self) -> bool {
        PathBuf::from(DIRECTORY).join(&self.0).exists()
    }

    /// Runs `ip` commands in the namespace, each written without the leading `ip`.
    pub fn ip<S: AsRef<str>>(&self, lines: impl IntoIterator<Item = S>) -> Result<(), LabError> {
        let mut batch = String::new();
        for line in lines {
            batch.push_str(line.as_ref());
            batch.push('\n');
        }
        Tool::new("ip").args(["-n", &self.0, "-batch", "-"]).input(batch).run().map(drop)
    }

    /// A command that runs `program` in the namespace. Its process id is that of `program`: `ip netns exec` becomes it.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.0, program]);
        command
    }

    /// A run of `program` in the namespace.
    pub fn tool(&self, program: &str) -> Tool {
        Tool::of(self.command(program))
    }

    /// Runs `work` on a thread of its own that has entered the namespace. Sockets made there stay in the namespace
    /// wherever they are used afterwards.
    pub fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, LabError> {
        let path = PathBuf::from(DIRECTORY).join(&self.0);
        let file = File::open(&path).map_err(|error| LabError::io("open", &path, error))?;
        std::thread::scope(|scope| {
            scope
                .spawn(|| {
                    setns(&file, CloneFlags::CLONE_NEWNET)
                        .map_err(|errno| LabError::io("enter", &path, errno.into()))?;
                    Ok(work())
                })
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Opens a TCP connection from within the namespace.
    pub fn connect(&self, address: SocketAddr, limit: Duration) -> Result<TcpStream, LabError> {
        self.within(|| TcpStream::connect_timeout(&address, limit))?
            .map_err(|source| LabError::Io { what: format!("connect to {address} in {}", self.0), source })
    }

    /// The processes that run in the namespace.
    pub fn processes(&self) -> Result<Vec<Pid>, LabError> {
        Ok(Tool::new("ip")
            .args(["netns", "pids", &self.0])
            .run()?
            .split_whitespace()
            .filter_map(|word| word.parse().ok())
            .map(Pid::from_raw)
            .collect())
    }
}

/// Joins two namespaces by a veth pair. Both ends are born in their namespaces, so that no name of the lab ever
/// appears among the machine's own interfaces. Checksum offload is switched off on both: the userspace datapath does
/// not fill in checksums that a sender left to the device, and TCP would fail while ping works.
pub fn veth(one: (&Namespace, &str), other: (&Namespace, &str)) -> Result<(), LabError> {
    one.0.ip([format!("link add {} type veth peer name {} netns {}", one.1, other.1, other.0.0)])?;
    for (namespace, device) in [one, other] {
        namespace.tool("ethtool").args(["-K", device, "tx", "off"]).run()?;
        namespace.ip([format!("link set {device} up")])?;
    }
    Ok(())
}
