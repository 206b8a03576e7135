//! Topology text in, flows out: each `cases/NAME.topology` against `cases/NAME.flows`, and the pipeline page.
//!
//! `WEIR_BLESS=1` writes the outcome in place of what is expected.

mod cloud;
mod real;
mod script;
#[path = "../wire/vswitchd.rs"]
mod vswitchd;

use cloud::Cloud;
use std::fs;
use std::path::{Path, PathBuf};
use weir_compile::pipeline;

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/cases")
}

/// Compares with a file, or writes it when blessed.
fn compare(path: &Path, outcome: &str) {
    if std::env::var_os("WEIR_BLESS").is_some_and(|value| value == "1") {
        fs::write(path, outcome).expect("the file can be written");
        return;
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    if expected == outcome {
        return;
    }
    let mut lines = expected.lines().zip(outcome.lines()).enumerate();
    let (number, (was, is)) = lines.find(|(_, (was, is))| was != is).unwrap_or((expected.lines().count(), ("", "")));
    panic!(
        "{} differs from line {}:\n- {was}\n+ {is}\nWEIR_BLESS=1 accepts what there is now",
        path.display(),
        number + 1
    );
}

fn text(case: &str) -> String {
    fs::read_to_string(directory().join(format!("{case}.topology"))).expect("the case is there")
}

fn case(name: &str) {
    let text = text(name);
    let mut cloud = Cloud::new();
    let outcome = cloud.play(&text);
    compare(&directory().join(format!("{name}.flows")), &outcome);
}

macro_rules! cases {
    ($($name:ident),* $(,)?) => {
        const CASES: &[&str] = &[$(stringify!($name)),*];
        $(#[test] fn $name() { case(stringify!($name)); })*
    };
}

cases! {
    no_ports,
    two_hosts_one_network,
    same_prefix_two_tenants,
    dual_stack,
    address_pairs,
    port_security_off,
    moved_port,
    unplugged,
    administratively_down,
    routed_two_networks,
    router_chain,
    router_down,
    smaller_mtu,
    interface_added,
    services,
    default_group,
    remote_group,
    address_group_ranges,
    stateless_group,
    no_groups,
    rule_removed,
    small_cloud,
}

#[test]
fn every_case_is_played() {
    let entries = fs::read_dir(directory()).expect("the cases are there");
    for entry in entries {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().and_then(|stem| stem.to_str()).expect("a name");
        assert!(CASES.contains(&name), "{name} is not listed");
    }
}

#[test]
fn the_pipeline_page_is_what_the_pipeline_is() {
    let mut cloud = Cloud::new();
    cloud.play(&text("small_cloud"));
    let page = pipeline::page(|bridge| cloud.desired("host1", bridge));
    for table in page.split("\n### ").skip(1) {
        assert!(table.contains("```"), "no flow of table {} is shown", table.lines().next().unwrap_or_default());
    }
    compare(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/pipeline.md"), &page);
}
