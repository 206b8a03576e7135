//! A whole cloud in one process: packets, switches, hypervisors and the judge of who may reach whom.
//!
//! Nothing here knows the compiler: a [`switch::Datapath`] executes whatever tables it is given, as Open vSwitch would;
//! [`fabric::Fabric`] joins hypervisors; [`oracle::verdict`] tells from the topology alone what must become of a packet,
//! and [`judge::Judge`] tells it with security groups, whose [`firewall::Firewall`] remembers connections.
//! There is no clock, no socket and no randomness but a [`seed::Seed`] that is passed in.

pub mod clock;
pub mod fabric;
pub mod fault;
pub mod firewall;
pub mod generate;
pub mod intern;
pub mod judge;
pub mod oracle;
pub mod ovsdb_server;
pub mod packet;
pub mod seed;
pub mod switch;
