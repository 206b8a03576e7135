//! How far a connection has come, with the time that each state lasts in Open vSwitch's userspace datapath.

use super::tuple::Tuple;
use crate::packet::protocol;
use std::time::Duration;

const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 16;
const ONLY_WITH_ACK: u8 = FIN | 8 | 32;

/// How far one end of a TCP connection has come, in the order of `ct_dpif_tcp_state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TcpEnd {
    Closed,
    SynSent,
    Established,
    Closing,
    FinWait2,
    TimeWait,
}

/// How far a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// The ends of a TCP connection, the initiator first. Sequence numbers are not checked.
    Tcp([TcpEnd; 2]),
    /// ICMP, and whether it was answered.
    Icmp { answered: bool },
    /// Any other protocol: how many packets were seen before an answer, up to 2, and whether there was one.
    Other { packets: u8, answered: bool },
}

/// What a packet is for a connection that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Update {
    /// A part of an established connection.
    Established,
    /// Still a part of its opening.
    New,
    /// The start of another connection with the same tuple.
    Restart,
    /// Nothing that could be part of it.
    Invalid,
}

/// Whether no TCP stack would send these flags.
fn impossible(flags: u8) -> bool {
    let syn = flags & SYN != 0;
    (syn && flags & (RST | FIN) != 0)
        || (!syn && flags & (ACK | RST) == 0)
        || (flags & ACK == 0 && flags & ONLY_WITH_ACK != 0)
}

impl State {
    /// The state after the first packet; none if a packet of these TCP flags or ICMP type opens nothing.
    pub(super) fn first(tuple: &Tuple, tcp_flags: u8) -> Option<Self> {
        match tuple.protocol {
            protocol::TCP => {
                let opens = !impossible(tcp_flags) && tcp_flags & (SYN | ACK) != SYN | ACK;
                opens.then_some(Self::Tcp([TcpEnd::SynSent, TcpEnd::Closed]))
            }
            protocol::ICMP => matches!(tuple.src.icmp.0, 8 | 13 | 15).then_some(Self::Icmp { answered: false }),
            protocol::ICMPV6 => (tuple.src.icmp.0 == 128).then_some(Self::Icmp { answered: false }),
            _ => Some(Self::Other { packets: 1, answered: false }),
        }
    }

    /// Takes a further packet into account.
    pub(super) fn update(&mut self, reply: bool, tcp_flags: u8) -> Update {
        match self {
            Self::Tcp(ends) => update_tcp(ends, reply, tcp_flags),
            Self::Icmp { answered } => {
                *answered |= reply;
                if *answered { Update::Established } else { Update::New }
            }
            Self::Other { packets, answered } => {
                *answered |= reply;
                *packets = 2;
                if *answered { Update::Established } else { Update::New }
            }
        }
    }

    /// How long the connection lasts without a further packet.
    pub(super) fn timeout(&self) -> Duration {
        Duration::from_secs(match self {
            Self::Tcp(ends) => {
                let [low, high] = [ends[0].min(ends[1]), ends[0].max(ends[1])];
                if low >= TcpEnd::FinWait2 {
                    30
                } else if low >= TcpEnd::Closing {
                    45
                } else if low < TcpEnd::Established {
                    30
                } else if high >= TcpEnd::Closing {
                    900
                } else {
                    86_400
                }
            }
            Self::Icmp { answered: false } | Self::Other { answered: false, .. } => 60,
            Self::Icmp { .. } | Self::Other { .. } => 30,
        })
    }
}

fn update_tcp(ends: &mut [TcpEnd; 2], reply: bool, flags: u8) -> Update {
    if impossible(flags) {
        return Update::Invalid;
    }
    let (from, to) = (usize::from(reply), usize::from(!reply));
    if flags & (SYN | ACK) == SYN {
        if ends[from] >= TcpEnd::FinWait2 && ends[to] >= TcpEnd::FinWait2 {
            return Update::Restart;
        }
        if ends[from] <= TcpEnd::SynSent {
            ends[from] = TcpEnd::SynSent;
            return Update::New;
        }
    }
    ends[from] = ends[from].max(TcpEnd::SynSent);
    if flags & FIN != 0 {
        ends[from] = ends[from].max(TcpEnd::Closing);
    }
    if flags & ACK != 0 {
        match ends[to] {
            TcpEnd::SynSent => ends[to] = TcpEnd::Established,
            TcpEnd::Closing => ends[to] = TcpEnd::FinWait2,
            _ => {}
        }
    }
    if flags & RST != 0 {
        *ends = [TcpEnd::TimeWait; 2];
    }
    Update::Established
}
