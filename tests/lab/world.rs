//! What the tests have in common.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};

use weir::cli::lab::{LabError, LabName};

/// Why a test failed, shown as text.
pub(crate) struct Failure(String);

impl<E: fmt::Display> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a test returns.
pub(crate) type Tested = Result<(), Failure>;

/// A name that no other lab on this machine has.
pub(crate) fn fresh_name() -> Result<LabName, LabError> {
    static NUMBER: AtomicU32 = AtomicU32::new(1);
    format!("t{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed)).parse()
}
