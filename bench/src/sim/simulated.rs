//! A simulated hypervisor: its database and its two switches, each with a task of its own.

use super::agent::Agent;
use super::counts::Tally;
use super::database::Database;
use super::hypervisor::{BRIDGES, encap_ip, host_name, interface_of};
use super::link::Link;
use super::site::Site;
use super::tables::Tables;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot, watch};

use crate::Failure;

/// How long to wait before a connection is tried again.
const RETRY: Duration = Duration::from_millis(250);

/// How long a database waits for its client to say something until it asks. A connection that the controller's system
/// forgot, because too many wait to be accepted, is found by that.
const PROBE: Duration = Duration::from_secs(5);

/// A simulated hypervisor that runs.
#[derive(Debug)]
pub(crate) struct Simulated {
    plugs: mpsc::UnboundedSender<Vec<Vif>>,
    switches: [mpsc::UnboundedSender<Event>; 2],
}

/// The name of an interface and the id of its port.
type Vif = (String, String);

/// What happens to a switch.
#[derive(Debug)]
enum Event {
    /// A VIF got a number.
    Port(u32, String),
    /// The connection is cut.
    Cut,
    /// It reads slowly from now on.
    Slow,
    /// What it says is lost, as long as the connection lasts.
    Mute,
    /// Somebody asks how many flows it holds.
    Held(oneshot::Sender<u64>),
    /// The database names the controller.
    Controller(u64, SocketAddr),
}

impl Simulated {
    /// Starts the hypervisor of this number. These ports are plugged in before it connects.
    pub(crate) fn start(number: usize, ports: &[String], site: &Site) -> Self {
        let mut database = Database::new(number as u64, &host_name(number), &encap_ip(number));
        let switches = BRIDGES.map(|_| mpsc::unbounded_channel());
        let [(integration, integration_events), (tunnel, tunnel_events)] = switches;
        let vifs = vifs(ports);
        let numbers = database.plug(&vifs, &mut Vec::new());
        for (number, (interface, _)) in numbers.into_iter().zip(vifs) {
            drop(integration.send(Event::Port(number, interface)));
        }
        for events in [integration_events, tunnel_events] {
            tokio::spawn(run_switch(Tables::new(Arc::clone(&site.book)), events, site.clone()));
        }
        let (plugs, plugged) = mpsc::unbounded_channel();
        let switches = [integration, tunnel];
        tokio::spawn(run_database(database, plugged, switches.clone(), site.gate.subscribe()));
        Self { plugs, switches }
    }

    /// Plugs VIFs in for ports.
    pub(crate) fn plug(&self, ports: &[String]) {
        drop(self.plugs.send(vifs(ports)));
    }

    /// How many flows each of its switches holds.
    pub(crate) fn flows(&self) -> Result<[u64; 2], Failure> {
        let asked = self.switches.each_ref().map(|switch| {
            let (told, heard) = oneshot::channel();
            drop(switch.send(Event::Held(told)));
            heard
        });
        let mut flows = [0; 2];
        for (count, heard) in flows.iter_mut().zip(asked) {
            *count = heard.blocking_recv()?;
        }
        Ok(flows)
    }

    /// Cuts the connections of its switches; they connect again at once.
    pub(crate) fn cut(&self) {
        self.switches.iter().for_each(|switch| drop(switch.send(Event::Cut)));
    }

    /// From now on its switches read slowly.
    pub(crate) fn slow_down(&self) {
        self.switches.iter().for_each(|switch| drop(switch.send(Event::Slow)));
    }

    /// What its switches say is lost, until they connect again.
    pub(crate) fn mute(&self) {
        self.switches.iter().for_each(|switch| drop(switch.send(Event::Mute)));
    }
}

fn vifs(ports: &[String]) -> Vec<Vif> {
    ports.iter().map(|port| (interface_of(port), port.clone())).collect()
}

async fn run_database(
    mut database: Database,
    mut plugged: mpsc::UnboundedReceiver<Vec<Vif>>,
    switches: [mpsc::UnboundedSender<Event>; 2],
    mut controller: watch::Receiver<Option<SocketAddr>>,
) {
    let mut told = [None, None];
    loop {
        let Some(stream) = connect(&mut controller).await else { return };
        let Ok(mut link) = Link::new(stream) else { continue };
        database.connect();
        let connected = Instant::now();
        loop {
            let mut plug = None;
            let moved = tokio::select! {
                moved = link.pump(|bytes, output| {
                    let mut answers = Vec::new();
                    database.handle(bytes, &mut answers).map_err(io::Error::other)?;
                    output.extend_from_slice(&answers);
                    Ok(())
                }) => moved,
                () = tokio::time::sleep(PROBE) => {
                    Database::probe(&mut link.output);
                    Ok(())
                }
                next = plugged.recv() => match next {
                    Some(next) => {
                        plug = Some(next);
                        Ok(())
                    }
                    None => return,
                },
            };
            if let Some(vifs) = plug {
                let mut notices = Vec::new();
                let numbers = database.plug(&vifs, &mut notices);
                link.output.extend_from_slice(&notices);
                for (number, (interface, _)) in numbers.into_iter().zip(vifs) {
                    drop(switches[0].send(Event::Port(number, interface)));
                }
            }
            for ((bridge, switch), told) in BRIDGES.iter().zip(&switches).zip(&mut told) {
                let target = database.controller_of(bridge).and_then(|target| target.strip_prefix("tcp:"));
                let target = target.and_then(|target| target.parse().ok());
                if let (Some(target), Some(datapath)) = (target, database.datapath_of(bridge))
                    && *told != Some(target)
                {
                    *told = Some(target);
                    drop(switch.send(Event::Controller(datapath, target)));
                }
            }
            if let Err(error) = moved {
                if error.kind() == io::ErrorKind::Other {
                    eprintln!("a database ended its connection: {error}");
                }
                break;
            }
        }
        if connected.elapsed() < RETRY {
            tokio::time::sleep(RETRY).await;
        }
    }
}

/// Connects as soon as the controller is up.
async fn connect(controller: &mut watch::Receiver<Option<SocketAddr>>) -> Option<TcpStream> {
    loop {
        let address = *controller.wait_for(Option::is_some).await.ok()?;
        if let Some(address) = address
            && let Ok(stream) = TcpStream::connect(address).await
        {
            return Some(stream);
        }
        tokio::time::sleep(RETRY).await;
    }
}

async fn run_switch(tables: Tables, mut events: mpsc::UnboundedReceiver<Event>, site: Site) {
    let mut agent = Agent::new(tables);
    let (mut target, mut slow) = (None, false);
    let mut up = site.gate.subscribe();
    loop {
        let Some(address) = target else {
            match events.recv().await {
                Some(Event::Controller(datapath, address)) => {
                    agent.number(datapath);
                    target = Some(address);
                }
                Some(Event::Port(number, name)) => agent.add_port(number, &name, None),
                Some(Event::Slow) => slow = true,
                Some(Event::Held(told)) => drop(told.send(agent.flows())),
                Some(Event::Cut | Event::Mute) => {}
                None => return,
            }
            continue;
        };
        if up.wait_for(Option::is_some).await.is_err() {
            return;
        }
        let connected = TcpStream::connect(address).await.and_then(Link::new);
        let Ok(mut link) = connected else {
            tokio::time::sleep(RETRY).await;
            continue;
        };
        site.counts.add(&Tally { connections: 1, ..Tally::default() });
        link.set_slow(slow);
        agent.connect(&mut link.output);
        let mut mute = false;
        loop {
            let event = tokio::select! {
                moved = link.pump(|bytes, output| agent.handle(bytes, output).map_err(io::Error::other)) => {
                    site.counts.add(&std::mem::take(&mut agent.tally));
                    if mute {
                        link.output.clear();
                    }
                    match moved {
                        Ok(()) => continue,
                        Err(error) => {
                            if error.kind() == io::ErrorKind::Other {
                                eprintln!("a switch ended its connection: {error}");
                            }
                            break;
                        }
                    }
                }
                event = events.recv() => event,
            };
            match event {
                Some(Event::Port(number, name)) => agent.add_port(number, &name, Some(&mut link.output)),
                Some(Event::Cut) => break,
                Some(Event::Slow) => {
                    slow = true;
                    link.set_slow(slow);
                }
                Some(Event::Mute) => mute = true,
                Some(Event::Held(told)) => drop(told.send(agent.flows())),
                Some(Event::Controller(..)) => {}
                None => return,
            }
        }
        agent.disconnect();
    }
}
