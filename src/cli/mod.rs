//! The subcommands of `weir`, one file each.

mod client;
pub mod demo;
mod flows;
mod hosts;
pub mod lab;
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
    /// Show Weir at work: two tenants with the same addresses on real Open vSwitch.
    Demo(demo::DemoArgs),
    /// Real hypervisors on this machine, in network namespaces.
    Lab(lab::LabArgs),
}

impl Arguments {
    /// Runs the subcommand; an error is printed in one line on standard error.
    pub fn run(self) -> ExitCode {
        let done: Result<ExitCode, String> = match self.command {
            Command::Serve(args) => serve::run(args).map_err(|error| error.to_string()),
            Command::Flows(args) => flows::run(args).map_err(|error| error.to_string()),
            Command::Demo(args) => return demo::run(args),
            Command::Lab(args) => return lab::run(args),
            Command::Hosts(args) => hosts::run(&args).map_err(|error| error.to_string()),
        };
        done.unwrap_or_else(|error| {
            eprintln!("weir: {error}");
            ExitCode::FAILURE
        })
    }
}
