//! A tap between switches and the controller, which counts what passes. Real switches count little of it themselves.

use super::counts::Counts;
use super::wire::{Side, Wire};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::Failure;

/// The address at which switches find the tap, at the controller's port: the controller, which advertises it, is at another
/// one.
pub(crate) const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

/// Bytes moved at once.
const PIECE: usize = 64 * 1024;

/// A tap that listens.
#[derive(Debug)]
pub(crate) struct Tap {
    cut: watch::Sender<()>,
}

impl Tap {
    /// Takes the switches' connections and passes them on to the controller.
    pub(crate) fn start(runtime: &Runtime, controller: SocketAddr, counts: &Arc<Counts>) -> Result<Self, Failure> {
        let address = SocketAddr::new(ADDRESS, controller.port());
        let listener = runtime.block_on(TcpListener::bind(address)).map_err(|error| format!("{address}: {error}"))?;
        let (cut, _) = watch::channel(());
        let (cuts, counts) = (cut.clone(), Arc::clone(counts));
        runtime.spawn(async move {
            loop {
                match listener.accept().await {
                    Ok((switch, _)) => {
                        tokio::spawn(connect(switch, controller, Arc::clone(&counts), cuts.subscribe()));
                    }
                    Err(error) => return eprintln!("the tap takes no more switches: {error}"),
                }
            }
        });
        Ok(Self { cut })
    }

    /// Cuts all connections.
    pub(crate) fn cut(&self) {
        self.cut.send_replace(());
    }
}

async fn connect(switch: TcpStream, controller: SocketAddr, counts: Arc<Counts>, cut: watch::Receiver<()>) {
    // The switch finds its connection closed as it would find the controller's port closed.
    let Ok(controller) = TcpStream::connect(controller).await else { return };
    match relay(switch, controller, &counts, cut).await {
        // Either side may end a connection, also in the middle of something.
        Ok(()) => {}
        Err(error) if error.kind() != io::ErrorKind::InvalidData => {}
        Err(error) => eprintln!("the tap cannot read a connection: {error}"),
    }
}

/// Passes on what both sides say until one of them ends the connection, or it is cut.
async fn relay(
    mut switch: TcpStream,
    mut controller: TcpStream,
    counts: &Counts,
    mut cut: watch::Receiver<()>,
) -> io::Result<()> {
    switch.set_nodelay(true)?;
    controller.set_nodelay(true)?;
    let (from_switch, to_switch) = switch.split();
    let (from_controller, to_controller) = controller.split();
    tokio::select! {
        done = pass(from_controller, to_switch, Wire::new(Side::Controller), counts) => done,
        done = pass(from_switch, to_controller, Wire::new(Side::Switch), counts) => done,
        _ = cut.changed() => Ok(()),
    }
}

async fn pass(mut from: ReadHalf<'_>, mut to: WriteHalf<'_>, mut wire: Wire, counts: &Counts) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        let length = from.read(&mut piece).await?;
        if length == 0 {
            return Ok(());
        }
        let tally = wire.take(&piece[..length]).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        counts.add(&tally);
        to.write_all(&piece[..length]).await?;
    }
}
