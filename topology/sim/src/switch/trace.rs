//! What happened to a packet, in the manner of `ofproto/trace`.

use std::fmt;

/// Lines of a trace, each with its depth.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    lines: Vec<(usize, String)>,
}

impl Trace {
    /// The most lines that are kept.
    const LINES_MAX: usize = 20_000;

    /// Adds a line.
    pub(crate) fn line(&mut self, depth: usize, text: impl FnOnce() -> String) {
        if self.lines.len() < Self::LINES_MAX {
            self.lines.push((depth, text()));
        }
    }

    /// Appends another trace, `depth` deeper.
    pub(crate) fn append(&mut self, other: Self, depth: usize) {
        for (at, text) in other.lines {
            self.line(at + depth, || text);
        }
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (depth, text) in &self.lines {
            writeln!(f, "{:width$}{text}", "", width = depth * 2)?;
        }
        Ok(())
    }
}
