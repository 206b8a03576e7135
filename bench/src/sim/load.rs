//! The cloud as the API makes it, by a few callers at once.

use super::caller::{Caller, id};
use super::cloud::{Cloud, prefixes, project};
use super::hypervisor::host_name;
use super::progress::Bar;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use weir::cli::lab::Interrupt;

use crate::Failure;

/// Callers at once.
const CALLERS: usize = 4;

/// Ports created by one request.
pub(crate) const BULK: usize = 500;

/// The ids of what was made.
#[derive(Clone, Debug, Default)]
pub(crate) struct Made {
    /// Of each network, in the order of their numbers.
    pub(crate) networks: Vec<String>,
    /// Of each project's router.
    pub(crate) routers: Vec<String>,
    /// Of each hypervisor's ports.
    pub(crate) ports: Vec<Vec<String>>,
}

/// Makes the cloud.
pub(crate) fn load(cloud: &Cloud, api: SocketAddr, interrupt: &Interrupt, bar: &Bar) -> Result<Made, Failure> {
    let next = AtomicUsize::new(0);
    let parts = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS)
            .map(|_| {
                scope.spawn(|| {
                    let caller = Caller::new(api);
                    let mut parts = Vec::new();
                    loop {
                        let tenant = next.fetch_add(1, Ordering::Relaxed);
                        if tenant >= cloud.tenants {
                            return Ok(parts);
                        }
                        interrupt.check()?;
                        parts.push((tenant, load_tenant(cloud, tenant, &caller, bar)?));
                    }
                })
            })
            .collect();
        callers
            .into_iter()
            .map(|caller| caller.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect::<Result<Vec<_>, Failure>>()
    })?;
    let mut parts = parts.concat();
    parts.sort_by_key(|(tenant, _)| *tenant);
    let mut made = Made { ports: vec![Vec::new(); cloud.hosts], ..Made::default() };
    for (_, part) in parts {
        made.networks.extend(part.networks);
        made.routers.extend(part.router);
        for (host, port) in part.ports {
            made.ports[host].push(port);
        }
    }
    Ok(made)
}

/// What a project has.
#[derive(Clone, Debug, Default)]
struct Tenant {
    networks: Vec<String>,
    router: Option<String>,
    ports: Vec<(usize, String)>,
}

fn load_tenant(cloud: &Cloud, tenant: usize, caller: &Caller, bar: &Bar) -> Result<Tenant, Failure> {
    let project = project(tenant);
    let mut made = Tenant::default();
    if cloud.routers {
        made.router = Some(id(&caller.create(&project, "router", &json!({"name": "router"}))?)?);
    }
    for number in 0..cloud.networks_of_tenant {
        let network = id(&caller.create(&project, "network", &json!({"name": format!("net{number}")}))?)?;
        for (version, cidr) in prefixes(number, cloud.ipv6) {
            let subnet = json!({"network_id": network, "ip_version": version, "cidr": cidr});
            let subnet = id(&caller.create(&project, "subnet", &subnet)?)?;
            if let Some(router) = &made.router {
                caller.add_interface(&project, router, &subnet)?;
            }
        }
        let place = tenant * cloud.networks_of_tenant + number;
        let hosts: Vec<usize> = (0..cloud.ports_of_network).map(|port| cloud.host_of(place, port)).collect();
        let ports = create_ports(caller, &project, &network, &hosts, &json!({}), bar)?;
        made.ports.extend(hosts.into_iter().zip(ports));
        made.networks.push(network);
    }
    if cloud.rules_of_group > 0 {
        let groups = caller.get(&format!("/v2.0/security-groups?project_id={project}&name=default"))?;
        let group = id(&groups["security_groups"][0])?;
        let rule = |number: u16| {
            json!({
                "security_group_id": group,
                "direction": "ingress",
                "protocol": "tcp",
                "port_range_min": 1000 + number,
                "port_range_max": 1000 + number,
            })
        };
        let rules: Vec<Value> = (0..cloud.rules_of_group).map(rule).collect();
        caller.create_all(&project, "security_group_rule", &rules)?;
    }
    Ok(made)
}

/// Creates a port on each of these hypervisors, with what else it is to have; their ids, in the same order.
pub(crate) fn create_ports(
    caller: &Caller,
    project: &str,
    network: &str,
    hosts: &[usize],
    with: &Value,
    bar: &Bar,
) -> Result<Vec<String>, Failure> {
    let mut made = Vec::with_capacity(hosts.len());
    for hosts in hosts.chunks(BULK) {
        let port = |host: &usize| {
            let mut port = with.clone();
            port["network_id"] = network.into();
            port["binding:host_id"] = host_name(*host).into();
            port
        };
        let ports: Vec<Value> = hosts.iter().map(port).collect();
        for port in caller.create_all(project, "port", &ports)? {
            made.push(id(&port)?);
        }
        bar.add(hosts.len());
    }
    Ok(made)
}
