//! What an operator may set: the file, and the command line over it.

use crate::log::{BadLevels, Levels};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Everything that `weir serve` needs to know.
///
/// A missing key has its default; an unknown key is an error, so that a slip of the pen never passes for a setting.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the state is kept.
    pub data_dir: PathBuf,
    /// Where the REST API listens.
    pub api: SocketAddr,
    /// Where switches connect to (OpenFlow).
    pub openflow: SocketAddr,
    /// Where hypervisors' databases connect to (OVSDB).
    pub ovsdb: SocketAddr,
    /// Where monitoring systems read metrics (`/metrics`, text of OpenMetrics); nowhere if it is not set. Whoever reaches
    /// the address may read them.
    pub metrics: Option<SocketAddr>,
    /// Databases to dial, as `tcp:ADDRESS:PORT` or `ssl:ADDRESS:PORT`, for hypervisors that listen (`ptcp:`, `pssl:`).
    pub ovsdb_dial: BTreeSet<String>,
    /// The address that switches are told to connect to; by default the one by which each hypervisor reached Weir.
    pub advertise: Option<IpAddr>,
    /// How callers of the API are told apart.
    pub auth: Auth,
    /// Certificates; with them every link to a hypervisor is TLS, both sides verified.
    pub tls: Option<Tls>,
    /// Bytes of the largest IP packet on the underlay.
    pub underlay_mtu: u16,
    /// First and last VXLAN network identifier that networks may be given.
    pub vni_ranges: Vec<(u32, u32)>,
    /// The domain of ports' names.
    pub dns_domain: String,
    /// Seconds that DHCP gives an address for.
    pub dhcp_lease_s: u32,
    /// Seconds without a session after which a hypervisor is taken as gone.
    pub host_grace_s: u64,
    /// Seconds between two comparisons of a switch with what it should hold.
    pub audit_interval_s: u64,
    /// What is logged: a level, and others for some modules, as in `info,weir::api=debug`.
    pub log: String,
}

/// How callers of the API are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Auth {
    /// Not at all: every caller is admin, `X-Project-Id` names the project.
    None,
}

/// Certificates of the links to hypervisors, PEM.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// Weir's certificate chain.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The authority that signed the switches' certificates.
    pub ca: PathBuf,
}

/// What is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("{path}: {source}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// A value is out of its range.
    #[error("{key}: {reason}")]
    Value {
        /// The key.
        key: &'static str,
        /// Why.
        reason: String,
    },
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: "/var/lib/weir".into(),
            api: ([127, 0, 0, 1], 9696).into(),
            openflow: ([0, 0, 0, 0], 6653).into(),
            ovsdb: ([0, 0, 0, 0], 6640).into(),
            metrics: None,
            ovsdb_dial: BTreeSet::new(),
            advertise: None,
            auth: Auth::None,
            tls: None,
            underlay_mtu: 1500,
            vni_ranges: vec![(1, (1 << 24) - 1)],
            dns_domain: "openstacklocal.".into(),
            dhcp_lease_s: 86_400,
            host_grace_s: 15,
            audit_interval_s: 60,
            log: "info".into(),
        }
    }
}

impl Config {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// The file cannot be read, is not TOML, has an unknown key or a value out of range.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.into(), source })?;
        let config: Self = toml::from_str(&text)
            .map_err(|source| ConfigError::Parse { path: path.into(), source: Box::new(source) })?;
        config.check()?;
        Ok(config)
    }

    /// Checks the values against each other.
    ///
    /// # Errors
    /// A value is out of its range.
    pub fn check(&self) -> Result<(), ConfigError> {
        let bad = |key, reason: String| Err(ConfigError::Value { key, reason });
        if self.vni_ranges.is_empty() {
            return bad("vni_ranges", "at least one range is needed".into());
        }
        for (first, last) in &self.vni_ranges {
            if *first == 0 || first > last || *last >= 1 << 24 {
                return bad("vni_ranges", format!("{first}:{last} is not a range within 1:16777215"));
            }
        }
        if self.underlay_mtu < 1330 {
            return bad(
                "underlay_mtu",
                format!("{} leaves less than IPv6's 1280 bytes inside VXLAN", self.underlay_mtu),
            );
        }
        if self.dhcp_lease_s < 60 {
            return bad("dhcp_lease_s", "must be at least 60, or clients do nothing but renew".into());
        }
        if self.audit_interval_s == 0 {
            return bad("audit_interval_s", "must be at least 1".into());
        }
        self.levels()?;
        for target in &self.ovsdb_dial {
            if !(target.starts_with("tcp:") || target.starts_with("ssl:")) {
                return bad("ovsdb_dial", format!("'{target}' is neither tcp:ADDRESS:PORT nor ssl:ADDRESS:PORT"));
            }
        }
        Ok(())
    }

    /// What is logged.
    ///
    /// # Errors
    /// A level is none, or a module is not one of Weir's.
    pub fn levels(&self) -> Result<Levels, ConfigError> {
        self.log.parse().map_err(|error: BadLevels| ConfigError::Value { key: "log", reason: error.to_string() })
    }

    /// How long a hypervisor may be silent before it is taken as gone.
    pub const fn host_grace(&self) -> Duration {
        Duration::from_secs(self.host_grace_s)
    }

    /// The time between two comparisons of a switch with what it should hold.
    pub const fn audit_interval(&self) -> Duration {
        Duration::from_secs(self.audit_interval_s)
    }
}
