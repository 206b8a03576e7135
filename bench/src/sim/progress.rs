//! Progress on a terminal; nothing anywhere else.

use indicatif::{ProgressBar, ProgressStyle};

/// How far a stage is.
#[derive(Debug)]
pub(crate) struct Bar {
    bar: ProgressBar,
}

impl Bar {
    /// A stage of so many things.
    pub(crate) fn new(what: impl Into<String>, count: usize) -> Self {
        let bar = ProgressBar::new(count as u64);
        if let Ok(style) = ProgressStyle::with_template("{elapsed_precise} {bar:40} {pos}/{len} {msg}") {
            bar.set_style(style);
        }
        Self { bar: bar.with_message(what.into()) }
    }

    /// So many are done.
    pub(crate) fn add(&self, count: usize) {
        self.bar.inc(count as u64);
    }

    /// So many are done in all.
    pub(crate) fn set(&self, count: usize) {
        self.bar.set_position(count as u64);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
