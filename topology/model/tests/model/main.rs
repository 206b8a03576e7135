//! What the model answers, resource by resource, and what holds whatever is asked of it.

mod address_group;
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
mod security_group;
mod security_group_rule;
mod security_property;
mod security_set;
mod subnet;
mod zone;
