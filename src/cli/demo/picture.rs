//! Who reaches whom, as a table.

use comfy_table::{CellAlignment, Table, TableComponent, presets};

use crate::cli::lab::{Matrix, Outcome, Vm};

/// Who should reach whom: VMs of one tenant.
pub(super) fn same_tenant(from: &Vm, to: &Vm) -> bool {
    tenant(from) == tenant(to)
}

fn tenant(vm: &Vm) -> &str {
    vm.name().split_once('-').map_or("", |(tenant, _)| tenant)
}

/// What differs from what is expected, a line each.
pub(super) fn differences(vms: &[Vm], matrix: &Matrix) -> Vec<String> {
    let mut lines = Vec::new();
    for (probe, outcome) in &matrix.seen {
        let find = |name: &str| vms.iter().find(|vm| vm.name() == name);
        let (Some(from), Some(to)) = (find(&probe.from), find(&probe.to)) else {
            continue;
        };
        let family = if probe.ipv6 { "IPv6" } else { "IPv4" };
        let seen = match (same_tenant(from, to), outcome) {
            (true, Outcome::Reached(_)) | (false, Outcome::Isolated) => continue,
            (true, Outcome::Isolated) => "should reach it, but does not",
            (true, Outcome::OneWay) => "should reach it, but gets no answer",
            (false, Outcome::Reached(_) | Outcome::OneWay) => "should never reach it, but does",
        };
        lines.push(format!("{} -> {} by {family}: {seen}", probe.from, probe.to));
    }
    lines
}

/// The matrix: a row for each asking VM, a column for each VM asked for.
pub(super) fn table(vms: &[Vm], matrix: &Matrix) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_HORIZONTAL_ONLY);
    table.remove_style(TableComponent::HorizontalLines).remove_style(TableComponent::MiddleIntersections);
    let heads = ["from", "on", "IPv4"].map(str::to_owned);
    table.set_header(heads.into_iter().chain(vms.iter().map(|vm| vm.name().to_owned())));
    for from in vms {
        let address = from.guest().address(false).map_or_else(String::new, |address| address.to_string());
        let mut row = vec![from.name().to_owned(), from.host().to_owned(), address];
        row.extend(vms.iter().map(|to| cell(from, to, matrix)));
        table.add_row(row);
    }
    for column in table.column_iter_mut().skip(3) {
        column.set_cell_alignment(CellAlignment::Center);
    }
    table
}

/// Both families' outcome; '!' marks what should not be so.
fn cell(from: &Vm, to: &Vm, matrix: &Matrix) -> String {
    if from.name() == to.name() {
        return String::new();
    }
    let expected = same_tenant(from, to);
    [false, true]
        .map(|ipv6| match matrix.outcome(from.name(), to.name(), ipv6) {
            None => "=".to_owned(),
            Some(Outcome::Reached(ms)) if expected => format!("{ms:.1}"),
            Some(Outcome::Reached(ms)) => format!("{ms:.1}!"),
            Some(Outcome::Isolated) if expected => "-!".to_owned(),
            Some(Outcome::Isolated) => "-".to_owned(),
            Some(Outcome::OneWay) => "no answer!".to_owned(),
        })
        .join("  ")
}
