//! Keys, values and numbers as `ovs-ofctl` separates them.

use super::error::{Fault, ParseErrorKind, fail};

/// What separates one pair from the next.
const SEPARATORS: &[char] = &[',', ' ', '\t', '\r', '\n'];

/// A key and what follows it: `key`, `key=value`, `key:value`, `key(value)` or `key(value)->to`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair<'a> {
    pub(super) key: &'a str,
    /// Empty at the end of the key if there is none.
    pub(super) value: &'a str,
    /// What follows the arrow of `key(value)->to`.
    pub(super) to: Option<&'a str>,
}

/// The pairs of a text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pairs<'a> {
    pub(super) rest: &'a str,
}

impl<'a> Pairs<'a> {
    pub(super) const fn new(rest: &'a str) -> Self {
        Self { rest }
    }

    fn next_pair(&mut self) -> Result<Option<Pair<'a>>, Fault<'a>> {
        let text = self.rest.trim_start_matches(SEPARATORS);
        self.rest = text;
        if text.is_empty() {
            return Ok(None);
        }
        let key_len = text.find([':', '=', '(', ',', ' ', '\t', '\r', '\n']).unwrap_or(text.len());
        let (key, after) = text.split_at(key_len);
        let pair = match after.chars().next() {
            Some(':' | '=') => {
                let value = &after[1..];
                let (value, rest) = value.split_at(plain_length(value)?);
                self.rest = rest;
                Pair { key, value, to: None }
            }
            Some('(') => {
                let length = enclosed_length(after)?;
                let value = &after[1..length - 1];
                let rest = &after[length..];
                if let Some(to) = rest.strip_prefix("->") {
                    let (to, rest) = to.split_at(plain_length(to)?);
                    self.rest = rest;
                    Pair { key, value, to: Some(to) }
                } else {
                    self.rest = rest;
                    Pair { key, value, to: None }
                }
            }
            _ => {
                self.rest = after;
                Pair { key, value: &after[..0], to: None }
            }
        };
        Ok(Some(pair))
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = Result<Pair<'a>, Fault<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        let pair = self.next_pair().transpose();
        if matches!(pair, Some(Err(_))) {
            self.rest = "";
        }
        pair
    }
}

/// How long a value is that ends with a separator outside of parentheses.
fn plain_length(text: &str) -> Result<usize, Fault<'_>> {
    let mut at = 0;
    while let Some(found) = text[at..].find([',', ' ', '\t', '\r', '\n', '(']) {
        at += found;
        if !text[at..].starts_with('(') {
            return Ok(at);
        }
        at += enclosed_length(&text[at..])?;
    }
    Ok(text.len())
}

/// How long a text is that begins with a parenthesis and ends with the one that closes it.
fn enclosed_length(text: &str) -> Result<usize, Fault<'_>> {
    let mut level = 0_usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'(' => level += 1,
            b')' if level == 1 => return Ok(at + 1),
            b')' => level -= 1,
            _ => (),
        }
    }
    fail(text, ParseErrorKind::Parenthesis)
}

/// A number: decimal, hexadecimal after `0x`, octal after `0`.
pub(super) fn number(text: &str) -> Result<u128, Fault<'_>> {
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None if text.len() > 1 && text.starts_with('0') => (&text[1..], 8),
        None => (text, 10),
    };
    if text.is_empty() {
        return fail(text, ParseErrorKind::MissingValue);
    }
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return fail(text, ParseErrorKind::Number);
    }
    u128::from_str_radix(digits, radix).or_else(|_| fail(text, ParseErrorKind::TooLarge))
}

/// A number that fits into `T`.
pub(super) fn integer<T: TryFrom<u128>>(text: &str) -> Result<T, Fault<'_>> {
    T::try_from(number(text)?).or_else(|_| fail(text, ParseErrorKind::TooLarge))
}

/// Pairs of hexadecimal digits, with points between them or not.
pub(super) fn bytes(text: &str) -> Result<Vec<u8>, Fault<'_>> {
    let mut parsed = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let Some(byte) = rest.get(..2).and_then(hex_byte) else {
            return fail(rest, ParseErrorKind::Hex);
        };
        parsed.push(byte);
        rest = rest[2..].trim_start_matches(['.', ' ']);
    }
    Ok(parsed)
}

/// A byte of one or two hexadecimal digits.
pub(super) fn hex_byte(digits: &str) -> Option<u8> {
    let digit = |byte: u8| byte.is_ascii_hexdigit();
    digits.bytes().all(digit).then(|| u8::from_str_radix(digits, 16).ok()).flatten()
}

/// What stands before and after an arrow.
pub(super) fn arrow(text: &str) -> Result<(&str, &str), Fault<'_>> {
    text.split_once("->").map_or_else(|| fail(text, ParseErrorKind::MissingArrow), Ok)
}
