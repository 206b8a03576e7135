//! The log: lines on standard error, which nobody waits for.
//!
//! Whoever logs only puts a line into a queue; a thread of its own writes. When standard error takes nothing, a pipe that
//! nobody reads for instance, the queue fills and further lines are counted and lost: the controller goes on.

use std::fmt::{self, Debug, Write as _};
use std::io::{self, BufWriter, IsTerminal};
use std::str::FromStr;
use std::time::Duration;
use tracing::field::Field;
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::{Writer, debug_fn};
use tracing_subscriber::prelude::*;

/// Lines that may wait to be written: those of the largest bulk request, and some to spare.
const LINES_MAX: usize = 16_384;

/// Bytes of a field. Names have up to 255 characters, and projects as many.
const FIELD_MAX: usize = 1_024;

/// How often it is told that lines were lost.
const TELL_LOSSES: Duration = Duration::from_secs(10);

/// What is logged: a level for all modules, and others for some.
#[derive(Clone, Debug, PartialEq)]
pub struct Levels(Targets);

/// Why levels cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadLevels {
    /// A word is no level.
    #[error("'{0}' is no level: off, error, warn, info, debug and trace are")]
    Level(String),
    /// A path is not one of ours, so its level would change nothing.
    #[error("'{0}' is no module of Weir: their names begin with weir, as in weir::api=debug")]
    Module(String),
}

impl FromStr for Levels {
    type Err = BadLevels;

    /// Reads levels as `info,weir::api=debug`. Without a level for all modules that is `info`.
    fn from_str(text: &str) -> Result<Self, BadLevels> {
        let mut targets = Targets::new().with_default(LevelFilter::INFO);
        for piece in text.split(',').map(str::trim) {
            targets = match piece.split_once('=') {
                None => targets.with_default(level(piece)?),
                Some((module, word)) if is_ours(module) => targets.with_target(module, level(word)?),
                Some((module, _)) => return Err(BadLevels::Module(module.to_owned())),
            };
        }
        Ok(Self(targets))
    }
}

fn level(word: &str) -> Result<LevelFilter, BadLevels> {
    Ok(match word.to_ascii_lowercase().as_str() {
        "off" => LevelFilter::OFF,
        "error" => LevelFilter::ERROR,
        "warn" => LevelFilter::WARN,
        "info" => LevelFilter::INFO,
        "debug" => LevelFilter::DEBUG,
        "trace" => LevelFilter::TRACE,
        _ => return Err(BadLevels::Level(word.to_owned())),
    })
}

fn is_ours(module: &str) -> bool {
    let plain = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let mut segments = module.split("::");
    segments.next().is_some_and(|crate_name| crate_name == "weir" || crate_name.starts_with("weir_"))
        && module.split("::").all(plain)
}

/// The log of this process; lines that still wait are written when it goes.
#[derive(Debug)]
pub struct Log {
    _worker: WorkerGuard,
    losses: Losses,
}

/// How many lines were lost.
#[derive(Clone, Debug)]
pub struct Losses(ErrorCounter);

impl Losses {
    /// How many lines were lost since the start.
    pub fn count(&self) -> u64 {
        u64::try_from(self.0.dropped_lines()).unwrap_or(u64::MAX)
    }
}

impl Log {
    /// Begins to log on standard error.
    pub fn start(levels: Levels) -> Self {
        let (writer, worker) = NonBlockingBuilder::default()
            .lossy(true)
            .buffered_lines_limit(LINES_MAX)
            .finish(BufWriter::new(io::stderr()));
        let losses = Losses(writer.error_counter());
        subscriber(levels, writer, io::stderr().is_terminal()).init();
        Self { _worker: worker, losses }
    }

    /// Counts the lines that are lost.
    pub fn losses(&self) -> Losses {
        self.losses.clone()
    }

    /// Tells of lines that were lost, for as long as it is polled.
    pub async fn tell_losses(&self) {
        let mut told = 0;
        let mut interval = tokio::time::interval(TELL_LOSSES);
        loop {
            interval.tick().await;
            let lost = self.losses.count();
            if lost > told {
                tracing::warn!(lines = lost - told, "lines of the log were lost: it is read too slowly");
                told = lost;
            }
        }
    }
}

fn subscriber<W>(levels: Levels, writer: W, colours: bool) -> impl tracing::Subscriber + Send + Sync
where
    W: for<'w> tracing_subscriber::fmt::MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(writer)
        .with_ansi(colours)
        .fmt_fields(debug_fn(put_field).delimited(" "));
    tracing_subscriber::registry().with(lines).with(levels.0)
}

/// Puts a field. What it says may come from a tenant or a hypervisor: it can neither begin a line of its own, nor speak to
/// the terminal, nor be of any length.
fn put_field(writer: &mut Writer<'_>, field: &Field, value: &dyn Debug) -> fmt::Result {
    if field.name() != "message" {
        write!(writer, "{}=", field.name())?;
    }
    write!(Plain { writer, room: Some(FIELD_MAX) }, "{value:?}")
}

/// Text of one line, without control characters.
struct Plain<'a, 'w> {
    writer: &'a mut Writer<'w>,
    /// Bytes that may follow; none when the text was cut off.
    room: Option<usize>,
}

impl fmt::Write for Plain<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            let Some(room) = self.room else { break };
            let escaped = (character.is_control() || is_separator(character)).then(|| character.escape_default());
            self.room = room.checked_sub(escaped.as_ref().map_or(character.len_utf8(), ExactSizeIterator::len));
            match escaped {
                _ if self.room.is_none() => self.writer.write_str("...")?,
                Some(escaped) => write!(self.writer, "{escaped}")?,
                None => self.writer.write_char(character)?,
            }
        }
        Ok(())
    }
}

/// Whether a character ends a line, or turns the direction of text, without being a control character.
const fn is_separator(character: char) -> bool {
    matches!(character, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};
    use tracing::subscriber::with_default;

    /// Takes what is written.
    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is logged meanwhile.
    pub(crate) fn logged(levels: &str, log: impl FnOnce()) -> String {
        let sink = Sink::default();
        let writer = sink.clone();
        with_default(subscriber(levels.parse().unwrap(), move || writer.clone(), false), log);
        let bytes = sink.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn modules_have_levels_of_their_own() {
        let log = || {
            tracing::info!(target: "weir::api", "one");
            tracing::debug!(target: "weir::api::route", "two");
            tracing::info!(target: "weir::controller", "three");
            tracing::debug!(target: "weir::controller", "four");
        };
        let told = |levels| {
            let text = logged(levels, log);
            ["one", "two", "three", "four"].map(|word| text.contains(word))
        };
        assert_eq!(told("info"), [true, false, true, false]);
        assert_eq!(told("weir::api=debug"), [true, true, true, false]);
        assert_eq!(told("warn, weir::controller=Debug"), [false, false, true, true]);
        assert_eq!(told("weir=off,weir::api=info"), [true, false, false, false]);
        assert_eq!(told("info,weir::api=debug,off"), [true, true, false, false]);
    }

    #[test]
    fn slips_of_the_pen_are_no_levels() {
        let error = |text: &str| text.parse::<Levels>().unwrap_err().to_string();
        assert_eq!(error("inof"), "'inof' is no level: off, error, warn, info, debug and trace are");
        assert_eq!(error(""), "'' is no level: off, error, warn, info, debug and trace are");
        assert_eq!(error("info,weir::api=loud"), "'loud' is no level: off, error, warn, info, debug and trace are");
        assert_eq!(error("weir::api="), "'' is no level: off, error, warn, info, debug and trace are");
        for text in ["wier::api=debug", "weir:api=debug", "weir::=debug", "=debug", "weir::api[x]=debug", "api=debug"] {
            assert!(matches!(text.parse::<Levels>(), Err(BadLevels::Module(_))), "{text}");
        }
    }

    #[test]
    fn what_tenants_write_stays_in_its_field() {
        let name = "evil\n2026-01-01T00:00:00Z ERROR weir: \x1b[31mforged\r\u{2028}\u{202e}";
        let text = logged("info", || {
            tracing::info!(target: "weir", name, shown = %name, "bound to {name}");
        });
        assert_eq!(text.matches('\n').count(), 1, "{text}");
        assert!(
            text.ends_with('\n') && !text.trim_end().contains(|c: char| c.is_control() || is_separator(c)),
            "{text}"
        );
        assert!(text.contains("name=\"evil\\n2026-01-01T00:00:00Z ERROR weir: "), "{text}");
        assert!(text.contains("shown=evil\\n2026"), "{text}");
    }

    #[test]
    fn a_field_has_a_bound() {
        let long = "x".repeat(1 << 20);
        let text = logged("info", || tracing::info!(target: "weir", long, shown = %long, "a{long}"));
        assert!(text.len() < 4 * FIELD_MAX && text.matches("x...").count() == 3, "{}", text.len());
    }
}
