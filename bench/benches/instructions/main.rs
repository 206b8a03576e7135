//! Instructions of the hot paths, counted by callgrind.
//!
//! A bench is run once, in a process of its own. Only what happens within its function is counted: what it is given is
//! made before, and what it returns is dropped after, which is why benches give back what they were given. Counting
//! starts and stops at each function of the bench's module, closures included, so that a bench only calls a function
//! outside.

#![expect(missing_docs, reason = "the macros of gungraun make public items")]

mod answers;
mod change;
mod codec;
mod commit;
mod comparison;
mod database;
mod engine;
mod heap;
mod request;
mod session;
mod switch;

use answers::answer_packets;
use codec::{decode_flow_entries, decode_flow_mods, encode_flow_mods};
use commit::transact;
use comparison::compare;
use database::mirror;
use engine::{follow, load};
use gungraun::{Callgrind, LibraryBenchmarkConfig, library_benchmark_group, main};
use request::answer_request;
use session::{read_packet_ins, send_bundle};

library_benchmark_group!(
    name = openflow,
    benchmarks = [encode_flow_mods, decode_flow_mods, decode_flow_entries, send_bundle, read_packet_ins]
);
library_benchmark_group!(name = reconcile, benchmarks = [compare]);
library_benchmark_group!(name = compile, benchmarks = [load, follow]);
library_benchmark_group!(name = model, benchmarks = [transact]);
library_benchmark_group!(name = ovsdb, benchmarks = [mirror]);
library_benchmark_group!(name = api, benchmarks = [answer_request]);
library_benchmark_group!(name = vms, benchmarks = [answer_packets]);

main!(
    config = LibraryBenchmarkConfig::default().tool(Callgrind::with_args(["--cache-sim=no"])),
    library_benchmark_groups = [openflow, reconcile, compile, model, ovsdb, api, vms]
);
