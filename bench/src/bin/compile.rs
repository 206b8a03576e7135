//! A whole cloud compiled from nothing, and one port created, plugged in and deleted in a cloud of that size. `join` is a
//! port created on a hypervisor that had none of its network, which gets all that concerns the network.

use std::hint::black_box;
use std::time::Duration;

use clap::Parser;
use serde_json::Value;
use weir_bench::Failure;
use weir_bench::cloud::{Cloud, PORTS_OF_HOST, PORTS_OF_NETWORK};
use weir_bench::report::{Report, count_cell, median, resident, size_cell, time_cell, timed};
use weir_compile::Engine;
use weir_model::{Command, NetworkKey};

/// Compiles clouds.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many ports the cloud has; every hypervisor has 100 of them, every network too
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 10_000, 100_000])]
    ports: Vec<usize>,
    /// How many ports are created and deleted to measure one
    #[arg(long, default_value_t = 500)]
    runs: usize,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse();
    let mut report = Report::new(
        "compile: the compiler's time, and this process's memory with model and compiler",
        [
            "ports",
            "hosts",
            "cold",
            "units",
            "model",
            "with compiler",
            "create",
            "create 99 %",
            "plug in",
            "delete",
            "join",
        ],
    );
    for ports in arguments.ports {
        let hosts = ports.div_ceil(PORTS_OF_HOST);
        let before = resident().unwrap_or_default();
        let mut cloud = Cloud::of(ports, hosts)?;
        let model = resident().unwrap_or_default().saturating_sub(before);
        let (mut engine, cold) = timed(|| Engine::load(&cloud.topology));
        let both = resident().unwrap_or_default().saturating_sub(before);
        let network = cloud.topology.network_by_key(NetworkKey(1)).ok_or("a cloud without a network")?.id;

        // The first network's ports are on the first hypervisors, one each.
        let members = PORTS_OF_NETWORK.min(hosts);
        let [mut create, mut plug, mut delete, mut join] = [const { Vec::<Duration>::new() }; 4];
        for run in 0..arguments.runs.max(1) {
            let (port, new_port) = cloud.new_port(network, run % members);
            let vif = cloud.vif(port, run % members, 30_000);
            create.push(follow(&mut engine, &mut cloud, new_port)?);
            plug.push(follow(&mut engine, &mut cloud, vif)?);
            delete.push(follow(&mut engine, &mut cloud, Command::DeletePort { id: port, if_revision: None })?);
            if hosts > members {
                let (port, new_port) = cloud.new_port(network, members + run % (hosts - members));
                join.push(follow(&mut engine, &mut cloud, new_port)?);
                follow(&mut engine, &mut cloud, Command::DeletePort { id: port, if_revision: None })?;
            }
        }
        let [middle, plug, delete] = [&mut create, &mut plug, &mut delete].map(|times| median(times));
        report.row([
            count_cell(ports),
            count_cell(hosts),
            time_cell(cold),
            count_cell(engine.len()),
            size_cell(model),
            size_cell(both),
            time_cell(middle),
            time_cell(create[create.len() * 99 / 100]),
            time_cell(plug),
            time_cell(delete),
            if join.is_empty() { ("-".to_owned(), Value::Null) } else { time_cell(median(&mut join)) },
        ]);
    }
    report.print(arguments.json);
    Ok(())
}

/// Runs a command and returns the time that the compiler takes to follow its commit.
fn follow(engine: &mut Engine, cloud: &mut Cloud, command: Command) -> Result<Duration, Failure> {
    let old = cloud.topology.clone();
    let commit = cloud.command(command)?;
    let (applied, time) = timed(|| engine.apply(&commit, &old, &cloud.topology, |_| true));
    black_box(applied);
    Ok(time)
}
