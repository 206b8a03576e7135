//! The API over real HTTP: the router, a store in a directory of its own, and between them a loop like the
//! controller's.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod client;
mod controller;

mod address_groups;
mod bulk;
mod durability;
mod extensions;
mod hostile;
mod kill;
mod lists;
mod log;
mod networks;
mod pages;
mod ports;
mod revisions;
mod routers;
mod security_groups;
mod subnets;
mod tags;
mod weir_endpoints;
