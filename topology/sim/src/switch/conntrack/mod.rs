//! The connection tracker of a datapath, shared by its bridges.

mod nat;
mod state;
mod tuple;

pub use tuple::{Endpoint, Tuple};

use super::step::TrackStep;
use crate::packet::{Packet, Tracking};
use state::{State, Update};
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::time::Duration;
use weir_openflow::message::{CtFlush, CtL4, CtTuple};

/// `ct_state`: the start of a connection.
pub const CT_NEW: u8 = 0x01;
/// `ct_state`: part of a connection that both ends know.
pub const CT_ESTABLISHED: u8 = 0x02;
/// `ct_state`: an error about a connection.
pub const CT_RELATED: u8 = 0x04;
/// `ct_state`: in the direction of the answers.
pub const CT_REPLY: u8 = 0x08;
/// `ct_state`: nothing that could be tracked.
pub const CT_INVALID: u8 = 0x10;
/// `ct_state`: went through the tracker.
pub const CT_TRACKED: u8 = 0x20;
/// `ct_state`: its source was translated.
pub const CT_SNAT: u8 = 0x40;
/// `ct_state`: its destination was translated.
pub const CT_DNAT: u8 = 0x80;

/// A connection that was committed.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The first direction, as its packets come in.
    pub original: Tuple,
    /// The answers, as they come in.
    pub reply: Tuple,
    /// Mark.
    pub mark: u32,
    /// Label.
    pub label: u128,
    nat: Option<nat::Side>,
    state: State,
    expires: Duration,
}

/// Which connection a packet belongs to, so that a second visit to the same zone need not look it up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    id: u64,
    zone: u16,
    reply: bool,
    related: bool,
}

/// The connections of a datapath.
#[derive(Debug, Default)]
pub struct Conntrack {
    connections: BTreeMap<u64, Connection>,
    /// Both directions of each connection; true for the answers.
    index: HashMap<Tuple, (u64, bool)>,
    last: u64,
}

impl Conntrack {
    /// The connections that last at `now`.
    pub fn connections(&self, now: Duration) -> impl Iterator<Item = &Connection> {
        self.connections.values().filter(move |connection| now < connection.expires)
    }

    fn find(&self, tuple: &Tuple, now: Duration) -> Option<(u64, bool)> {
        let (id, reply) = *self.index.get(tuple)?;
        self.connections.get(&id).filter(|connection| now < connection.expires)?;
        Some((id, reply))
    }

    fn remove(&mut self, id: u64) {
        if let Some(connection) = self.connections.remove(&id) {
            for tuple in [connection.original, connection.reply] {
                if self.index.get(&tuple).is_some_and(|(owner, _)| *owner == id) {
                    self.index.remove(&tuple);
                }
            }
        }
    }

    /// Forgets the connections whose time is over.
    pub fn expire(&mut self, now: Duration) {
        self.remove_where(|connection| connection.expires <= now);
    }

    /// Forgets the connections of a zone.
    pub fn flush_zone(&mut self, zone: u16) {
        self.remove_where(|connection| connection.original.zone == zone);
    }

    /// Forgets the connections that the request names.
    pub fn flush(&mut self, request: &CtFlush) {
        self.remove_where(|connection| {
            request.zone.is_none_or(|zone| zone == connection.original.zone)
                && (request.protocol == 0 || request.protocol == connection.original.protocol)
                && named(&request.original, &connection.original)
                && named(&request.reply, &connection.reply)
        });
    }

    fn remove_where(&mut self, which: impl Fn(&Connection) -> bool) {
        let ids: Vec<u64> =
            self.connections.iter().filter(|(_, connection)| which(connection)).map(|(id, _)| *id).collect();
        for id in ids {
            self.remove(id);
        }
    }

    /// What the tracker tells of a packet that is tracked in a zone for the first time.
    pub(crate) fn look_up(&mut self, packet: &Packet, zone: u16, now: Duration) -> Tracking {
        self.visit(packet, zone, None, now)
    }

    /// Commits the connection of a packet that is tracked in a zone for the first time, with the bits of its label that
    /// the mask has.
    pub(crate) fn commit(&mut self, packet: &Packet, zone: u16, label: (u128, u128), now: Duration) -> Tracking {
        self.visit(packet, zone, Some(label), now)
    }

    fn visit(&mut self, packet: &Packet, zone: u16, label: Option<(u128, u128)>, now: Duration) -> Tracking {
        let step = TrackStep { zone, tags: 1, commit: label.is_some(), force: false, mark: None, label, nat: None };
        let mut tracking = Tracking::default();
        self.track(&mut packet.clone(), &mut tracking, &mut None, &step, now);
        tracking
    }

    /// Passes a packet through the tracker: sets what it knows of the packet, translates addresses, commits.
    pub(super) fn track(
        &mut self,
        packet: &mut Packet,
        tracking: &mut Tracking,
        known: &mut Option<Known>,
        step: &TrackStep,
        now: Duration,
    ) {
        if let Some(cached) = known.filter(|cached| cached.zone == step.zone && !step.force)
            && let Some(connection) = self.connections.get(&cached.id)
        {
            if step.nat.is_some() {
                apply_nat(packet, tracking, connection, step, cached.reply, cached.related);
                *known = None;
            }
            tracking.zone = step.zone;
            (tracking.mark, tracking.label) = (connection.mark, connection.label);
            self.set_mark_and_label(Some(cached.id), tracking, step);
            return;
        }
        let (fields, layout) = packet.headers(step.tags);
        let Some((tuple, related)) = Tuple::of_packet(packet.bytes(), &fields, &layout, step.zone) else {
            tracking.state = CT_INVALID;
            write_metadata(tracking, step.zone, None, None);
            *known = None;
            return;
        };
        let flags = (fields.tcp_flags & 0xff) as u8;
        self.process(packet, tracking, known, step, tuple, related, flags, now);
    }

    #[expect(clippy::too_many_arguments, reason = "each is a part of the one packet at hand")]
    fn process(
        &mut self,
        packet: &mut Packet,
        tracking: &mut Tracking,
        known: &mut Option<Known>,
        step: &TrackStep,
        mut tuple: Tuple,
        related: bool,
        flags: u8,
        now: Duration,
    ) {
        if tracking.state != 0 && tracking.zone != step.zone {
            tracking.state = 0;
        }
        let translated = tracking.state & (CT_SNAT | CT_DNAT) != 0;
        let mut found = if translated {
            // A packet that was translated is known by what would answer it.
            self.find(&tuple.reversed(), now).map(|(id, reply)| (id, !reply))
        } else {
            self.find(&tuple, now)
        };
        if let (true, Some((id, reply))) = (translated, found)
            && let Some(connection) = self.connections.get(&id)
        {
            tuple = if reply { connection.reply } else { connection.original };
        }
        if let Some((id, true)) = found
            && step.force
        {
            self.remove(id);
            found = None;
        }
        let mut create = false;
        match found {
            Some((id, reply)) => {
                create = self.update(id, reply, related, tracking, flags, now);
                if create {
                    self.remove(id);
                    found = None;
                } else if step.nat.is_some()
                    && let Some(connection) = self.connections.get(&id)
                {
                    apply_nat(packet, tracking, connection, step, reply, related);
                }
            }
            None if related => tracking.state = CT_INVALID,
            None => create = true,
        }
        if create && self.find(&tuple, now).is_none() {
            found = self.open(packet, tracking, step, tuple, flags, now).map(|id| (id, false));
        }
        let connection = found.and_then(|(id, _)| self.connections.get(&id));
        write_metadata(tracking, step.zone, connection, Some(&tuple));
        self.set_mark_and_label(found.map(|(id, _)| id), tracking, step);
        *known = match (found, step.nat) {
            (Some((id, reply)), None) => Some(Known { id, zone: step.zone, reply, related }),
            _ => None,
        };
    }

    /// Takes a packet of a known connection into account; true if it starts the connection anew.
    fn update(
        &mut self,
        id: u64,
        reply: bool,
        related: bool,
        tracking: &mut Tracking,
        flags: u8,
        now: Duration,
    ) -> bool {
        let Some(connection) = self.connections.get_mut(&id) else {
            return true;
        };
        if related {
            tracking.state |= CT_RELATED | if reply { CT_REPLY } else { 0 };
            return false;
        }
        match connection.state.update(reply, flags) {
            Update::Established => {
                tracking.state |= CT_ESTABLISHED | if reply { CT_REPLY } else { 0 };
                tracking.state &= !CT_NEW;
            }
            Update::New => tracking.state |= CT_NEW,
            Update::Restart => return true,
            Update::Invalid => {
                tracking.state = CT_INVALID;
                return false;
            }
        }
        connection.expires = now + connection.state.timeout();
        false
    }

    /// Marks a packet as the start of a connection, and commits the connection if asked to.
    fn open(
        &mut self,
        packet: &mut Packet,
        tracking: &mut Tracking,
        step: &TrackStep,
        tuple: Tuple,
        flags: u8,
        now: Duration,
    ) -> Option<u64> {
        let Some(state) = State::first(&tuple, flags) else {
            tracking.state = CT_INVALID;
            return None;
        };
        tracking.state = CT_NEW;
        if !step.commit {
            return None;
        }
        let reply = match &step.nat {
            Some(nat) => nat::unique_reply(self, &tuple, nat, now)?,
            None => tuple.reversed(),
        };
        let connection = Connection {
            original: tuple,
            reply,
            mark: 0,
            label: 0,
            nat: step.nat.as_ref().and_then(nat::side),
            state,
            expires: now + state.timeout(),
        };
        tracking.state |= nat::translate(packet, step.tags, &connection, false, false);
        // What had the same tuples and is over makes room.
        for taken in [connection.original, connection.reply] {
            if let Some((id, _)) = self.index.get(&taken).copied() {
                self.remove(id);
            }
        }
        self.last += 1;
        self.index.insert(connection.reply, (self.last, true));
        self.index.insert(connection.original, (self.last, false));
        self.connections.insert(self.last, connection);
        Some(self.last)
    }

    fn set_mark_and_label(&mut self, id: Option<u64>, tracking: &mut Tracking, step: &TrackStep) {
        let Some(connection) = id.and_then(|id| self.connections.get_mut(&id)) else {
            return;
        };
        if let Some((value, mask)) = step.mark {
            tracking.mark = value | (tracking.mark & !mask);
            connection.mark = tracking.mark;
        }
        if let Some((value, mask)) = step.label {
            tracking.label = value | (tracking.label & !mask);
            connection.label = tracking.label;
        }
    }
}

/// Translates the packet unless that was done in this zone already.
fn apply_nat(
    packet: &mut Packet,
    tracking: &mut Tracking,
    connection: &Connection,
    step: &TrackStep,
    reply: bool,
    related: bool,
) {
    let done = tracking.state & (CT_SNAT | CT_DNAT) != 0;
    if connection.nat.is_some() && (!done || step.zone != tracking.zone) {
        tracking.state &= !(CT_SNAT | CT_DNAT);
        tracking.state |= nat::translate(packet, step.tags, connection, reply, related);
    }
}

/// Notes what the tracker knows in the packet's metadata.
fn write_metadata(tracking: &mut Tracking, zone: u16, connection: Option<&Connection>, tuple: Option<&Tuple>) {
    let original = connection.map(|connection| &connection.original).or(tuple);
    let mut noted = Tracking {
        state: tracking.state | CT_TRACKED,
        zone,
        mark: connection.map_or(0, |connection| connection.mark),
        label: connection.map_or(0, |connection| connection.label),
        ..Tracking::default()
    };
    if let Some(tuple) = original {
        noted.nw_proto = tuple.protocol;
        match (tuple.src.address, tuple.dst.address) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => (noted.nw_src, noted.nw_dst) = (src.into(), dst.into()),
            (IpAddr::V6(src), IpAddr::V6(dst)) => (noted.ipv6_src, noted.ipv6_dst) = (src.into(), dst.into()),
            _ => {}
        }
        (noted.tp_src, noted.tp_dst) = if tuple.is_icmp() {
            (tuple.src.icmp.0.into(), tuple.src.icmp.1.into())
        } else {
            (tuple.src.port, tuple.dst.port)
        };
    }
    *tracking = noted;
}

/// Whether a request's tuple, in which what is not told stands for any, names this one.
fn named(asked: &CtTuple, tuple: &Tuple) -> bool {
    let any = |asked: u16, present: u16| asked == 0 || asked == present;
    asked.src.is_none_or(|address| address == tuple.src.address)
        && asked.dst.is_none_or(|address| address == tuple.dst.address)
        && match asked.l4 {
            CtL4::Any => true,
            CtL4::Ports { src, dst } => any(src, tuple.src.port) && any(dst, tuple.dst.port),
            CtL4::Icmp { id, kind, code } => any(id, tuple.src.port) && tuple.src.icmp == (kind, code),
        }
}
