//! `weir flows`: what a switch holds, each flow with its owner.

use super::client::{Client, ClientError, escape};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::io::{self, Read, Write};
use std::process::ExitCode;

/// Arguments of `weir flows`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct FlowsArgs {
    #[command(subcommand)]
    command: Option<FlowsCommand>,
    /// The hypervisor, as `weir hosts` names it.
    #[arg(required = true)]
    host: Option<String>,
    /// The bridge.
    #[arg(value_parser = ["br-int", "br-tun"], default_value = "br-int")]
    bridge: String,
    /// Address of the controller's REST API.
    #[arg(long, env = "WEIR_API", default_value = "http://127.0.0.1:9696", global = true)]
    api: String,
}

#[derive(Debug, Subcommand)]
enum FlowsCommand {
    /// Explain a dump of `ovs-ofctl dump-flows` on standard input.
    Explain,
}

/// Why flows cannot be shown.
#[derive(Debug, thiserror::Error)]
pub(super) enum FlowsError {
    /// The controller does not answer, or says no.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Standard input or output fails.
    #[error("standard input or output: {0}")]
    Stream(#[from] io::Error),
}

/// Prints the flows of a bridge, or of the dump on standard input.
pub(super) fn run(args: FlowsArgs) -> Result<ExitCode, FlowsError> {
    let client = Client::new(&args.api);
    let answer = match (args.command, args.host) {
        (None, Some(host)) => client.get(&format!("/weir/v1/hosts/{}/flows/{}", escape(&host), args.bridge))?,
        _ => {
            let mut dump = String::new();
            io::stdin().lock().take(DUMP_BYTES_MAX).read_to_string(&mut dump)?;
            client.post("/weir/v1/flows/explain", &json!({ "dump": dump }))?
        }
    };
    let mut out = io::BufWriter::new(io::stdout().lock());
    for flow in answer["flows"].as_array().map(Vec::as_slice).unwrap_or_default() {
        print(&mut out, flow)?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// The flow on one line, its owner on the next.
fn print(out: &mut impl Write, flow: &Value) -> io::Result<()> {
    writeln!(out, "{}", flow["flow"].as_str().unwrap_or_default())?;
    match flow["owner"].as_str() {
        Some(owner) => writeln!(out, "    # {owner}"),
        None => Ok(()),
    }
}

/// Bytes of the largest dump that is read: over a million flows.
const DUMP_BYTES_MAX: u64 = 1 << 29;
