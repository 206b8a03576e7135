//! `weir serve`: the controller.

use crate::config::{Auth, Config, ConfigError};
use crate::controller::{self, StartError};
use crate::log::Log;
use clap::Args;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

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
    /// Where metrics are read, as `/metrics` [default: nowhere].
    #[arg(long, value_name = "ADDR")]
    metrics: Option<SocketAddr>,
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
    /// What is logged, as in info,weir::api=debug [default: info].
    #[arg(long, value_name = "LEVELS", env = "WEIR_LOG")]
    log: Option<String>,
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
        config.metrics = self.metrics.or(config.metrics);
        config.advertise = self.advertise.or(config.advertise);
        config.auth = self.auth.unwrap_or(config.auth);
        config.host_grace_s = self.host_grace_s.unwrap_or(config.host_grace_s);
        // A variable that is set to nothing is as good as none.
        config.log = self.log.filter(|levels| !levels.is_empty()).unwrap_or(config.log);
        config.check()?;
        Ok(config)
    }
}

/// Why the controller cannot run.
#[derive(Debug, thiserror::Error)]
pub(super) enum ServeError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// Threads or signals.
    #[error("{0}")]
    System(#[from] io::Error),
}

/// Runs the controller until it is told to stop.
pub(super) fn run(args: ServeArgs) -> Result<ExitCode, ServeError> {
    let config = args.config()?;
    let log = Log::start(config.levels()?);
    // A list keeps a thread from everything else while it is put together: on a machine with one processor, too, there is
    // another thread for the controller.
    let threads = std::thread::available_parallelism()?.get().max(2);
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(threads).enable_all().build()?.block_on(serve(&config, &log))
}

async fn serve(config: &Config, log: &Log) -> Result<ExitCode, ServeError> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut started = controller::start(config, log.losses()).await?;
    if let Some(address) = started.metrics {
        tracing::info!("metrics are read at http://{address}/metrics");
    }
    tracing::info!(
        api = %started.api,
        openflow = %started.openflow,
        ovsdb = %started.ovsdb,
        data_dir = %config.data_dir.display(),
        "weir {} is up",
        env!("CARGO_PKG_VERSION")
    );
    tokio::select! {
        _ = terminate.recv() => tracing::info!("told to terminate"),
        _ = interrupt.recv() => tracing::info!("interrupted"),
        () = log.tell_losses() => {}
        ended = &mut started.ended => {
            if let Err(error) = ended {
                tracing::error!(%error, "the controller failed");
            }
            return Ok(ExitCode::FAILURE);
        }
    }
    started.stop.send_replace(true);
    drop(tokio::time::timeout(FAREWELL, started.ended).await);
    Ok(ExitCode::SUCCESS)
}

/// How long requests that are under way may take to end.
const FAREWELL: Duration = Duration::from_secs(5);
