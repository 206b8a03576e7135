//! The whole controller, without sockets and disk, with a thousand hypervisors that acknowledge at once: the memory of
//! the process, how long it takes until every switch was told what it should hold, and one port from the API's command
//! to its acknowledgement everywhere.
//!
//! The hypervisors are simulated as what the controller sees of them: databases that tell their facts, switches that
//! take orders and acknowledge. Sessions and sockets are not part of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use tokio::sync::{Notify, mpsc, oneshot};
use weir::api::{ApiRequest, RequestId};
use weir::controller::{Batch, Controller};
use weir::link::ConnectionId;
use weir::link::hypervisor::HypervisorEvent;
use weir::link::openflow::{ConnectionEvent, ORDERS_MAX};
use weir::link::ovsdb::DatabaseEvent;
use weir_bench::Failure;
use weir_bench::cloud::{Cloud, PORTS_OF_HOST, PORTS_OF_NETWORK, host_name};
use weir_bench::report::{Report, count_cell, median, resident, size_cell, time_cell, timed};
use weir_compile::Bridge;
use weir_model::{Command, NetworkKey, PortStatus, Timestamp};
use weir_openflow::message::{Features, Port};
use weir_openflow::{DatapathId, PortNo};
use weir_ovsdb::{HostFact, InterfaceFact, LinkState};
use weir_reconcile::{Order, SwitchEvent};

/// Runs a controller.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many ports the cloud has; every hypervisor has 100 of them, every network too
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 10_000, 100_000])]
    ports: Vec<usize>,
    /// How many ports are created to measure one
    #[arg(long, default_value_t = 500)]
    runs: usize,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A controller and the other ends of its connections.
struct World {
    controller: Controller,
    orders: BTreeMap<ConnectionId, mpsc::Receiver<Order>>,
    now: Instant,
    next: u64,
    edits: usize,
}

impl World {
    fn id(&mut self) -> ConnectionId {
        self.next += 1;
        ConnectionId(self.next)
    }

    fn tell(&mut self, tell: impl FnOnce(&mut Controller, &mut Batch, Instant)) {
        let mut batch = self.controller.begin(self.now);
        tell(&mut self.controller, &mut batch, self.now);
        self.carry_out(batch);
    }

    fn carry_out(&mut self, batch: Batch) {
        let mut next = Some(batch);
        while let Some(mut batch) = next.take() {
            if !batch.is_empty() {
                let commits = batch.take_commits();
                for (reply, outcome) in self.controller.commit(batch, commits) {
                    drop(reply.send(Ok(outcome)));
                }
            }
            next = Some(self.controller.follow_up(self.now, Timestamp(0))).filter(|batch| !batch.is_empty());
        }
    }

    fn connect(&mut self, number: usize) {
        let name = host_name(number);
        let topology = self.controller.topology().clone();
        let vifs: Vec<_> = topology.vifs_on(&name).cloned().collect();
        let datapath = |bridge: usize| number as u64 * 2 + bridge as u64 + 1;
        for (index, _) in Bridge::ALL.into_iter().enumerate() {
            let id = self.id();
            let (sender, receiver) = mpsc::channel(ORDERS_MAX);
            self.orders.insert(id, receiver);
            let ports = vifs.iter().map(|vif| Port {
                number: PortNo(vif.ofport),
                address: [0; 6],
                name: vif.interface.clone(),
                config: 0,
                state: 0,
                ethernet: None,
            });
            let features = Features {
                datapath: DatapathId(datapath(index)),
                buffers: 0,
                tables: 254,
                auxiliary: 0,
                capabilities: 0,
            };
            let ready = SwitchEvent::Ready { features, ports: ports.collect() };
            let peer = ([127, 0, 0, 1], 1).into();
            self.tell(|controller, batch, now| {
                let opened = ConnectionEvent::Opened { peer, orders: sender };
                controller.connection(batch, id, opened, now, Timestamp(0));
                controller.connection(batch, id, ConnectionEvent::Switch(ready), now, Timestamp(0));
            });
        }
        let hypervisor = topology.hypervisor(&name).map(Arc::clone);
        let host = HostFact {
            hostname: Some(name.to_string()),
            system_id: Some(name.to_string()),
            encap_ip: hypervisor.map(|hypervisor| hypervisor.encap_ip),
            integration_datapath: Some(datapath(0)),
            tunnel_datapath: Some(datapath(1)),
            ..HostFact::default()
        };
        let interfaces = vifs.iter().map(|vif| InterfaceFact {
            name: vif.interface.clone(),
            uuid: vif.port.0,
            bridge: Some(Bridge::Integration.name().to_owned()),
            on_integration: true,
            iface_id: Some(vif.port.0),
            attached_mac: None,
            iface_status: None,
            vm_uuid: None,
            ofport: Some(vif.ofport),
            state: LinkState::default(),
            problems: Vec::new(),
        });
        let event = HypervisorEvent::Synced { host, interfaces: interfaces.collect() };
        let (connection, peer) = (self.id(), ([127, 0, 0, 1], 1).into());
        let event = DatabaseEvent { connection, peer, event, hang_up: Arc::new(Notify::new()) };
        self.tell(|controller, batch, now| controller.database(batch, event, now, Timestamp(0)));
        self.acknowledge();
    }

    /// Every switch takes what waits for it and acknowledges it, until nothing waits.
    fn acknowledge(&mut self) {
        loop {
            let mut answers = Vec::new();
            for (id, orders) in &mut self.orders {
                let mut reached = None;
                while let Ok(order) = orders.try_recv() {
                    match order {
                        Order::Desired(desired) => {
                            self.edits += desired.additions.iter().map(|run| run.len()).sum::<usize>();
                            reached = Some(desired.revision);
                        }
                        Order::Apply(steps) => {
                            for step in steps {
                                self.edits += step.edits.iter().map(|edits| edits.len()).sum::<usize>();
                                reached = Some(step.revision);
                            }
                        }
                        _ => {}
                    }
                }
                answers.extend(reached.map(|revision| (*id, SwitchEvent::Acknowledged { revision })));
            }
            if answers.is_empty() {
                return;
            }
            self.tell(|controller, batch, now| {
                for (id, event) in answers {
                    controller.connection(batch, id, ConnectionEvent::Switch(event), now, Timestamp(0));
                }
            });
        }
    }

    fn call(&mut self, command: Command) -> Result<(), Failure> {
        let (reply, mut answer) = oneshot::channel();
        self.tell(|controller, batch, _| {
            controller.api(batch, ApiRequest { id: RequestId::random(), command, reply }, Timestamp(0));
        });
        answer.try_recv()?.map(drop).map_err(|failure| failure.to_string().into())
    }
}

fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse();
    let mut report = Report::new(
        "controller: all of it but sockets and disk; hypervisors that acknowledge at once",
        ["ports", "hosts", "load", "connect all", "flows told", "memory", "create", "create 99 %", "active"],
    );
    for ports in arguments.ports {
        let hosts = ports.div_ceil(PORTS_OF_HOST);
        let mut cloud = Cloud::of(ports, hosts)?;
        let now = Instant::now();
        let (controller, load) = timed(|| Controller::new(cloud.topology.clone(), Duration::from_secs(15), now));
        let mut world = World { controller, orders: BTreeMap::new(), now, next: 0, edits: 0 };
        let ((), connect) = timed(|| (0..hosts).for_each(|number| world.connect(number)));
        let active = |world: &World| {
            // Routers' interfaces are no VMs' and always ACTIVE.
            let topology = world.controller.topology();
            let of_vms = topology.ports().filter(|port| topology.router_of(port).is_none());
            of_vms.filter(|port| port.status == PortStatus::Active).count()
        };
        let found = active(&world);
        if found != ports {
            return Err(format!("{found} of {ports} ports are ACTIVE").into());
        }
        let told = world.edits;
        let network = cloud.topology.network_by_key(NetworkKey(1)).ok_or("a cloud without a network")?.id;
        let members = PORTS_OF_NETWORK.min(hosts);
        let mut create = Vec::new();
        for run in 0..arguments.runs.max(1) {
            let (_, command) = cloud.new_port(network, run % members);
            let (done, time) = timed(|| world.call(command).map(|()| world.acknowledge()));
            done?;
            create.push(time);
        }
        let middle = median(&mut create);
        report.row([
            count_cell(ports),
            count_cell(hosts),
            time_cell(load),
            time_cell(connect),
            count_cell(told),
            size_cell(resident().unwrap_or_default()),
            time_cell(middle),
            time_cell(create[create.len() * 99 / 100]),
            count_cell(found),
        ]);
    }
    report.print(arguments.json);
    Ok(())
}
