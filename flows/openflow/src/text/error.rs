//! Why text is not what it should be.

use std::fmt;

/// Why text is not what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is the sentence that it prints")]
pub enum ParseErrorKind {
    UnknownKeyword,
    UnknownField,
    UnknownAction,
    UnknownTable,
    UnknownPort,
    UnknownFlag,
    MissingValue,
    MissingActions,
    MissingArrow,
    MissingPart,
    Number,
    TooLarge,
    Address,
    Mask,
    Bits,
    Widths,
    Hex,
    Parenthesis,
    Range,
    Alone,
    Depth,
    Line,
}

impl fmt::Display for ParseErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownKeyword => "unknown keyword",
            Self::UnknownField => "unknown field",
            Self::UnknownAction => "unknown action",
            Self::UnknownTable => "unknown table",
            Self::UnknownPort => "unknown port",
            Self::UnknownFlag => "unknown flag",
            Self::MissingValue => "a value is missing",
            Self::MissingActions => "\"actions=\" is missing",
            Self::MissingArrow => "\"->\" is missing",
            Self::MissingPart => "a part is missing",
            Self::Number => "not a number",
            Self::TooLarge => "the number is too large",
            Self::Address => "not an address",
            Self::Mask => "the mask is not allowed",
            Self::Bits => "not bits of the field",
            Self::Widths => "the two are not of one width",
            Self::Hex => "not pairs of hexadecimal digits",
            Self::Parenthesis => "a parenthesis is not closed",
            Self::Range => "the value is out of range",
            Self::Alone => "\"drop\" goes with nothing else",
            Self::Depth => "actions lie too deep within actions",
            Self::Line => "not a line of a dump",
        })
    }
}

/// Text that cannot be parsed: where, why, and what stands there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at character {offset}: {kind}: {near:?}")]
pub struct ParseError {
    /// How many bytes from the start of the text.
    pub offset: usize,
    /// What is wrong there.
    pub kind: ParseErrorKind,
    /// The beginning of what stands there.
    pub near: String,
}

/// How much of the text an error quotes, in characters.
const NEAR: usize = 40;

/// An error that knows the piece of text where it lies, from which [`located`] tells the offset.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fault<'a> {
    pub(super) at: &'a str,
    pub(super) kind: ParseErrorKind,
}

/// Fails at `at`, which is a piece of the parsed text.
pub(super) fn fail<T>(at: &str, kind: ParseErrorKind) -> Result<T, Fault<'_>> {
    Err(Fault { at, kind })
}

/// Tells where a fault lies within the whole text.
pub(super) fn located<T>(whole: &str, result: Result<T, Fault<'_>>) -> Result<T, ParseError> {
    result.map_err(|fault| ParseError {
        offset: (fault.at.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize).min(whole.len()),
        kind: fault.kind,
        near: fault.at.chars().take(NEAR).collect(),
    })
}
