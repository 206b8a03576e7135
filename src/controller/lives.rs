//! The lives of objects as the log tells them: a line when something is created and one when it is deleted; for ports also
//! when they are bound, ACTIVE and DOWN.

use crate::api::RequestId;
use std::collections::BTreeMap;
use std::time::Instant;
use tracing::field::display;
use uuid::Uuid;
use weir_model::{Change, Commit, Diff, HostName, Hypervisor, Port, PortId, PortStatus, ProjectId, Vif};

/// What is remembered to tell how long ports waited: an entry for each port that was bound or plugged since the start and
/// is not ACTIVE.
#[derive(Debug, Default)]
pub(super) struct Lives {
    waits: BTreeMap<PortId, Wait>,
}

/// Since when a port waits.
#[derive(Clone, Copy, Debug, Default)]
struct Wait {
    bound: Option<Instant>,
    plugged: Option<Instant>,
}

/// What tells an object from all others.
#[derive(Clone, Copy, Debug)]
struct Subject<'a> {
    kind: &'static str,
    id: Uuid,
    project: &'a ProjectId,
    name: Option<&'a str>,
    host: Option<&'a str>,
}

/// What happened to an object.
#[derive(Clone, Copy, Debug)]
enum Turn {
    Created,
    Changed,
    Deleted,
}

impl Lives {
    /// Tells of a commit that is durable, and of the request that asked for it.
    pub(super) fn tell(&mut self, commit: &Commit, cause: Option<RequestId>, now: Instant) {
        for change in &commit.changes {
            if let Some((subject, turn)) = object(change) {
                tell(&subject, turn, cause);
            }
            match change {
                Change::Port(diff) => self.port(diff, cause, now),
                Change::Vif(diff) => self.vif(diff, now),
                Change::Hypervisor(diff) => hypervisor(diff),
                _ => {}
            }
        }
    }

    fn vif(&mut self, diff: &Diff<Vif>, now: Instant) {
        let (vif, what) = match (&diff.before, &diff.after) {
            (None, Some(vif)) => (vif, "plugged"),
            (Some(vif), None) => (vif, "unplugged"),
            _ => return,
        };
        tracing::debug!(id = %vif.port, host = vif.host.as_str(), interface = vif.interface, "port {what}");
        let plugged = diff.after.is_some().then_some(now);
        self.note(vif.port, |wait| wait.plugged = plugged);
    }

    /// Notes something of a port, and forgets what says nothing any more.
    fn note(&mut self, port: PortId, change: impl FnOnce(&mut Wait)) {
        let mut wait = self.waits.remove(&port).unwrap_or_default();
        change(&mut wait);
        if wait.bound.is_some() || wait.plugged.is_some() {
            self.waits.insert(port, wait);
        }
    }

    fn port(&mut self, diff: &Diff<Port>, cause: Option<RequestId>, now: Instant) {
        let Some(port) = &diff.after else {
            if let Some(port) = &diff.before {
                self.waits.remove(&port.id);
            }
            return;
        };
        let host = port.binding.host.as_ref().map(HostName::as_str);
        let before = diff.before.as_deref();
        if before.and_then(|before| before.binding.host.as_ref()) != port.binding.host.as_ref() {
            self.note(port.id, |wait| wait.bound = host.is_some().then_some(now));
            if before.is_some() {
                let what = if host.is_some() { "bound" } else { "no longer bound" };
                tracing::info!(id = %port.id, host, request = cause.map(display), "port {what}");
            }
        }
        match (before.map(|before| before.status), port.status) {
            (before, after) if before == Some(after) => {}
            (_, PortStatus::Active) => {
                let Wait { bound, plugged } = self.waits.remove(&port.id).unwrap_or_default();
                let since = |instant: Option<Instant>| {
                    instant.map(|it| u64::try_from(now.duration_since(it).as_millis()).unwrap_or(u64::MAX))
                };
                let (bound_ms, plugged_ms) = (since(bound), since(plugged));
                tracing::info!(id = %port.id, host, bound_ms, plugged_ms, "port ACTIVE");
            }
            (Some(PortStatus::Active), _) => tracing::info!(id = %port.id, host, "port DOWN"),
            _ => {}
        }
    }
}

fn hypervisor(diff: &Diff<Hypervisor>) {
    match (&diff.before, &diff.after) {
        (None, Some(known)) => {
            let (name, system) = (known.name.as_str(), known.system_id.as_str());
            tracing::info!(name, system, encap_ip = %known.encap_ip, "hypervisor known");
        }
        (Some(known), None) => tracing::info!(name = known.name.as_str(), "hypervisor forgotten"),
        _ => {}
    }
}

fn tell(subject: &Subject<'_>, turn: Turn, cause: Option<RequestId>) {
    let Subject { kind, id, project, name, host } = *subject;
    let (project, request) = (project.as_str(), cause.map(display));
    match turn {
        Turn::Created => tracing::info!(%id, project, name, host, request, "{kind} created"),
        Turn::Deleted => tracing::info!(%id, project, name, request, "{kind} deleted"),
        Turn::Changed => tracing::debug!(%id, request, "{kind} changed"),
    }
}

/// The object of the API that a change is about.
fn object(change: &Change) -> Option<(Subject<'_>, Turn)> {
    macro_rules! named {
        ($kind:literal, $diff:expr) => {
            of($diff, |it| Subject {
                kind: $kind,
                id: it.id.0,
                project: &it.project_id,
                name: Some(&it.name),
                host: None,
            })
        };
    }
    match change {
        Change::Network(diff) => named!("network", diff),
        Change::Subnet(diff) => named!("subnet", diff),
        Change::AddressGroup(diff) => named!("address group", diff),
        Change::SecurityGroup(diff) => named!("security group", diff),
        Change::Router(diff) => named!("router", diff),
        Change::Port(diff) => of(diff, |it| {
            let host = it.binding.host.as_ref().map(HostName::as_str);
            Subject { kind: "port", id: it.id.0, project: &it.project_id, name: Some(&it.name), host }
        }),
        Change::SecurityGroupRule(diff) => of(diff, |it| {
            let kind = "security group rule";
            Subject { kind, id: it.id.0, project: &it.project_id, name: None, host: None }
        }),
        // These are no objects of the API.
        Change::SecuritySet(_)
        | Change::Zones(_)
        | Change::Hypervisor(_)
        | Change::Vif(_)
        | Change::Liveness { .. }
        | Change::Counters { .. } => None,
    }
}

fn of<'a, T>(diff: &'a Diff<T>, subject: impl Fn(&'a T) -> Subject<'a>) -> Option<(Subject<'a>, Turn)> {
    let turn = match (&diff.before, &diff.after) {
        (None, _) => Turn::Created,
        (_, None) => Turn::Deleted,
        _ => Turn::Changed,
    };
    diff.last().map(|last| (subject(last), turn))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::tests::logged;
    use std::time::Duration;
    use weir_model::{
        Command, HypervisorFact, Limits, NetworkId, NewNetwork, NewPort, PortPatch, Request, Revision, Timestamp,
        Topology,
    };

    /// What is said of some commands, the time and what precedes the words of a line left out.
    struct Told {
        topology: Topology,
        lives: Lives,
        now: Instant,
        text: String,
    }

    impl Told {
        fn carry_out(&mut self, command: Command, cause: Option<RequestId>) {
            let (topology, commit, _) = self.topology.transact(Request { command, at: Timestamp(0) }).unwrap();
            self.topology = topology;
            self.now += Duration::from_millis(250);
            self.text += &logged("info", || self.lives.tell(&commit, cause, self.now));
        }

        fn take(&mut self) -> Vec<String> {
            let text = std::mem::take(&mut self.text);
            text.lines().filter_map(|line| Some(line.split_once("lives: ")?.1.to_owned())).collect()
        }
    }

    #[test]
    fn a_port_is_told_of_from_its_creation_to_its_end() {
        let topology = Topology::load(Limits::default(), std::iter::empty(), Revision(0)).unwrap();
        let mut told = Told { topology, lives: Lives::default(), now: Instant::now(), text: String::new() };
        let (network, port) = (NetworkId(Uuid::from_u128(1)), PortId(Uuid::from_u128(2)));
        let project = ProjectId::from("p\n");
        let request = RequestId::random();
        let new = NewNetwork { name: Some("red".to_owned()), ..NewNetwork::new(network, project.clone()) };
        told.carry_out(Command::CreateNetworks(vec![new]), Some(request));
        let line = |text: &str| text.replace("NETWORK", &network.to_string()).replace("PORT", &port.to_string());
        assert_eq!(
            told.take(),
            [line(&format!(r#"network created id=NETWORK project="p\n" name="red" request={request}"#))]
        );
        let fact = HypervisorFact {
            name: "h1".into(),
            system_id: "s1".to_owned(),
            encap_ip: [192, 0, 2, 1].into(),
            bridge_mappings: Vec::new(),
            integration_datapath: None,
            tunnel_datapath: None,
        };
        told.carry_out(Command::ObserveHypervisor(fact), None);
        assert_eq!(told.take(), [r#"hypervisor known name="h1" system="s1" encap_ip=192.0.2.1"#]);
        let new = NewPort { binding_host: Some("h1".into()), ..NewPort::new(port, network, project) };
        told.carry_out(Command::CreatePorts(vec![NewPort { security_groups: Some(Vec::new()), ..new }]), None);
        assert_eq!(told.take(), [line(r#"port created id=PORT project="p\n" name="" host="h1""#)]);
        let vif = Vif { host: "h1".into(), port, interface: "tap1".to_owned(), ofport: 1 };
        told.carry_out(Command::ObserveVif(vif), None);
        assert_eq!(told.take(), [""; 0]);
        told.carry_out(Command::SetPortStatus(vec![(port, PortStatus::Active)]), None);
        assert_eq!(told.take(), [line(r#"port ACTIVE id=PORT host="h1" bound_ms=500 plugged_ms=250"#)]);
        assert!(told.lives.waits.is_empty());
        told.carry_out(Command::SetPortStatus(vec![(port, PortStatus::Down)]), None);
        assert_eq!(told.take(), [line(r#"port DOWN id=PORT host="h1""#)]);
        let patch = Box::new(PortPatch { binding_host: Some(Some("h2".into())), ..PortPatch::default() });
        told.carry_out(Command::UpdatePort { id: port, patch, if_revision: None }, Some(request));
        assert_eq!(told.take(), [line(&format!(r#"port bound id=PORT host="h2" request={request}"#))]);
        // A VIF of a port that is not known, or not any more, is forgotten as it goes.
        let unknown = PortId(Uuid::from_u128(3));
        let vif = Vif { host: "h1".into(), port: unknown, interface: "tap9".to_owned(), ofport: 9 };
        told.carry_out(Command::ObserveVif(vif), None);
        assert!(told.lives.waits.contains_key(&unknown));
        told.carry_out(Command::ForgetVif { host: "h1".into(), port: unknown }, None);
        assert!(!told.lives.waits.contains_key(&unknown));
        told.carry_out(Command::DeletePort { id: port, if_revision: None }, None);
        assert_eq!(told.take(), [line(r#"port deleted id=PORT project="p\n" name="""#)]);
        assert!(told.lives.waits.is_empty());
    }
}
