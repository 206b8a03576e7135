//! What a VM gets by DHCP, asked for with udhcpc.

use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use super::namespace::Namespace;
use super::requirements::is_program;
use super::{DEVICE, LabError, Tool};

/// The client.
const PROGRAM: &str = "udhcpc";

/// What the client runs when something happens. It has no file of its own that is executed: the client calls
/// `/bin/sh EVENT`, and the shell reads EVENT in the working directory, so the directory may be mounted `noexec`. It
/// touches nothing outside the VM's namespace; that of the distribution would write the machine's own resolv.conf.
const SCRIPT: &str = r#"case $0 in bound | renew)
    ip address replace "$ip/$mask" dev "$interface"
    if [ -n "$mtu" ]; then ip link set "$interface" mtu "$mtu"; fi
    if [ -z "$staticroutes" ]; then
        for gateway in $router; do staticroutes="$staticroutes 0.0.0.0/0 $gateway"; done
    fi
    set -- $staticroutes
    while [ $# -ge 2 ]; do
        if [ "$2" = 0.0.0.0 ]; then via= ; else via="via $2"; fi
        ip route replace "$1" $via dev "$interface"
        shift 2
    done
esac
echo "event=$0"
env
echo
"#;

/// The events of which the client tells.
const EVENTS: [&str; 5] = ["deconfig", "bound", "renew", "nak", "leasefail"];

/// What a DHCP server told, by the client's names for the options.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lease(BTreeMap<String, String>);

impl Lease {
    /// Whether this machine has the client.
    pub fn can_be_asked_for() -> bool {
        is_program(PROGRAM)
    }

    /// A run of the client in a VM, with its files in `directory`: it configures the VM's interface and prints what
    /// [`Lease::all`] reads.
    pub fn client(vm: &Namespace, directory: &Path) -> Result<std::process::Command, LabError> {
        let scripts = Self::scripts(directory)?;
        let mut command = vm.command(PROGRAM);
        command.current_dir(scripts).args(["-f", "-i", DEVICE, "-s", "/bin/sh", "-t", "8", "-T", "1", "-A", "1"]);
        command.args(["-O", "mtu", "-O", "staticroutes"]);
        Ok(command)
    }

    fn scripts(directory: &Path) -> Result<PathBuf, LabError> {
        let directory = directory.join(PROGRAM);
        fs::create_dir_all(&directory).map_err(|error| LabError::io("create", &directory, error))?;
        for event in EVENTS {
            let file = directory.join(event);
            if !file.exists() {
                fs::write(&file, SCRIPT).map_err(|error| LabError::io("write", &file, error))?;
            }
        }
        Ok(directory)
    }

    /// Asks once, and configures the VM's interface.
    pub fn ask(vm: &Namespace, directory: &Path) -> Result<Self, LabError> {
        let mut command = Self::client(vm, directory)?;
        command.args(["-n", "-q"]);
        let output = Tool::of(command).output()?;
        let all = Self::all(&String::from_utf8_lossy(&output.stdout));
        all.into_iter().find(|lease| lease.get("event") == Some("bound")).ok_or_else(|| LabError::Tool {
            command: format!("{PROGRAM} in {}", vm.name()),
            reason: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        })
    }

    /// Everything that the client printed, event by event.
    pub fn all(text: &str) -> Vec<Self> {
        let events = text.split("event=").skip(1);
        let lines = events.map(|event| {
            let variables = event.lines().skip(1).take_while(|line| !line.is_empty());
            let told = variables.filter_map(|line| line.split_once('='));
            let event = event.lines().next().unwrap_or_default();
            let told = told.map(|(name, value)| (name.to_owned(), value.to_owned()));
            Self(told.chain([("event".to_owned(), event.to_owned())]).collect())
        });
        lines.collect()
    }

    /// What the client calls by this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The address.
    pub fn address(&self) -> Option<Ipv4Addr> {
        self.get("ip")?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_told_apart() {
        let text =
            "udhcpc: started\nevent=deconfig\ninterface=eth0\n\nevent=bound\nip=10.0.0.5\nrouter=10.0.0.1\n\nmore\n";
        let all = Lease::all(text);
        let events: Vec<_> = all.iter().filter_map(|lease| lease.get("event")).collect();
        assert_eq!(events, ["deconfig", "bound"]);
        assert_eq!((all[1].address(), all[1].get("router")), (Some(Ipv4Addr::new(10, 0, 0, 5)), Some("10.0.0.1")));
        assert_eq!((all[0].address(), all[1].get("more")), (None, None));
    }
}
