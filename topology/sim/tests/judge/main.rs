//! The judge on topologies made by hand: what becomes of single packets, by routers and by security groups.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod firewall;
mod generate;
mod routing;
mod sketch;
