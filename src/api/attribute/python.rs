//! Values as Neutron's messages show them: the way Python prints what came as JSON.

use serde_json::Value;
use std::fmt::{self, Write};

/// Prints like `str()`: text bare at the top, quoted inside lists and objects.
pub(crate) struct Python<'a>(pub(crate) &'a Value);

impl fmt::Display for Python<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::String(text) => f.write_str(text),
            other => repr(other, f),
        }
    }
}

fn repr(value: &Value, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match value {
        Value::Null => f.write_str("None"),
        Value::Bool(true) => f.write_str("True"),
        Value::Bool(false) => f.write_str("False"),
        Value::Number(number) => write!(f, "{number}"),
        Value::String(text) => quoted(text, f),
        Value::Array(items) => {
            f.write_char('[')?;
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    f.write_str(", ")?;
                }
                repr(item, f)?;
            }
            f.write_char(']')
        }
        Value::Object(members) => {
            f.write_char('{')?;
            for (index, (name, item)) in members.iter().enumerate() {
                if index > 0 {
                    f.write_str(", ")?;
                }
                quoted(name, f)?;
                f.write_str(": ")?;
                repr(item, f)?;
            }
            f.write_char('}')
        }
    }
}

pub(crate) fn quoted(text: &str, f: &mut impl Write) -> fmt::Result {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    f.write_char(quote)?;
    for symbol in text.chars() {
        match symbol {
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            _ if symbol == quote => {
                f.write_char('\\')?;
                f.write_char(symbol)?;
            }
            _ if symbol.is_control() => write!(f, "\\x{:02x}", u32::from(symbol))?,
            _ => f.write_char(symbol)?,
        }
    }
    f.write_char(quote)
}

/// A list of texts as Python prints it: `['a', 'b']`.
pub(crate) fn list<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let mut out = String::from("[");
    for (index, text) in texts.into_iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        quoted(text, &mut out).expect("a String takes everything");
    }
    out.push(']');
    out
}
