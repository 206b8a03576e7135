//! `weir serve`: the controller.

use crate::config::{Auth, Config, ConfigError};
use clap::Args;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;

/// Arguments of `weir serve`; each goes over the same key of the file.
#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    /// Configuration file (TOML).
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where the state is kept [default: /var/lib/weir].
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Where the REST API listens [default: 127.0.0.1:9696].
    #[arg(long, value_name = "ADDR")]
    api: Option<SocketAddr>,
    /// Where switches connect to [default: 0.0.0.0:6653].
    #[arg(long, value_name = "ADDR")]
    openflow: Option<SocketAddr>,
    /// Where hypervisors' databases connect to [default: 0.0.0.0:6640].
    #[arg(long, value_name = "ADDR")]
    ovsdb: Option<SocketAddr>,
    /// A hypervisor's database to dial, `tcp:ADDRESS:PORT`; may be given several times.
    #[arg(long, value_name = "TARGET")]
    ovsdb_dial: Vec<String>,
    /// Address that switches are told to connect to [default: the one by which each hypervisor reached Weir].
    #[arg(long, value_name = "IP")]
    advertise: Option<IpAddr>,
    /// How callers of the API are told apart.
    #[arg(long)]
    auth: Option<Auth>,
    /// Seconds without a session after which a hypervisor is taken as gone [default: 15].
    #[arg(long, value_name = "SECONDS")]
    host_grace_s: Option<u64>,
}

impl ServeArgs {
    /// The file's values, the command line's over them.
    fn config(self) -> Result<Config, ConfigError> {
        let mut config = self.config.as_deref().map(Config::read).transpose()?.unwrap_or_default();
        config.ovsdb_dial.extend(self.ovsdb_dial);
        config.data_dir = self.data_dir.unwrap_or(config.data_dir);
        config.api = self.api.unwrap_or(config.api);
        config.openflow = self.openflow.unwrap_or(config.openflow);
        config.ovsdb = self.ovsdb.unwrap_or(config.ovsdb);
        config.advertise = self.advertise.or(config.advertise);
        config.auth = self.auth.unwrap_or(config.auth);
        config.host_grace_s = self.host_grace_s.unwrap_or(config.host_grace_s);
        config.check()?;
        Ok(config)
    }
}

/// Runs the controller until it is told to stop.
pub(super) fn run(args: ServeArgs) -> Result<ExitCode, ConfigError> {
    let _config = args.config()?;
    Ok(ExitCode::SUCCESS)
}
