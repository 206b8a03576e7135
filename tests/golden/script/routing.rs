//! Routers in the text of a case.

use super::{Script, key_and_value, uuid};
use ipnet::IpNet;
use weir_model::{Command, NewInterface, NewRouter, OldInterface, PortId, Route, RouterId, SubnetId, Topology};

impl Script {
    /// `router` and `route`.
    pub(super) fn routing(&mut self, words: &[&str]) -> Command {
        match *words {
            ["router", name, ref options @ ..] => {
                let id = RouterId(uuid(4, self.routers.len() as u128 + 1));
                self.routers.insert(name.to_owned(), id);
                let mut router = NewRouter::new(id, self.project());
                router.name = Some(name.to_owned());
                for option in options {
                    match key_and_value(option) {
                        ("admin", state) => router.admin_state_up = Some(state != "down"),
                        (key, _) => panic!("no such option: {key}"),
                    }
                }
                Command::CreateRouters(vec![router])
            }
            ["route", router, destination, "via", nexthop] => {
                let destination = destination.parse().expect("a prefix");
                let nexthop = nexthop.parse().expect("an address");
                Command::AddExtraRoutes { id: self.routers[router], routes: vec![Route { destination, nexthop }] }
            }
            _ => panic!("no such command: {}", words.join(" ")),
        }
    }

    /// `interface` and `without`: a command for each subnet.
    pub(super) fn interface(&mut self, words: &[&str], topology: &Topology) -> Vec<Command> {
        let (add, router, network, prefix) = match *words {
            ["interface", router, "port", port] => {
                let (id, interface) = (self.routers[router], NewInterface::Port(self.ports[port]));
                return vec![Command::AddRouterInterface { id, interface }];
            }
            [what, router, network] => (what == "interface", router, network, None),
            [what, router, network, prefix] => (what == "interface", router, network, Some(prefix)),
            _ => panic!("no such command: {}", words.join(" ")),
        };
        let id = self.routers[router];
        let prefix: Option<IpNet> = prefix.map(|prefix| prefix.parse().expect("a prefix"));
        let subnets = topology.subnets_of(self.networks[network]);
        let subnets = subnets.filter(|subnet| prefix.is_none_or(|prefix| prefix == subnet.cidr));
        let subnets: Vec<SubnetId> = subnets.map(|subnet| subnet.id).collect();
        let command = |subnet| {
            if add {
                self.interfaces += 1;
                let port = PortId(uuid(5, self.interfaces));
                Command::AddRouterInterface { id, interface: NewInterface::Subnet { subnet, port } }
            } else {
                Command::RemoveRouterInterface { id, interface: OldInterface::Subnet(subnet) }
            }
        };
        subnets.into_iter().map(command).collect()
    }
}
