//! What goes wrong, drawn from a seed: links that break or are slow, and switches whose tables others change.

use crate::fabric::{Fabric, INTEGRATION, TUNNEL};
use crate::seed::Seed;
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;
use std::time::Duration;
use weir_model::HostName;
use weir_openflow::{Action, Cookie, Flow, FlowEdit, GroupId, Match, TableId};

/// Something that goes wrong with one bridge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection breaks; what was under way in both directions is lost.
    Disconnect,
    /// The switch does what it is told from now on, but nothing that it says arrives until the connection breaks.
    LoseAnswers,
    /// What the switch says takes this much longer.
    Slow(Duration),
    /// The whole hypervisor's switch restarts with empty tables.
    Restart,
    /// Somebody deletes about one flow in this many.
    DeleteFlows(usize),
    /// Somebody makes a flow drop what it should pass.
    AlterFlow,
    /// Somebody adds a flow.
    ForeignFlow,
    /// Somebody takes a group away, and with it the flows that use it.
    DeleteGroup,
}

/// A fault and where it happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The hypervisor.
    pub host: HostName,
    /// The bridge.
    pub bridge: &'static str,
    /// What goes wrong.
    pub fault: Fault,
}

/// The trouble that comes next; none without hypervisors.
pub fn draw(seed: &mut Seed, fabric: &Fabric) -> Option<Trouble> {
    let hosts: Vec<HostName> = fabric.hosts().map(|host| host.name().clone()).collect();
    let host = seed.pick(&hosts)?.clone();
    let bridge = if seed.chance(2, 3) { INTEGRATION } else { TUNNEL };
    let fault = match seed.below(10) {
        0 => Fault::Disconnect,
        1 | 2 => Fault::LoseAnswers,
        3 => Fault::Slow(Duration::from_millis(1 + seed.below(900) as u64)),
        4 => Fault::Restart,
        5 | 6 => Fault::DeleteFlows(1 + seed.below(4)),
        7 => Fault::AlterFlow,
        8 => Fault::ForeignFlow,
        _ => Fault::DeleteGroup,
    };
    Some(Trouble { host, bridge, fault })
}

/// Does to the switch what the fault says, and tells its controllers as a switch does. Faults of the connection are the
/// caller's to carry out; whether this was one that the fabric could.
pub fn inflict(fabric: &mut Fabric, trouble: &Trouble, seed: &mut Seed) -> bool {
    let Trouble { host, bridge, fault } = trouble;
    let flows: Vec<Flow> = {
        let found = fabric.host(host).and_then(|host| host.datapath().bridge(bridge));
        found.into_iter().flat_map(|bridge| bridge.flows().map(|flow| Flow::clone(flow))).collect()
    };
    let edits: Vec<FlowEdit> = match fault {
        Fault::Disconnect | Fault::LoseAnswers | Fault::Slow(_) => return false,
        Fault::Restart => {
            if let Some(found) = fabric.host_mut(host) {
                found.restart();
            }
            Vec::new()
        }
        Fault::DeleteFlows(share) => {
            let chosen = flows.iter().filter(|_| seed.chance(1, *share));
            chosen.map(|flow| FlowEdit::DeleteFlow(flow.key.clone())).collect()
        }
        Fault::AlterFlow => {
            let altered = seed.pick(&flows).map(|flow| {
                let mut altered = flow.clone();
                altered.instructions.apply = vec![Action::Note(vec![0; 6])];
                altered.instructions.goto = None;
                altered
            });
            altered.into_iter().map(FlowEdit::AddFlow).collect()
        }
        Fault::ForeignFlow => {
            let table = TableId(seed.below(80) as u8);
            let matching = Match::new().eth_type(0x0800).reg(7, seed.below(100) as u32);
            vec![FlowEdit::AddFlow(Flow::new(table, 7777, matching).cookie(Cookie(0xbad)))]
        }
        Fault::DeleteGroup => {
            let groups: Vec<GroupId> = fabric
                .host(host)
                .and_then(|host| host.datapath().bridge(bridge))
                .map(|bridge| bridge.content().groups.into_keys().collect())
                .unwrap_or_default();
            seed.pick(&groups).map(|group| FlowEdit::DeleteGroup(*group)).into_iter().collect()
        }
    };
    for edit in &edits {
        fabric.tamper(host, bridge, edit);
    }
    true
}

/// One direction of a connection: bytes arrive in order, after a delay, unless they are lost.
#[derive(Clone, Debug, Default)]
pub struct Line {
    delay: Duration,
    deaf: bool,
    under_way: VecDeque<(Duration, Bytes)>,
}

impl Line {
    /// Makes what is sent from now on take this much longer.
    pub fn slow_down(&mut self, delay: Duration) {
        self.delay = delay;
    }

    /// Loses everything that is sent from now on.
    pub fn lose_all(&mut self) {
        self.deaf = true;
        self.under_way.clear();
    }

    /// Sends bytes.
    pub fn push(&mut self, now: Duration, bytes: Bytes) {
        if !bytes.is_empty() && !self.deaf {
            let after = self.under_way.back().map_or(now, |(arrival, _)| *arrival);
            self.under_way.push_back(((now + self.delay).max(after), bytes));
        }
    }

    /// Takes what has arrived.
    pub fn pop(&mut self, now: Duration) -> BytesMut {
        let mut arrived = BytesMut::new();
        while self.next_arrival().is_some_and(|arrival| arrival <= now) {
            if let Some((_, bytes)) = self.under_way.pop_front() {
                arrived.extend_from_slice(&bytes);
            }
        }
        arrived
    }

    /// When something arrives next.
    pub fn next_arrival(&self) -> Option<Duration> {
        self.under_way.front().map(|(arrival, _)| *arrival)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_keeps_the_order_whatever_its_delay() {
        let seconds = Duration::from_secs;
        let mut line = Line::default();
        line.slow_down(seconds(5));
        line.push(seconds(0), Bytes::from_static(b"a"));
        line.slow_down(seconds(0));
        line.push(seconds(1), Bytes::from_static(b"b"));
        assert_eq!(line.pop(seconds(4)), "");
        assert_eq!(line.next_arrival(), Some(seconds(5)));
        assert_eq!(line.pop(seconds(5)), "ab");
        line.push(seconds(6), Bytes::from_static(b"c"));
        line.lose_all();
        line.push(seconds(7), Bytes::from_static(b"d"));
        assert_eq!(line.pop(seconds(9)), "");
    }
}
