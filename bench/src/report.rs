//! Medians, tables and JSON.

use std::time::{Duration, Instant};

use comfy_table::{CellAlignment, Table, presets};
use serde_json::{Map, Value};

/// Runs `work` and returns what it returned and how long it took.
pub fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let value = work();
    (value, start.elapsed())
}

/// The middle one of some durations; of an even number, the later of the two in the middle.
///
/// # Panics
/// If there are none.
pub fn median(durations: &mut [Duration]) -> Duration {
    durations.sort_unstable();
    durations[durations.len() / 2]
}

/// The resident memory of this process in bytes (`proc(5)`, `VmRSS`).
pub fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

/// A duration with three digits and a fitting unit.
pub fn shown(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    let (value, unit) = match seconds {
        s if s >= 1.0 => (s, "s"),
        s if s >= 1e-3 => (s * 1e3, "ms"),
        s => (s * 1e6, "us"),
    };
    let digits = if value >= 100.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    format!("{value:.digits$} {unit}")
}

/// Rows of one benchmark: a table for people, JSON for programs.
#[derive(Debug)]
pub struct Report {
    name: &'static str,
    columns: Vec<&'static str>,
    rows: Vec<Vec<(String, Value)>>,
}

impl Report {
    /// An empty report.
    pub fn new(name: &'static str, columns: impl IntoIterator<Item = &'static str>) -> Self {
        Self { name, columns: columns.into_iter().collect(), rows: Vec::new() }
    }

    /// Adds a row: for each column what people see, and the plain value. Durations are given in seconds, sizes in bytes.
    pub fn row(&mut self, cells: impl IntoIterator<Item = (String, Value)>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Prints it.
    pub fn print(&self, json: bool) {
        if json {
            let rows: Vec<Value> = self
                .rows
                .iter()
                .map(|row| {
                    let cells = self.columns.iter().zip(row);
                    Value::Object(
                        cells.map(|(column, (_, value))| ((*column).to_owned(), value.clone())).collect::<Map<_, _>>(),
                    )
                })
                .collect();
            println!("{}", serde_json::json!({"benchmark": self.name, "rows": rows}));
            return;
        }
        let mut table = Table::new();
        table.load_preset(presets::NOTHING).set_header(&self.columns);
        for row in &self.rows {
            table.add_row(row.iter().map(|(shown, _)| shown));
        }
        for column in table.column_iter_mut() {
            column.set_cell_alignment(CellAlignment::Right);
        }
        println!("{}\n{table}", self.name);
    }
}

/// The cell of a duration.
pub fn time_cell(duration: Duration) -> (String, Value) {
    (shown(duration), duration.as_secs_f64().into())
}

/// The cell of a count.
pub fn count_cell(count: usize) -> (String, Value) {
    (count.to_string(), count.into())
}

/// The cell of a rate or a ratio.
pub fn number_cell(number: f64, digits: usize) -> (String, Value) {
    (format!("{number:.digits$}"), number.into())
}

/// The cell of a size in bytes.
pub fn size_cell(bytes: u64) -> (String, Value) {
    (format!("{:.1} MB", bytes as f64 / 1e6), bytes.into())
}
