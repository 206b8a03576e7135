//! Ports created by the REST API, each durable on disk before its reply.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use clap::Parser;
use serde_json::{Value, json};
use weir_bench::Failure;
use weir_bench::report::{Report, count_cell, median, number_cell, time_cell, timed};

/// Creates ports by the API of a controller of its own.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many callers at once
    #[arg(long, value_delimiter = ',', default_values_t = [1, 8, 64])]
    callers: Vec<usize>,
    /// How many ports each number of callers creates in all
    #[arg(long, default_value_t = 4_000)]
    ports: usize,
    /// Where the controller keeps its state: a directory on the disk whose fsync is to be measured
    #[arg(long, default_value = ".")]
    directory: PathBuf,
    /// The executable [default: beside this one]
    #[arg(long)]
    weir: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse();
    let program = match arguments.weir {
        Some(program) => program,
        None => std::env::current_exe()?.with_file_name("weir"),
    };
    let mut report = Report::new(
        "api: POST /v2.0/ports, each reply after fsync",
        ["callers", "ports", "creates/s", "median reply", "99 % reply"],
    );
    for callers in arguments.callers {
        // A controller with an empty store for each, so that no row is slower for what an earlier one left.
        let data = tempfile::Builder::new().prefix("weir-bench-api").tempdir_in(&arguments.directory)?;
        let address = free_address()?;
        let _controller = Controller(
            Command::new(&program)
                .args(["serve", "--auth", "none", "--openflow", "127.0.0.1:0", "--ovsdb", "127.0.0.1:0"])
                .args(["--api", &address.to_string(), "--data-dir"])
                .arg(data.path())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .map_err(|error| format!("{}: {error}", program.display()))?,
        );
        let caller = Caller::new(address);
        caller.wait()?;
        let network = caller.create("network", &json!({"name": "bench"}))?;
        caller.create("subnet", &json!({"network_id": network["id"], "ip_version": 4, "cidr": "10.0.0.0/12"}))?;
        let body = json!({"network_id": network["id"], "binding:host_id": "h1"});

        let share = arguments.ports.div_ceil(callers);
        let (replies, time) = timed(|| {
            std::thread::scope(|scope| {
                let threads: Vec<_> = (0..callers)
                    .map(|_| {
                        scope.spawn(|| {
                            let caller = Caller::new(address);
                            (0..share)
                                .map(|_| {
                                    let (created, time) = timed(|| caller.create("port", &body));
                                    created.map(|_| time)
                                })
                                .collect::<Result<Vec<Duration>, Failure>>()
                        })
                    })
                    .collect();
                threads
                    .into_iter()
                    .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                    .collect::<Result<Vec<_>, Failure>>()
            })
        });
        let mut replies = replies?.concat();
        let middle = median(&mut replies);
        report.row([
            count_cell(callers),
            count_cell(replies.len()),
            number_cell(replies.len() as f64 / time.as_secs_f64(), 0),
            time_cell(middle),
            time_cell(replies[replies.len() * 99 / 100]),
        ]);
    }
    report.print(arguments.json);
    Ok(())
}

/// Ends with the benchmark.
struct Controller(Child);

impl Drop for Controller {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An address of the loopback interface that nobody listens on.
fn free_address() -> Result<SocketAddr, Failure> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// A caller of the API with a connection that it keeps.
struct Caller {
    agent: ureq::Agent,
    base: String,
}

impl Caller {
    fn new(address: SocketAddr) -> Self {
        let config = ureq::Agent::config_builder().proxy(None).timeout_global(Some(Duration::from_secs(30))).build();
        Self { agent: config.into(), base: format!("http://{address}/v2.0/") }
    }

    fn wait(&self) -> Result<(), Failure> {
        let start = Instant::now();
        loop {
            match self.agent.get(format!("{}networks", self.base)).call() {
                Ok(_) => return Ok(()),
                Err(error) if start.elapsed() > Duration::from_secs(10) => return Err(error.into()),
                Err(_) => std::thread::sleep(Duration::from_millis(10)),
            }
        }
    }

    fn create(&self, resource: &str, attributes: &Value) -> Result<Value, Failure> {
        let mut reply =
            self.agent.post(format!("{}{resource}s", self.base)).send_json(json!({ resource: attributes }))?;
        Ok(reply.body_mut().read_json::<Value>()?[resource].take())
    }
}
