//! Running the programs that the lab is made with.

use std::ffi::OsStr;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Output, Stdio};

use super::LabError;

/// One run of a program to its end, with its output collected.
#[derive(Debug)]
pub struct Tool {
    command: Command,
    input: Option<Vec<u8>>,
}

impl Tool {
    /// A run of `program`, found in `PATH`.
    pub fn new(program: &str) -> Self {
        Self::of(Command::new(program))
    }

    /// A run of a prepared command.
    ///
    /// It gets its own process group: Ctrl-C on the terminal shall reach the lab, which then cleans up, and not the
    /// program that the lab happens to be running.
    pub fn of(mut command: Command) -> Self {
        command.process_group(0);
        Self { command, input: None }
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.command.args(args);
        self
    }

    /// Gives the program this standard input.
    #[must_use]
    pub fn input(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = Some(bytes.into());
        self
    }

    /// Runs the program and returns its standard output; an exit status other than 0 is an error.
    pub fn run(self) -> Result<String, LabError> {
        let shown = shown(&self.command);
        let output = self.output()?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let stderr = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(LabError::Tool {
            command: shown,
            reason: if stderr.is_empty() { output.status.to_string() } else { stderr },
        })
    }

    /// Runs the program and returns its output whatever its exit status.
    pub fn output(mut self) -> Result<Output, LabError> {
        let failed = |command: &Command, source| LabError::Io { what: shown(command), source };
        self.command
            .stdin(if self.input.is_some() { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = self.command.spawn().map_err(|error| failed(&self.command, error))?;
        if let (Some(bytes), Some(mut pipe)) = (self.input.take(), child.stdin.take()) {
            // A program that ends before it has read everything reports why by its exit status.
            let _ = pipe.write_all(&bytes);
        }
        child.wait_with_output().map_err(|error| failed(&self.command, error))
    }
}

/// The command line as a person would type it, but for quoting.
fn shown(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(OsStr::to_string_lossy)
        .collect::<Vec<_>>()
        .join(" ")
}
