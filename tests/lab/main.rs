//! The lab tier: real `ovsdb-server` and `ovs-vswitchd`, real packets, driven through the REST API.
//!
//! Each test builds a lab of its own in network namespaces and waits for conditions, never for time. Needs root and
//! Open vSwitch; `weir lab up` says what is missing.

mod conversation;
mod isolation;
mod malformed;
mod migration;
mod neighbours;
mod plumbing;
mod provisioning;
mod repair;
mod restart;
mod routing;
mod security;
mod services;
mod spoofing;
mod status;
mod stream;
mod switch;
mod tools;
mod traffic;
mod world;
