//! Routers, their interfaces and their routes.

use crate::cloud::{Cloud, addresses, any_of, exactly, host, ip, patched, project, prt, sub};
use std::sync::Arc;
use uuid::Uuid;
use weir_model::{
    Command, Limits, MacAddress, NetworkId, NewInterface, NewRouter, OldInterface, Outcome, Port, PortId, PortPatch,
    PortStatus, Route, Router, RouterId, RouterKey, RouterPatch, SubnetId, SubnetPatch,
};

type Fault = (&'static str, u16, String);

pub(crate) fn rtr(id: u128) -> RouterId {
    RouterId(Uuid::from_u128(id))
}

pub(crate) fn route(destination: &str, nexthop: &str) -> Route {
    Route { destination: destination.parse().expect("a test's prefix"), nexthop: ip(nexthop) }
}

impl Cloud {
    pub(crate) fn router(&mut self) -> RouterId {
        let new = NewRouter::new(rtr(self.id()), project());
        self.create_router(new).id
    }

    fn create_router(&mut self, new: NewRouter) -> Arc<Router> {
        match self.done(Command::CreateRouters(vec![new])) {
            Outcome::Routers(made) => made[0].clone(),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn update_router(&mut self, id: RouterId, patch: RouterPatch) -> Arc<Router> {
        match self.done(Command::UpdateRouter { id, patch, if_revision: None }) {
            Outcome::Routers(made) => made[0].clone(),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn route(&mut self, id: RouterId, routes: Vec<Route>) -> Arc<Router> {
        self.update_router(id, RouterPatch { routes: Some(routes), ..RouterPatch::default() })
    }

    /// The interface's port and the subnets that it brought.
    fn add(&mut self, id: RouterId, interface: NewInterface) -> (Arc<Port>, Vec<SubnetId>) {
        match self.done(Command::AddRouterInterface { id, interface }) {
            Outcome::RouterInterface { router, port, subnets } => {
                assert_eq!(Some(&router), self.topology.router(id));
                (port, subnets)
            }
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn connect(&mut self, id: RouterId, subnet: SubnetId) -> Arc<Port> {
        let port = prt(self.id());
        let (port, subnets) = self.add(id, NewInterface::Subnet { subnet, port });
        assert_eq!(subnets, [subnet]);
        port
    }

    fn not_connected(&mut self, id: RouterId, subnet: SubnetId) -> Fault {
        let port = prt(self.id());
        self.refused(Command::AddRouterInterface { id, interface: NewInterface::Subnet { subnet, port } })
    }

    pub(crate) fn attach(&mut self, id: RouterId, port: PortId) -> (Arc<Port>, Vec<SubnetId>) {
        self.add(id, NewInterface::Port(port))
    }

    fn not_attached(&mut self, id: RouterId, port: PortId) -> Fault {
        self.refused(Command::AddRouterInterface { id, interface: NewInterface::Port(port) })
    }

    pub(crate) fn remove(&mut self, id: RouterId, interface: OldInterface) -> (Arc<Port>, Vec<SubnetId>) {
        match self.done(Command::RemoveRouterInterface { id, interface }) {
            Outcome::RouterInterface { router, port, subnets } => {
                assert_eq!(Some(&router), self.topology.router(id));
                (port, subnets)
            }
            other => panic!("{other:?}"),
        }
    }

    fn not_removed(&mut self, id: RouterId, interface: OldInterface) -> Fault {
        self.refused(Command::RemoveRouterInterface { id, interface })
    }

    /// A network with one subnet.
    pub(crate) fn lan(&mut self, cidr: &str) -> (NetworkId, SubnetId) {
        let network = self.network();
        (network, self.subnet(network, cidr))
    }

    fn revision(&self, router: RouterId) -> u64 {
        self.topology.router(router).expect("made").revision_number
    }
}

fn bad(text: impl std::fmt::Display) -> Fault {
    ("BadRequest", 400, format!("Bad router request: {text}."))
}

#[test]
fn a_router_takes_defaults_and_changes() {
    let mut cloud = Cloud::default();
    let id = cloud.router();
    let router = cloud.topology.router(id).expect("made").clone();
    assert_eq!((router.key, router.revision_number), (RouterKey(1), 1));
    assert!(router.admin_state_up && router.distributed && !router.ha);
    assert_eq!((router.name.as_str(), router.routes.len()), ("", 0));
    assert_eq!(cloud.topology.router_by_key(RouterKey(1)), Some(&router));
    assert_eq!(cloud.topology.routers_of_project("alpha").collect::<Vec<_>>(), [&router]);
    let patch = RouterPatch {
        name: Some("r".into()),
        description: Some("d".into()),
        admin_state_up: Some(false),
        tags: Some(["t".to_owned()].into()),
        ..RouterPatch::default()
    };
    let changed = cloud.update_router(id, patch.clone());
    assert_eq!((changed.name.as_str(), changed.description.as_str(), changed.admin_state_up), ("r", "d", false));
    assert_eq!((changed.revision_number, changed.updated_at), (2, cloud.now()));
    cloud.update_router(id, patch);
    assert!(cloud.commit.changes.is_empty());
    cloud.done(Command::DeleteRouter { id, if_revision: Some(2) });
    assert_eq!(cloud.topology.routers().len(), 0);
    let next = cloud.router();
    assert_eq!(cloud.topology.router(next).expect("made").key, RouterKey(2), "numbers are not given again at once");
}

#[test]
fn a_router_that_is_not_there_or_there_already_is_told() {
    let mut cloud = Cloud::default();
    let id = cloud.router();
    let new = NewRouter::new(id, project());
    assert_eq!(
        cloud.refused(Command::CreateRouters(vec![NewRouter::new(rtr(90), project()), new])),
        ("Conflict", 409, format!("Router {id} already exists."))
    );
    assert!(cloud.topology.router(rtr(90)).is_none());
    let id = rtr(99);
    let subnet = sub(1);
    let commands = [
        Command::UpdateRouter { id, patch: RouterPatch::default(), if_revision: None },
        Command::DeleteRouter { id, if_revision: None },
        Command::AddRouterInterface { id, interface: NewInterface::Port(prt(1)) },
        Command::RemoveRouterInterface { id, interface: OldInterface::Subnet(subnet) },
        Command::AddExtraRoutes { id, routes: Vec::new() },
        Command::RemoveExtraRoutes { id, routes: Vec::new() },
    ];
    for command in commands {
        assert_eq!(cloud.refused(command), ("RouterNotFound", 404, format!("Router {id} could not be found")));
    }
}

#[test]
fn a_revision_is_waited_for() {
    let mut cloud = Cloud::default();
    let id = cloud.router();
    let text = "Constrained to 7, but current revision is 1".to_owned();
    for command in [
        Command::UpdateRouter { id, patch: RouterPatch::default(), if_revision: Some(7) },
        Command::DeleteRouter { id, if_revision: Some(7) },
    ] {
        assert_eq!(cloud.refused(command), ("RevisionNumberConstraintFailed", 412, text.clone()));
    }
}

#[test]
fn a_router_becomes_one_of_another_kind_only_while_it_is_down() {
    let mut cloud = Cloud::default();
    let id = cloud.router();
    let (_, subnet) = cloud.lan("10.0.0.0/24");
    let port = cloud.connect(id, subnet);
    assert_eq!(port.device_owner, "network:router_interface_distributed");
    let central = RouterPatch { distributed: Some(false), ..RouterPatch::default() };
    let ha = RouterPatch { ha: Some(true), ..RouterPatch::default() };
    let down = |patch| RouterPatch { admin_state_up: Some(false), ..patch };
    let update = |patch| Command::UpdateRouter { id, patch, if_revision: None };
    let of = |attribute| {
        bad(format!(
            "Cannot change {attribute} of active routers. Please set router admin_state_up to False prior to upgrade"
        ))
    };
    assert_eq!(cloud.refused(update(central.clone())), of("the 'distributed' attribute"));
    assert_eq!(cloud.refused(update(down(central.clone()))), of("the 'distributed' attribute"));
    assert_eq!(cloud.refused(update(ha.clone())), of("HA attribute"));
    cloud.update_router(id, down(ha));
    cloud.update_router(id, central);
    let port = cloud.topology.port(port.id).expect("made").clone();
    assert_eq!(port.device_owner, "network:router_interface");
    assert_eq!(cloud.topology.interfaces_of(id).collect::<Vec<_>>(), [&port]);
    let up_again = RouterPatch { distributed: Some(true), admin_state_up: Some(true), ..RouterPatch::default() };
    assert_eq!(cloud.refused(update(up_again)), of("the 'distributed' attribute"));
}

#[test]
fn an_interface_by_subnet_has_the_gateways_address() {
    let mut cloud = Cloud::default();
    let mut new = NewRouter::new(rtr(cloud.id()), "beta".into());
    new.distributed = Some(false);
    let id = cloud.create_router(new).id;
    let (network, subnet) = cloud.lan("10.0.0.0/24");
    let port = cloud.connect(id, subnet);
    assert_eq!(addresses(&port), ["10.0.0.1"]);
    assert_eq!(&port.mac_address.to_string()[..8], "fa:16:3e");
    assert_eq!((port.device_id.as_str(), port.device_owner.as_str()), (&*id.to_string(), "network:router_interface"));
    assert_eq!((port.name.as_str(), port.project_id.as_str(), port.network_id), ("", "beta", network));
    assert!(!port.port_security_enabled && port.security_groups.is_empty());
    assert_eq!((port.status, port.revision_number), (PortStatus::Active, 1));
    assert_eq!(cloud.revision(id), 2, "an interface counts for its router");
    let topology = &cloud.topology;
    assert_eq!(topology.router_of(&port), topology.router(id));
    assert_eq!(topology.interfaces_on(network).collect::<Vec<_>>(), [&port]);
    assert_eq!(topology.routers_on(network), [id].into());
    let subnet = topology.subnet(subnet).expect("made");
    assert_eq!(topology.connected(id).collect::<Vec<_>>(), [(&port, subnet, ip("10.0.0.1"))]);
    assert_eq!(topology.interface_at(network, ip("10.0.0.1")), Some(&port));
}

#[test]
fn an_interface_by_subnet_needs_a_gateway_and_room() {
    let mut cloud = Cloud::default();
    let id = cloud.router();
    let network = cloud.network();
    let text = format!("Subnet {} could not be found.", sub(99));
    assert_eq!(cloud.not_connected(id, sub(99)), ("SubnetNotFound", 404, text));
    let mut without = cloud.new_subnet(network, "10.0.0.0/24");
    without.gateway_ip = Some(None);
    let without = cloud.create_subnet(without).id;
    assert_eq!(cloud.not_connected(id, without), bad("Subnet for router interface must have a gateway IP"));
    let taken = cloud.subnet(network, "10.0.1.0/24");
    cloud.port_at(network, vec![exactly("10.0.1.1")]);
    let text = format!("IP address 10.0.1.1 already allocated in subnet {taken}");
    assert_eq!(cloud.not_connected(id, taken), ("IpAddressAlreadyAllocated", 409, text));
    let mut foreign = cloud.new_subnet(network, "fd00::/64");
    foreign.ipv6_address_mode = Some(weir_model::Ipv6Mode::Slaac);
    let foreign = cloud.create_subnet(foreign).id;
    let text = format!(
        "IPv6 subnet {foreign} configured to receive RAs from an external router cannot be added to Neutron Router."
    );
    assert_eq!(cloud.not_connected(id, foreign), bad(text));
    assert_eq!(cloud.topology.interfaces_of(id).count(), 0);
    assert_eq!(cloud.revision(id), 1);
    let free = cloud.subnet(network, "10.0.2.0/24");
    let port = cloud.port(network).id;
    let interface = NewInterface::Subnet { subnet: free, port };
    let text = format!("Port {port} already exists.");
    assert_eq!(cloud.refused(Command::AddRouterInterface { id, interface }), ("Conflict", 409, text));
}

#[test]
fn subnets_of_one_router_share_no_address() {
    let mut cloud = Cloud::default();
    let id = cloud.router();
    let (_, first) = cloud.lan("10.0.0.0/16");
    let (_, inner) = cloud.lan("10.0.9.0/24");
    cloud.connect(id, first);
    assert_eq!(cloud.not_connected(id, first), bad(format!("Router already has a port on subnet {first}")));
    let text = format!("Cidr 10.0.9.0/24 of subnet {inner} overlaps with cidr 10.0.0.0/16 of subnet {first}");
    assert_eq!(cloud.not_connected(id, inner), bad(text));
    let other = cloud.router();
    cloud.connect(other, inner);
    let text = format!("Cidr 10.0.0.0/16 of subnet {first} overlaps with cidr 10.0.9.0/24 of subnet {inner}");
    assert_eq!(cloud.not_connected(other, first), bad(text));
}

#[test]
fn an_interface_by_port_takes_the_port_over() {
    let mut cloud = Cloud::default();
    let id = cloud.router();
    cloud.hypervisor("h1", 1);
    let (network, subnet) = cloud.lan("10.0.0.0/24");
    let mut new = cloud.new_port(network);
    new.name = Some("uplink".into());
    new.fixed_ips = Some(vec![exactly("10.0.0.77")]);
    new.binding_host = Some(host("h1"));
    let before = cloud.create_port(new);
    let (port, subnets) = cloud.attach(id, before.id);
    assert_eq!(subnets, [subnet]);
    assert_eq!(addresses(&port), ["10.0.0.77"]);
    assert_eq!((port.key, port.mac_address, port.name.as_str()), (before.key, before.mac_address, "uplink"));
    assert_eq!(port.device_owner, "network:router_interface_distributed");
    assert_eq!((port.device_id.clone(), port.status), (id.to_string(), PortStatus::Active));
    assert!(!port.port_security_enabled && port.security_groups.is_empty() && port.binding.host.is_none());
    assert_eq!(cloud.revision(id), 2);
    let text = format!(
        "Unable to complete operation on port {} for network {network}. Port already has an attached device {id}.",
        port.id
    );
    assert_eq!(cloud.not_attached(id, port.id), ("PortInUse", 409, text));
}

#[test]
fn an_interface_by_port_needs_addresses_that_the_router_can_have() {
    let mut cloud = Cloud::default();
    let id = cloud.router();
    let text = format!("Port {} could not be found.", prt(99));
    assert_eq!(cloud.not_attached(id, prt(99)), ("PortNotFound", 404, text));
    let network = cloud.network();
    let bare = cloud.port(network).id;
    assert_eq!(cloud.not_attached(id, bare), bad("Router port must have at least one fixed IP"));
    let (one, two) = (cloud.subnet(network, "10.0.0.0/24"), cloud.subnet(network, "10.0.1.0/24"));
    let both = cloud.port_at(network, vec![any_of(one), any_of(two)]).id;
    assert_eq!(cloud.not_attached(id, both), bad("Cannot have multiple IPv4 subnets on router port"));
    cloud.connect(id, one);
    let again = cloud.port_at(network, vec![any_of(one)]).id;
    assert_eq!(cloud.not_attached(id, again), bad(format!("Router already has a port on subnet {one}")));
    let (wider, over) = cloud.lan("10.0.0.0/8");
    let wide = cloud.port(wider).id;
    let text = format!("Cidr 10.0.0.0/8 of subnet {over} overlaps with cidr 10.0.0.0/24 of subnet {one}");
    assert_eq!(cloud.not_attached(id, wide), bad(text));
    assert!(cloud.topology.port(wide).expect("made").device_owner.is_empty());
}

#[test]
fn subnets_of_ipv6_share_the_interface_of_their_network() {
    let mut cloud = Cloud::default();
    let id = cloud.router();
    let network = cloud.network();
    let four = cloud.subnet(network, "10.0.0.0/24");
    let (one, two) = (cloud.subnet(network, "fd00:1::/64"), cloud.subnet(network, "fd00:2::/64"));
    let of_four = cloud.connect(id, four);
    let first = cloud.connect(id, one);
    assert_ne!(first.id, of_four.id, "an interface of IPv4 is not shared");
    let revision = cloud.revision(id);
    let shared = cloud.connect(id, two);
    assert_eq!(shared.id, first.id);
    assert_eq!(addresses(&shared), ["fd00:1::", "fd00:2::"]);
    assert_eq!(cloud.revision(id), revision);
    let (was, subnets) = cloud.remove(id, OldInterface::Subnet(one));
    assert_eq!((was, subnets), (shared.clone(), vec![one]));
    assert_eq!(addresses(cloud.topology.port(shared.id).expect("it stays")), ["fd00:2::"]);
    cloud.remove(id, OldInterface::Subnet(two));
    assert_eq!(cloud.topology.port(shared.id), None);
    assert_eq!(cloud.topology.interfaces_of(id).collect::<Vec<_>>(), [&of_four]);
}

#[test]
fn a_centralized_router_has_one_port_of_ipv6_on_a_network() {
    let mut cloud = Cloud::default();
    let mut new = NewRouter::new(rtr(cloud.id()), project());
    new.distributed = Some(false);
    let id = cloud.create_router(new).id;
    let network = cloud.network();
    let (one, two) = (cloud.subnet(network, "fd00:1::/64"), cloud.subnet(network, "fd00:2::/64"));
    let first = cloud.connect(id, one).id;
    let second = cloud.port_at(network, vec![any_of(two)]).id;
    let text = format!(
        "Router already contains IPv6 port {first} belonging to network id {network}. Only one IPv6 port from the \
         same network subnet can be connected to a router."
    );
    assert_eq!(cloud.not_attached(id, second), bad(text));
    let distributed = cloud.router();
    let mut gateways = cloud.new_subnet(network, "fd00:3::/64");
    gateways.gateway_ip = Some(Some(ip("fd00:3::1")));
    let three = cloud.create_subnet(gateways).id;
    cloud.connect(distributed, three);
    cloud.attach(distributed, second);
}

#[test]
fn an_interface_goes_by_port_by_subnet_or_by_both() {
    let mut cloud = Cloud::default();
    let id = cloud.router();
    let lans = ["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24"].map(|cidr| cloud.lan(cidr).1);
    let ports = lans.map(|subnet| cloud.connect(id, subnet).id);
    let text = format!("Router {id} has ports still attached: {}, {}, {}", ports[0], ports[1], ports[2]);
    assert_eq!(cloud.refused(Command::DeleteRouter { id, if_revision: None }), ("RouterInUse", 409, text));
    let text = format!("Subnet on port {} does not match the requested subnet {}.", ports[0], lans[1]);
    let wrong = OldInterface::Both(ports[0], lans[1]);
    assert_eq!(cloud.not_removed(id, wrong), ("SubnetMismatchForPort", 400, text));
    let revision = cloud.revision(id);
    for (at, interface) in
        [OldInterface::Subnet(lans[0]), OldInterface::Port(ports[1]), OldInterface::Both(ports[2], lans[2])]
            .into_iter()
            .enumerate()
    {
        let (port, subnets) = cloud.remove(id, interface);
        assert_eq!((port.id, subnets), (ports[at], vec![lans[at]]));
        assert_eq!(cloud.topology.port(ports[at]), None);
    }
    assert_eq!(cloud.revision(id), revision + 3);
    let text = format!("Router {id} has no interface on subnet {}", lans[0]);
    assert_eq!(cloud.not_removed(id, OldInterface::Subnet(lans[0])), ("RouterInterfaceNotFoundForSubnet", 404, text));
    let text = format!("Subnet {} could not be found.", sub(99));
    assert_eq!(cloud.not_removed(id, OldInterface::Subnet(sub(99))), ("SubnetNotFound", 404, text));
    let text = format!("Router {id} does not have an interface with id {}", ports[0]);
    assert_eq!(cloud.not_removed(id, OldInterface::Port(ports[0])), ("RouterInterfaceNotFound", 404, text));
    let other = cloud.router();
    let foreign = cloud.connect(other, lans[0]).id;
    let text = format!("Router {id} does not have an interface with id {foreign}");
    assert_eq!(cloud.not_removed(id, OldInterface::Port(foreign)), ("RouterInterfaceNotFound", 404, text));
    cloud.done(Command::DeleteRouter { id, if_revision: None });
}

#[test]
fn a_ports_own_commands_leave_a_router_its_interface() {
    let mut cloud = Cloud::default();
    let id = cloud.router();
    let (network, subnet) = cloud.lan("10.0.0.0/24");
    let port = cloud.connect(id, subnet).id;
    let owner = "network:router_interface_distributed";
    let text = format!("Port {port} cannot be deleted directly via the port API: has device owner {owner}.");
    assert_eq!(cloud.refused(Command::DeletePort { id: port, if_revision: None }), ("ServicePortInUse", 409, text));
    let unsupported = |operation: &str, owner: &str, port: PortId| {
        let text = format!("Operation {operation} is not supported for device_owner {owner} on port {port}.");
        ("UnsupportedPortDeviceOwner", 409, text)
    };
    let device = |device_id: String| PortPatch { device_id: Some(device_id), ..PortPatch::default() };
    let owned = |owner: &str| PortPatch { device_owner: Some(owner.into()), ..PortPatch::default() };
    let change = unsupported("device update", owner, port);
    assert_eq!(cloud.refused(patched(port, device(String::new()))), change);
    assert_eq!(cloud.refused(patched(port, owned("compute:nova"))), change);
    assert_eq!(cloud.refused(patched(port, owned("network:router_interface"))), change);
    let plain = cloud.port(network).id;
    cloud.update_port(plain, owned(owner));
    assert_eq!(cloud.refused(patched(plain, device(id.to_string()))), unsupported("device update", owner, plain));
    let mut new = cloud.new_port(network);
    new.device_id = Some(id.to_string());
    new.device_owner = Some(owner.into());
    let create = Command::CreatePorts(vec![new.clone()]);
    assert_eq!(cloud.refused(create), unsupported("port create", owner, new.id));
    new.device_owner = Some("compute:nova".into());
    cloud.create_port(new);
    assert_eq!(cloud.topology.interfaces_of(id).map(|port| port.id).collect::<Vec<_>>(), [port]);
}

#[test]
fn an_interface_is_never_bound_and_is_up_as_the_administrator_says() {
    let mut cloud = Cloud::default();
    let id = cloud.router();
    cloud.hypervisor("h1", 1);
    let (_, subnet) = cloud.lan("10.0.0.0/24");
    let port = cloud.connect(id, subnet).id;
    let down = PortPatch {
        name: Some("way out".into()),
        admin_state_up: Some(false),
        binding_host: Some(Some(host("h1"))),
        ..PortPatch::default()
    };
    let changed = cloud.update_port(port, down);
    assert_eq!((changed.name.as_str(), changed.status), ("way out", PortStatus::Down));
    assert_eq!(cloud.topology.bound_host(&changed), None);
    let up = PortPatch { admin_state_up: Some(true), ..PortPatch::default() };
    assert_eq!(cloud.update_port(port, up).status, PortStatus::Active);
    cloud.done(Command::SetPortStatus(vec![(port, PortStatus::Down)]));
    assert!(cloud.commit.changes.is_empty());
}

#[test]
fn addresses_of_an_interface_change_as_far_as_its_router_allows() {
    let mut cloud = Cloud::default();
    let id = cloud.router();
    let (network, subnet) = cloud.lan("10.0.0.0/24");
    let second = cloud.subnet(network, "10.0.1.0/24");
    let (_, third) = cloud.lan("10.0.0.0/16");
    let port = cloud.connect(id, subnet).id;
    let to = |fixed_ips| patched(port, PortPatch { fixed_ips: Some(fixed_ips), ..PortPatch::default() });
    cloud.done(to(vec![exactly("10.0.0.5")]));
    cloud.route(id, vec![route("10.9.0.0/16", "10.0.0.9")]);
    assert_eq!(cloud.refused(to(Vec::new())), bad("Router port must have at least one fixed IP"));
    assert_eq!(
        cloud.refused(to(vec![any_of(subnet), any_of(second)])),
        bad("Cannot have multiple IPv4 subnets on router port")
    );
    let text = format!(
        "Router interface for subnet {subnet} on router {id} cannot be deleted, as it is required by one or more \
         routes."
    );
    assert_eq!(cloud.refused(to(vec![any_of(second)])), ("RouterInterfaceInUseByRoute", 409, text));
    let text = "Invalid format for routes: [{'destination': '10.9.0.0/16', 'nexthop': '10.0.0.9'}], the nexthop is \
                used by router"
        .to_owned();
    assert_eq!(cloud.refused(to(vec![exactly("10.0.0.9")])), ("InvalidRoutes", 400, text));
    cloud.route(id, Vec::new());
    cloud.done(to(vec![any_of(second)]));
    let (_, other) = cloud.lan("10.0.0.0/25");
    let port_of_other = cloud.connect(id, other).id;
    let text = format!("Cidr 10.0.0.0/24 of subnet {subnet} overlaps with cidr 10.0.0.0/25 of subnet {other}");
    assert_eq!(cloud.refused(to(vec![any_of(subnet)])), bad(text));
    cloud.remove(id, OldInterface::Port(port_of_other));
    let text = format!("Cidr 10.0.0.0/16 of subnet {third} overlaps with cidr 10.0.1.0/24 of subnet {second}");
    assert_eq!(cloud.not_connected(id, third), bad(text));
}

#[test]
fn what_a_router_uses_stays() {
    let mut cloud = Cloud::default();
    let id = cloud.router();
    let (network, subnet) = cloud.lan("10.0.0.0/24");
    let port = cloud.connect(id, subnet).id;
    let text = format!(
        "Unable to complete operation on subnet {subnet}: One or more ports have an IP allocation from this subnet."
    );
    assert_eq!(cloud.refused(Command::DeleteSubnet { id: subnet, if_revision: None }), ("SubnetInUse", 409, text));
    let text = format!(
        "Unable to complete operation on network {network}. There are one or more ports still in use on the network, \
         id for these ports is: {port}."
    );
    assert_eq!(cloud.refused(Command::DeleteNetwork { id: network, if_revision: None }), ("NetworkInUse", 409, text));
    let patch = SubnetPatch { gateway_ip: Some(None), ..SubnetPatch::default() };
    let text = format!("Current gateway ip 10.0.0.1 already in use by port {port}. Unable to update.");
    let command = Command::UpdateSubnet { id: subnet, patch, if_revision: None };
    assert_eq!(cloud.refused(command), ("GatewayIpInUse", 409, text));
    let patch = PortPatch { mac_address: Some(MacAddress([2, 0, 0, 0, 0, 1])), ..PortPatch::default() };
    assert_eq!(cloud.refused(patched(port, patch)).0, "UnsupportedPortDeviceOwner");
}

#[test]
fn routes_lead_by_what_the_router_is_connected_to() {
    let mut cloud = Cloud::new(Limits { max_routes: 3, ..Limits::default() });
    let id = cloud.router();
    let (_, subnet) = cloud.lan("10.0.0.0/24");
    let port = cloud.connect(id, subnet).id;
    let (one, two) = (route("10.9.0.0/16", "10.0.0.9"), route("10.8.0.0/16", "10.0.0.8"));
    let update = |routes| {
        let patch = RouterPatch { routes: Some(routes), ..RouterPatch::default() };
        Command::UpdateRouter { id, patch, if_revision: None }
    };
    assert_eq!(cloud.route(id, vec![route("10.9.3.2/16", "10.0.0.9"), one]).routes, [one]);
    let with = |bad: &str, destination: &str, reason: &str| {
        let text = format!(
            "Invalid format for routes: [{{'destination': '10.9.0.0/16', 'nexthop': '10.0.0.9'}}, {{'destination': \
             '{destination}', 'nexthop': '{bad}'}}], {reason}"
        );
        ("InvalidRoutes", 400, text)
    };
    for (destination, nexthop, reason) in [
        ("10.8.0.0/16", "10.1.0.9", "the nexthop is not connected with router"),
        ("10.8.0.0/16", "10.0.0.1", "the nexthop is used by router"),
        ("fd00::/64", "10.0.0.9", "the nexthop is of another IP version than the destination"),
    ] {
        let routes = vec![one, route(destination, nexthop)];
        assert_eq!(cloud.refused(update(routes)), with(nexthop, destination, reason));
        let command = Command::AddExtraRoutes { id, routes: vec![route(destination, nexthop)] };
        assert_eq!(cloud.refused(command), with(nexthop, destination, reason));
    }
    let outcome = cloud.done(Command::AddExtraRoutes { id, routes: vec![two, one, two] });
    let router = cloud.topology.router(id).expect("made").clone();
    assert_eq!(router.routes, [one, two]);
    assert_eq!(outcome, Outcome::Routers(vec![router]));
    let more = vec![route("10.7.0.0/16", "10.0.0.7"), route("10.6.0.0/16", "10.0.0.7")];
    let text = format!("Unable to complete operation for {id}. The number of routes exceeds the maximum 3.");
    assert_eq!(cloud.refused(Command::AddExtraRoutes { id, routes: more }), ("RoutesExhausted", 400, text.clone()));
    let many = (1..5).map(|last| route("10.7.0.0/16", &format!("10.0.0.{}", last + 1))).collect();
    assert_eq!(cloud.refused(update(many)), ("RoutesExhausted", 400, text));
    let text = format!(
        "Router interface for subnet {subnet} on router {id} cannot be deleted, as it is required by one or more \
         routes."
    );
    for interface in [OldInterface::Subnet(subnet), OldInterface::Port(port)] {
        assert_eq!(cloud.not_removed(id, interface), ("RouterInterfaceInUseByRoute", 409, text.clone()));
    }
    let gone = vec![route("10.9.1.1/16", "10.0.0.9"), route("10.5.0.0/16", "10.0.0.9")];
    cloud.done(Command::RemoveExtraRoutes { id, routes: gone });
    assert_eq!(cloud.topology.router(id).expect("made").routes, [two]);
    cloud.done(Command::RemoveExtraRoutes { id, routes: vec![two, one] });
    cloud.remove(id, OldInterface::Subnet(subnet));
}
