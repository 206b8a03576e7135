//! What the model answers, resource by resource, and what holds whatever is asked of it.

mod cloud;
mod network;
mod physical;
mod port;
mod port_address;
mod property;
mod record;
mod router;
mod router_property;
mod routing;
mod subnet;
