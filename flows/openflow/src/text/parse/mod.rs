//! Parsing.

mod action;
mod flow;
mod group;
mod learn;
mod matching;
mod modify;
mod translate;

use super::error::{ParseError, ParseErrorKind, fail, located};
use super::names::Names;
use crate::{Action, Instructions};
use std::str::FromStr;

/// Parses a list of actions, as in `actions=LIST` of a bucket or a packet-out.
///
/// # Errors
/// When the text is no list of actions.
pub fn actions(text: &str, names: &Names) -> Result<Vec<Action>, ParseError> {
    let mut around = action::Around::default();
    located(text, action::list(text, names, &mut around, 0))
}

impl FromStr for Instructions {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let mut around = action::Around::default();
        located(text, action::instructions(text, Names::NONE, &mut around))
    }
}

impl FromStr for Action {
    type Err = ParseError;

    /// Parses one action.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let parsed = actions(text, Names::NONE)?;
        match <[Self; 1]>::try_from(parsed) {
            Ok([action]) => Ok(action),
            Err(_) => located(text, fail(text, ParseErrorKind::UnknownAction)),
        }
    }
}
