//! What can go wrong around a lab, told so that the operator knows what to do next.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A failure of the lab or of a tool it uses.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// Not run as root: namespaces, veth pairs and bridges cannot be made.
    #[error("a lab needs root (network namespaces, veth pairs, Open vSwitch); run this with sudo")]
    NotRoot,
    /// Programs, files or devices that are needed and not on this machine.
    #[error("this machine lacks what is needed:\n{}\non Debian: apt install {}", .missing.join("\n"), .packages.join(" "))]
    Missing {
        /// One line for each missing thing.
        missing: Vec<String>,
        /// The Debian packages that bring them.
        packages: Vec<&'static str>,
    },
    /// A name that cannot become part of a namespace or a directory.
    #[error("{0:?} cannot name a lab: use 1 to 16 of a-z, 0-9 and '-', beginning with a letter")]
    Name(String),
    /// More hypervisors than the management and encapsulation networks have addresses for.
    #[error("{0} hypervisors asked for: a lab has 1 to {max}", max = super::MAX_HOSTS)]
    HostCount(u8),
    /// A lab of this name is there already, running or left behind.
    #[error(
        "a lab named {0:?} is already there, running or left behind; look with 'weir lab status --name {0}', remove it with 'weir lab down --name {0}'"
    )]
    Leftovers(String),
    /// No lab of this name, or none at all.
    #[error("no lab {0}; start one with 'weir lab up' or 'weir demo'")]
    NoLab(String),
    /// Several labs are up and none was named.
    #[error("several labs are up ({}): say which one with --name", .0.join(", "))]
    WhichLab(Vec<String>),
    /// No hypervisor, VM or controller namespace of this name in the lab.
    #[error("the lab has no {name:?}; it has {}", .known.join(", "))]
    Unknown {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// The lab was built without a controller of its own.
    #[error("this lab has no controller of its own: it was built with --controller none or with an address")]
    NoController,
    /// A program ended with an error.
    #[error("{command}: {reason}")]
    Tool {
        /// The command line.
        command: String,
        /// What it wrote to its standard error, or how it ended.
        reason: String,
    },
    /// An operating system call on a file, socket or process failed.
    #[error("{what}: {source}")]
    Io {
        /// What was being done, with the path or address.
        what: String,
        /// The operating system's error.
        source: io::Error,
    },
    /// The state file of a lab does not parse.
    #[error("{path}: {source}", path = .path.display())]
    State {
        /// The state file.
        path: PathBuf,
        /// Where it does not parse.
        source: serde_json::Error,
    },
    /// The REST API answered with something else than what was needed.
    #[error("{method} {path}: {status} {body}")]
    Api {
        /// The request's method.
        method: String,
        /// The request's path with its query.
        path: String,
        /// The HTTP status code.
        status: u16,
        /// The body, as text.
        body: String,
    },
    /// The answer of the API is not HTTP/1.1 with a JSON body.
    #[error("{path}: malformed answer: {reason}")]
    Answer {
        /// The request's path.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The controller ended on its own.
    #[error("the controller ended ({status}); the end of {log}:\n{tail}", log = .log.display())]
    ControllerEnded {
        /// Its exit status.
        status: String,
        /// Its log file.
        log: PathBuf,
        /// The last lines of the log.
        tail: String,
    },
    /// A condition did not come true within its bound.
    #[error("{what}: not within {limit:?}{}", if .last.is_empty() { String::new() } else { format!("; last seen: {}", .last) })]
    Timeout {
        /// The condition.
        what: String,
        /// The bound.
        limit: Duration,
        /// What was seen when time was up.
        last: String,
    },
    /// Ctrl-C or a termination signal.
    #[error("interrupted")]
    Interrupted,
    /// Some of a lab could not be removed.
    #[error("the lab could not be removed completely:\n{}", .0.join("\n"))]
    Down(Vec<String>),
}

impl LabError {
    /// An operating system error while doing `what` with `path`.
    pub(crate) fn io(what: &str, path: &Path, source: io::Error) -> Self {
        Self::Io { what: format!("{what} {}", path.display()), source }
    }
}
