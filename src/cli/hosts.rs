//! `weir hosts`: the state of every hypervisor.

use super::client::{Client, ClientError, escape};
use clap::{Args, Subcommand};
use comfy_table::{ContentArrangement, Table, presets};
use serde_json::Value;
use std::process::ExitCode;

/// Arguments of `weir hosts`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct HostsArgs {
    #[command(subcommand)]
    command: Option<HostsCommand>,
    /// Address of the controller's REST API.
    #[arg(long, env = "WEIR_API", default_value = "http://127.0.0.1:9696", global = true)]
    api: String,
    /// Print the answer as JSON.
    #[arg(long)]
    json: bool,
    /// Show how many questions of VMs were answered: DHCP, router solicitations, what routers say of packets.
    #[arg(long)]
    answers: bool,
}

#[derive(Debug, Subcommand)]
enum HostsCommand {
    /// Take a hypervisor that is not connected out of service: its tunnels and bindings are forgotten.
    Forget {
        /// Its name or system-id.
        host: String,
    },
}

/// Prints a line for each switch of each hypervisor.
pub(super) fn run(args: &HostsArgs) -> Result<ExitCode, ClientError> {
    let client = Client::new(&args.api);
    if let Some(HostsCommand::Forget { host }) = &args.command {
        client.delete(&format!("/weir/v1/hosts/{}", escape(host)))?;
        return Ok(ExitCode::SUCCESS);
    }
    let answer = client.get("/weir/v1/hosts")?;
    if args.json {
        println!("{answer:#}");
        return Ok(ExitCode::SUCCESS);
    }
    let hosts = answer["hosts"].as_array().map(Vec::as_slice).unwrap_or_default();
    if hosts.is_empty() {
        println!("No hypervisor is known. On each: ovs-vsctl set-manager tcp:CONTROLLER:6640");
        return Ok(ExitCode::SUCCESS);
    }
    println!("{}", if args.answers { answers(hosts) } else { table(hosts) });
    Ok(ExitCode::SUCCESS)
}

fn table(hosts: &[Value]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header([
        "HOST",
        "STATE",
        "ENCAP IP",
        "OVSDB",
        "BRIDGE",
        "OPENFLOW",
        "WANTED",
        "ACKED",
        "FLOWS",
        "LAST ERROR",
    ]);
    for host in hosts {
        let switches = host["switches"].as_array().map(Vec::as_slice).unwrap_or_default();
        for (line, switch) in switches.iter().enumerate() {
            let of_host = |key: &str| if line == 0 { text(&host[key]) } else { String::new() };
            let error =
                if switch["last_error"].is_null() { of_host("last_error") } else { text(&switch["last_error"]) };
            table.add_row([
                of_host("name"),
                of_host("liveness"),
                of_host("encap_ip"),
                of_host("ovsdb"),
                text(&switch["bridge"]),
                text(&switch["openflow"]),
                text(&switch["wanted_revision"]),
                text(&switch["acknowledged_revision"]),
                text(&switch["flows"]),
                error,
            ]);
        }
    }
    table
}

/// A line for each hypervisor with what its VMs were answered since the controller started.
fn answers(hosts: &[Value]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["HOST", "ANSWERED", "SILENT", "LIMITED", "DROPPED", "REFUSED", "UNASKED", "WHAT"]);
    for host in hosts {
        let told = &host["answers"];
        let count = |keys: &[&str]| keys.iter().filter_map(|key| told[key].as_u64()).sum::<u64>().to_string();
        let named = |key: &str| told[key].as_object().into_iter().flatten();
        let sum = |key: &str| named(key).filter_map(|(_, count)| count.as_u64()).sum::<u64>().to_string();
        let what = named("answered").chain(named("silent")).map(|(name, count)| format!("{name} {count}"));
        let what = what.collect::<Vec<_>>().join(", ");
        table.add_row([
            text(&host["name"]),
            sum("answered"),
            sum("silent"),
            count(&["limited"]),
            count(&["dropped"]),
            count(&["foreign", "unreadable"]),
            count(&["advertised", "announced"]),
            if what.is_empty() { "-".to_owned() } else { what },
        ]);
    }
    table
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
