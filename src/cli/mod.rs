//! The subcommands of `weir`, one file each.

mod client;
mod flows;
mod hosts;
mod serve;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// An SDN controller for Open vSwitch with the Neutron API.
#[derive(Debug, Parser)]
#[command(name = "weir", version, propagate_version = true)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the controller.
    Serve(serve::ServeArgs),
    /// Show what a switch holds, each flow with the API objects it comes from.
    Flows(flows::FlowsArgs),
    /// Show each hypervisor's links, revisions and last error.
    Hosts(hosts::HostsArgs),
}

impl Arguments {
    /// Runs the subcommand; an error is printed in one line on standard error.
    pub fn run(self) -> ExitCode {
        let done: Result<ExitCode, String> = match self.command {
            Command::Serve(args) => serve::run(args).map_err(|error| error.to_string()),
            Command::Flows(args) => flows::run(args).map_err(|error| error.to_string()),
            Command::Hosts(args) => hosts::run(&args).map_err(|error| error.to_string()),
        };
        done.unwrap_or_else(|error| {
            eprintln!("weir: {error}");
            ExitCode::FAILURE
        })
    }
}
