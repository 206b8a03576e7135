//! Logs of processes that ended.

use std::path::Path;

/// How many of its last lines tell why a process ended.
const LINES: usize = 10;

/// That a process has ended, and what it wrote last.
pub fn ended(name: &str, log: &Path) -> String {
    match std::fs::read(log) {
        Ok(text) => format!("{name} has ended; the end of its log:\n{}", end(&String::from_utf8_lossy(&text))),
        Err(error) => format!("{name} has ended; its log cannot be read: {}: {error}", log.display()),
    }
}

fn end(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_told() {
        let text: String = (0..25).map(|line| format!("line {line}\n")).collect();
        let told = end(&text);
        assert_eq!((told.lines().next(), told.lines().count()), (Some("line 15"), LINES));
        assert_eq!(end("only\n"), "only");
    }
}
