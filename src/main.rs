//! The `weir` command.

use clap::Parser;
use std::process::ExitCode;
use weir::cli;

fn main() -> ExitCode {
    cli::Arguments::parse().run()
}
