//! What the controller's `/metrics` told while something went on.

use super::caller::Caller;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::Failure;

/// How often the page is read.
const EVERY: Duration = Duration::from_millis(100);

/// The beginnings of the names of what is told of: what waits, who is turned away, and what became of switches.
const TOLD: [&str; 11] = [
    "weir_waiting_",
    "weir_api_connections",
    "weir_api_requests",
    "weir_api_waiting_lists",
    "weir_api_untaken_bytes",
    "weir_api_hung_up",
    "weir_api_turned_away",
    "weir_log_lines_lost",
    "weir_comparisons",
    "weir_sessions",
    "weir_switch_lag_revisions",
];

/// A thread that reads the page until it is told to end.
#[derive(Debug)]
pub(crate) struct Monitor {
    end: mpsc::Sender<()>,
    thread: JoinHandle<Result<Seen, Failure>>,
}

/// Each series with what it was.
pub(crate) type Seen = BTreeMap<String, Range>;

/// What a series was at first, at last, and at most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Range {
    pub(crate) first: f64,
    pub(crate) last: f64,
    pub(crate) most: f64,
}

impl Monitor {
    /// Begins to read the page at this address.
    pub(crate) fn begin(address: SocketAddr) -> Self {
        let (end, ended) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let caller = Caller::new(address);
            let mut seen = Seen::new();
            loop {
                note(&mut seen, &caller.text("/metrics")?);
                if ended.recv_timeout(EVERY) != Err(RecvTimeoutError::Timeout) {
                    note(&mut seen, &caller.text("/metrics")?);
                    return Ok(seen);
                }
            }
        });
        Self { end, thread }
    }

    /// Ends; what there was to see.
    pub(crate) fn end(self) -> Result<Seen, Failure> {
        // A thread that has failed has ended already.
        let _ = self.end.send(());
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

/// Notes what a page says. Of a series for each switch only the largest counts.
fn note(seen: &mut Seen, page: &str) {
    let mut values = BTreeMap::new();
    for line in page.lines().filter(|line| TOLD.iter().any(|name| line.starts_with(name))) {
        let Some((series, value)) = line.rsplit_once(' ') else { continue };
        let Ok(value) = value.parse::<f64>() else { continue };
        let series = if series.contains("host=") { series.split('{').next().unwrap_or(series) } else { series };
        values.entry(series).and_modify(|most: &mut f64| *most = most.max(value)).or_insert(value);
    }
    for (series, value) in values {
        let range = seen.entry(series.to_owned()).or_insert(Range { first: value, last: value, most: value });
        range.last = value;
        range.most = range.most.max(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_seen_from_first_to_last() {
        let page = |commands: u32, lag: u32| {
            format!(
                "# HELP weir_waiting_commands x\nweir_waiting_commands {commands}\nweir_edits_total 4\n\
                 weir_switch_lag_revisions{{host=\"h 1\",bridge=\"br-int\"}} 1\n\
                 weir_switch_lag_revisions{{host=\"h2\",bridge=\"br-int\"}} {lag}\n# EOF\n"
            )
        };
        let mut seen = Seen::new();
        for (commands, lag) in [(1, 0), (7, 5), (2, 0)] {
            note(&mut seen, &page(commands, lag));
        }
        let commands = Range { first: 1.0, last: 2.0, most: 7.0 };
        let lag = Range { first: 1.0, last: 1.0, most: 5.0 };
        let expected = [("weir_switch_lag_revisions".to_owned(), lag), ("weir_waiting_commands".to_owned(), commands)];
        assert_eq!(seen, expected.into());
    }
}
