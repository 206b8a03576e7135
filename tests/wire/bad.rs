//! Inputs that are refused, each with what is said of it.

use crate::vector::hex;
use weir_openflow::message::FlowStats;
use weir_openflow::{Action, Flow, Group, Match, Meter};

/// Pairs of an input and the error that it meets, on the line behind it.
fn pairs(file: &str) -> Vec<(&str, &str)> {
    let lines: Vec<_> = file.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    assert!(!lines.is_empty() && lines.len().is_multiple_of(2), "every input has its error");
    lines.chunks(2).map(|pair| (pair[0], pair[1].trim())).collect()
}

fn check(file: &str, error: impl Fn(&str) -> Option<String>) {
    let mut wrong = Vec::new();
    for (input, expected) in pairs(file) {
        let found = error(input).unwrap_or_else(|| "accepted".to_owned());
        if found != expected {
            wrong.push(format!("{input}\n  {found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn bad_flows_are_refused() {
    let error = |text: &str| text.parse::<Flow>().err().map(|error| error.to_string());
    check(include_str!("vectors/bad-flows.txt"), error);
}

#[test]
fn bad_groups_and_meters_are_refused() {
    check(include_str!("vectors/bad-groups.txt"), |text| {
        if text.starts_with("meter") {
            text.parse::<Meter>().err().map(|error| error.to_string())
        } else {
            text.parse::<Group>().err().map(|error| error.to_string())
        }
    });
}

#[test]
fn bad_bytes_are_refused() {
    check(include_str!("vectors/bad-bytes.txt"), |line| {
        let (kind, digits) = line.split_once(' ').expect("a kind and its bytes");
        let bytes = hex(digits);
        let error = match kind {
            "match" => Match::decode(&bytes).err(),
            "actions" => Action::decode_list(&bytes).err(),
            "stats" => FlowStats::decode(&bytes).err(),
            "group" => Group::decode(&bytes).err(),
            "meter" => Meter::decode(&bytes).err(),
            other => panic!("no kind {other}"),
        };
        error.map(|error| error.to_string())
    });
}
