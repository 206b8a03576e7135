//! Vectors: texts and the bytes that Open vSwitch 3.1 makes of them.

/// A text and the bytes that stand for it.
#[derive(Debug)]
pub(crate) struct Vector {
    pub(crate) text: String,
    pub(crate) bytes: Vec<u8>,
}

/// The vectors of a file: a line of text, then an indented line of hexadecimal digits. Lines that begin with `#` are
/// comments.
pub(crate) fn vectors(file: &str) -> Vec<Vector> {
    let mut vectors = Vec::new();
    let mut lines = file.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    while let Some(text) = lines.next() {
        let digits = lines.next().expect("every text has its bytes").trim();
        vectors.push(Vector { text: text.to_owned(), bytes: hex(digits) });
    }
    assert!(!vectors.is_empty(), "the file has vectors");
    vectors
}

/// Bytes of hexadecimal digits.
pub(crate) fn hex(digits: &str) -> Vec<u8> {
    assert_eq!(digits.len() % 2, 0, "digits come in pairs: {digits}");
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hex digits")).collect()
}

/// Bytes as hexadecimal digits.
pub(crate) fn digits(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
