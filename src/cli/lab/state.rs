//! What is known about a lab, kept on disk so that a later run of the program finds it.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Controller, Hypervisor, LabError, Process, Underlay, Vm};

/// Where the labs keep their files. Short, for the paths of Unix sockets end at 107 bytes.
const DIRECTORY: &str = "/run/weir-lab";

/// The name of the state file within a lab's directory.
const FILE: &str = "lab.json";

/// The longest name of a lab.
const MAX_NAME: usize = 16;

/// The name of a lab.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LabName(String);

impl std::str::FromStr for LabName {
    type Err = LabError;

    fn from_str(name: &str) -> Result<Self, LabError> {
        let fits = (1..=MAX_NAME).contains(&name.len())
            && name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        if fits { Ok(Self(name.to_owned())) } else { Err(LabError::Name(name.to_owned())) }
    }
}

impl std::fmt::Display for LabName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl LabName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The directory of the lab's files.
    pub fn directory(&self) -> PathBuf {
        Path::new(DIRECTORY).join(&self.0)
    }

    /// The names of all labs that have a directory, in order.
    pub fn all() -> Result<Vec<Self>, LabError> {
        let directory = Path::new(DIRECTORY);
        let entries = match directory.read_dir() {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(LabError::io("read", directory, error)),
        };
        let mut names: Vec<Self> = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
        names.sort();
        Ok(names)
    }
}

/// What is known about a lab.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct State {
    /// The lab's name.
    pub name: LabName,
    /// The process that takes the lab down when it ends, unless the lab is kept.
    pub owner: Option<Process>,
    /// The wires.
    pub underlay: Underlay,
    /// The controller that the hypervisors are told to connect to.
    pub manager: Option<IpAddr>,
    /// The lab's own controller.
    pub controller: Option<Controller>,
    /// The hypervisors, in order of their numbers.
    pub hypervisors: Vec<Hypervisor>,
    /// The VMs, in order of their making.
    pub vms: Vec<Vm>,
}

impl State {
    /// Reads the state of a lab; none if the lab has no state file.
    pub fn read(name: &LabName) -> Result<Option<Self>, LabError> {
        let path = name.directory().join(FILE);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(LabError::io("read", &path, error)),
        };
        serde_json::from_slice(&text).map(Some).map_err(|source| LabError::State { path, source })
    }

    /// Writes it, so that a reader sees either the former state or this one.
    pub fn write(&self) -> Result<(), LabError> {
        let path = self.name.directory().join(FILE);
        let draft = path.with_extension("json.new");
        let text = serde_json::to_vec_pretty(self).map_err(|source| LabError::State { path: path.clone(), source })?;
        fs::write(&draft, text)
            .and_then(|()| fs::rename(&draft, &path))
            .map_err(|error| LabError::io("write", &path, error))
    }
}
