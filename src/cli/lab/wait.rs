//! Waiting for a condition, within a bound.

use std::fmt::Display;
use std::time::{Duration, Instant};

use super::{Interrupt, LabError};

/// The pause between two looks at a condition.
const PAUSE: Duration = Duration::from_millis(10);

/// What one look at a condition showed.
#[derive(Debug)]
pub enum Look<T> {
    /// It holds.
    Holds(T),
    /// Not yet; the text tells what was seen instead.
    NotYet(String),
}

impl<T> Look<T> {
    /// Not yet, having seen `seen`.
    pub fn not_yet(seen: impl Display) -> Self {
        Self::NotYet(seen.to_string())
    }
}

impl Look<()> {
    /// Holds if `condition` does; otherwise `seen` was seen.
    pub fn when(condition: bool, seen: impl Display) -> Self {
        if condition { Self::Holds(()) } else { Self::not_yet(seen) }
    }
}

/// Looks again and again until the condition `what` holds, `limit` has passed, a look fails, or the user interrupts.
pub fn until<T>(
    what: &str,
    limit: Duration,
    interrupt: &Interrupt,
    mut look: impl FnMut() -> Result<Look<T>, LabError>,
) -> Result<T, LabError> {
    let start = Instant::now();
    loop {
        interrupt.check()?;
        match look()? {
            Look::Holds(value) => return Ok(value),
            Look::NotYet(last) if start.elapsed() >= limit => {
                return Err(LabError::Timeout { what: what.to_owned(), limit, last });
            }
            Look::NotYet(_) => std::thread::sleep(PAUSE),
        }
    }
}
