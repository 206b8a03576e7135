//! Weir: an SDN controller for Open vSwitch, with OpenStack Neutron's API in front.

pub mod api;
pub mod cli;
pub mod config;
pub mod controller;
pub mod link;
pub mod log;
pub mod metrics;
pub mod store;
