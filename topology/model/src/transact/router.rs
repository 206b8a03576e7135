//! Commands about routers and their routes.

use super::{check_revision, set};
use crate::allocate::next_key;
use crate::draft::Draft;
use crate::logical::router_interface_owner;
use crate::{NewRouter, Outcome, Port, PortId, RecordKey, Rejection, Route, Router, RouterId, RouterKey, RouterPatch};
use ipnet::IpNet;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

/// Neutron writes a new router twice.
const FIRST_REVISION: u64 = 1;

/// The router, if there is one.
pub(super) fn existing(draft: &Draft, id: RouterId) -> Result<Arc<Router>, Rejection> {
    let router = draft.router(id).cloned();
    router.ok_or(Rejection::RouterNotFound(id))
}

fn made(draft: &Draft, id: RouterId) -> Result<Outcome, Rejection> {
    Ok(Outcome::Routers(vec![existing(draft, id)?]))
}

pub(super) fn create(draft: &mut Draft, routers: Vec<NewRouter>) -> Result<Outcome, Rejection> {
    let mut made = Vec::with_capacity(routers.len());
    for new in routers {
        made.push(create_one(draft, new)?);
    }
    let made = made.iter().filter_map(|id| draft.router(*id).cloned());
    Ok(Outcome::Routers(made.collect()))
}

fn create_one(draft: &mut Draft, new: NewRouter) -> Result<RouterId, Rejection> {
    if draft.router(new.id).is_some() {
        return Err(Rejection::AlreadyExists(RecordKey::Router(new.id)));
    }
    if draft.index.ports_naming_router.count(&new.id) > 0 {
        // They are of a store from before there were routers, and nothing was checked that an interface must be.
        return Err(Rejection::AlreadyExists(RecordKey::Router(new.id)));
    }
    let mut counters = draft.counters();
    let key = next_key(&draft.index.router_by_key, RouterKey, |key| key.0, counters.router, RouterKey::MAX);
    counters.router = key.ok_or(Rejection::NumbersExhausted("router"))?;
    let at = draft.at();
    let project_id = draft.shared_project(new.project_id);
    draft.create_router(Router {
        id: new.id,
        key: RouterKey(counters.router),
        project_id,
        name: new.name.unwrap_or_default(),
        description: new.description.unwrap_or_default(),
        admin_state_up: new.admin_state_up.unwrap_or(true),
        routes: Vec::new(),
        distributed: new.distributed.unwrap_or(true),
        ha: new.ha.unwrap_or(false),
        availability_zone_hints: new.availability_zone_hints.unwrap_or_default(),
        tags: new.tags.unwrap_or_default(),
        created_at: at,
        updated_at: at,
        revision_number: FIRST_REVISION,
    });
    draft.write_counters(counters);
    Ok(new.id)
}

pub(super) fn update(
    draft: &mut Draft,
    id: RouterId,
    patch: RouterPatch,
    if_revision: Option<u64>,
) -> Result<Outcome, Rejection> {
    let before = existing(draft, id)?;
    check_revision(if_revision, before.revision_number)?;
    let mut router = Router::clone(&before);
    if let Some(routes) = patch.routes {
        router.routes = checked_routes(draft, id, routes)?;
    }
    set(&mut router.name, patch.name);
    set(&mut router.description, patch.description);
    set(&mut router.admin_state_up, patch.admin_state_up);
    set(&mut router.distributed, patch.distributed);
    set(&mut router.ha, patch.ha);
    set(&mut router.tags, patch.tags);
    check_kind(&before, &router)?;
    if router.distributed != before.distributed {
        let ports: Vec<Arc<Port>> = draft.interfaces_of(id).cloned().collect();
        for port in ports {
            let mut port = Port::clone(&port);
            port.device_owner = router_interface_owner(router.distributed).to_owned();
            draft.update_port(port);
        }
    }
    draft.update_router(router);
    made(draft, id)
}

/// A router becomes one of another kind while it is down: down already for `distributed`, down by now for `ha`.
fn check_kind(before: &Router, after: &Router) -> Result<(), Rejection> {
    let attribute = if after.distributed != before.distributed && (before.admin_state_up || after.admin_state_up) {
        "the 'distributed' attribute"
    } else if after.ha != before.ha && after.admin_state_up {
        "HA attribute"
    } else {
        return Ok(());
    };
    Err(Rejection::BadRouterRequest(format!(
        "Cannot change {attribute} of active routers. Please set router admin_state_up to False prior to upgrade"
    )))
}

pub(super) fn delete(draft: &mut Draft, id: RouterId, if_revision: Option<u64>) -> Result<Outcome, Rejection> {
    check_revision(if_revision, existing(draft, id)?.revision_number)?;
    let ports: Vec<PortId> = draft.interfaces_of(id).map(|port| port.id).collect();
    if !ports.is_empty() {
        return Err(Rejection::RouterInUse { router: id, ports });
    }
    draft.delete_router(id);
    Ok(Outcome::Deleted)
}

pub(super) fn add_routes(draft: &mut Draft, id: RouterId, routes: Vec<Route>) -> Result<Outcome, Rejection> {
    let mut router = Router::clone(&*existing(draft, id)?);
    router.routes.extend(routes);
    router.routes = checked_routes(draft, id, router.routes)?;
    draft.update_router(router);
    made(draft, id)
}

pub(super) fn remove_routes(draft: &mut Draft, id: RouterId, routes: Vec<Route>) -> Result<Outcome, Rejection> {
    let mut router = Router::clone(&*existing(draft, id)?);
    let gone: BTreeSet<Route> = routes.into_iter().map(canonical).collect();
    router.routes.retain(|route| !gone.contains(route));
    draft.update_router(router);
    made(draft, id)
}

fn canonical(route: Route) -> Route {
    Route { destination: route.destination.trunc(), ..route }
}

/// The routes, each once, if they are not too many and each leads by an address that the router is connected to.
fn checked_routes(draft: &Draft, id: RouterId, routes: Vec<Route>) -> Result<Vec<Route>, Rejection> {
    let mut seen = BTreeSet::new();
    let routes: Vec<Route> = routes.into_iter().map(canonical).filter(|route| seen.insert(*route)).collect();
    let quota = draft.limits().max_routes;
    if routes.len() > quota {
        return Err(Rejection::RoutesExhausted { router: id, quota });
    }
    let connected: Vec<(IpNet, IpAddr)> =
        draft.connected(id).map(|(_, subnet, address)| (subnet.cidr, address)).collect();
    let fault = |route: &Route| {
        if !connected.iter().any(|(cidr, _)| cidr.contains(&route.nexthop)) {
            Some("the nexthop is not connected with router")
        } else if connected.iter().any(|(_, address)| *address == route.nexthop) {
            Some(NEXTHOP_IS_OWN)
        } else if route.nexthop.is_ipv6() != route.destination.addr().is_ipv6() {
            Some("the nexthop is of another IP version than the destination")
        } else {
            None
        }
    };
    match routes.iter().find_map(fault) {
        Some(reason) => Err(Rejection::InvalidRoutes { routes, reason }),
        None => Ok(routes),
    }
}

/// What is wrong with a route by the router itself.
pub(super) const NEXTHOP_IS_OWN: &str = "the nexthop is used by router";
