//! A whole cloud in one process: packets, switches, hypervisors and the judge of who may reach whom.
//!
//! Nothing here knows the compiler: a [`switch::Datapath`] executes whatever tables it is given, as Open vSwitch would.
//! There is no clock, no socket and no randomness but a seed that is passed in.

pub mod intern;
pub mod packet;
pub mod seed;
pub mod switch;
