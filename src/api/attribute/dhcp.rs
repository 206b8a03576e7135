//! DHCP options of a port.

use super::given::GivenDhcpOption;
use super::python::Python;
use super::rule::Misfit;
use crate::api::fault::Fault;
use serde_json::Value;

/// Longest name of an option, in characters.
const NAME_MAX: usize = 64;
/// Longest value of an option, in characters.
const VALUE_MAX: usize = 255;
/// Options whose value may be blank.
const MAY_BE_BLANK: [&str; 2] = ["router", "classless-static-route"];

/// Reads options; null gives none.
pub(super) fn options(value: Value) -> Result<Vec<GivenDhcpOption>, Misfit> {
    let items = match value {
        Value::Null => return Ok(Vec::new()),
        Value::Array(items) => items,
        other => {
            return Err(Fault::invalid_input(format_args!("'{}' is not a list", Python(&other))).into());
        }
    };
    for (index, item) in items.iter().enumerate() {
        if items[..index].contains(item) {
            return Err(Fault::invalid_input(format_args!("Duplicate items in the list: '{}'", Python(item))).into());
        }
    }
    items
        .iter()
        .map(|item| {
            option(item).ok_or_else(|| {
                Fault::invalid_input(format_args!("No valid key specs matched for: {}", Python(item))).into()
            })
        })
        .collect()
}

fn option(item: &Value) -> Option<GivenDhcpOption> {
    let members = item.as_object()?;
    let known = members.keys().all(|name| matches!(name.as_str(), "opt_name" | "opt_value" | "ip_version"));
    if !known {
        return None;
    }
    let name = members.get("opt_name")?.as_str()?;
    let value = match members.get("opt_value")? {
        Value::Null => None,
        Value::String(value) => Some(value.as_str()),
        _ => return None,
    };
    let blank_allowed = MAY_BE_BLANK.contains(&name);
    let name_fits = one_line(name, NAME_MAX);
    let value_fits =
        value.is_none_or(|value| one_line(value, VALUE_MAX) || (blank_allowed && value.chars().count() <= VALUE_MAX));
    let ip_version = match members.get("ip_version") {
        None => 4,
        Some(Value::Number(number)) => number.as_u64()?,
        Some(Value::String(digits)) => digits.parse().ok()?,
        Some(_) => return None,
    };
    let ip_version = match ip_version {
        4 => 4,
        6 => 6,
        _ => return None,
    };
    (name_fits && value_fits).then(|| GivenDhcpOption {
        name: name.to_owned(),
        value: value.map(str::to_owned),
        ip_version,
    })
}

fn one_line(text: &str, max: usize) -> bool {
    !text.trim().is_empty() && text.lines().count() <= 1 && text.chars().nth(max).is_none()
}
