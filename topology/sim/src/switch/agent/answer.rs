//! What a switch does with each request.

use super::super::bridge::Journal;
use super::super::{Datapath, FlowChange, Outcome, Refusal};
use super::bundle::{self, Bundle, Entry};
use super::connection::Connection;
use super::{Agent, ConnectionId, bridge_of, describe, monitor};
use crate::intern::Interner;
use bytes::Bytes;
use std::time::Duration;
use weir_openflow::message::{
    BundleAdd, BundleControl, BundleControlKind, BundleFlags, Features, MultipartReply, MultipartRequest, Role,
    RoleClaim,
};
use weir_openflow::{DecodeError, FlowEdit, Message, MessageKind, Xid};

/// One request at hand, with all that it may touch.
pub(super) struct Turn<'a> {
    pub(super) agent: &'a mut Agent,
    pub(super) id: ConnectionId,
    pub(super) now: Duration,
    pub(super) datapath: &'a mut Datapath,
    pub(super) interner: &'a mut Interner,
    pub(super) outcomes: Vec<Outcome>,
}

/// `OFPC_FLOW_STATS`, `OFPC_TABLE_STATS`, `OFPC_PORT_STATS`, `OFPC_GROUP_STATS` and `OFPC_QUEUE_STATS`.
const CAPABILITIES: u32 = 0x4f;

impl Turn<'_> {
    fn connection(&mut self) -> Option<&mut Connection> {
        self.agent.connections.get_mut(&self.id)
    }

    fn reply(&mut self, xid: Xid, message: &Message) {
        if let Some(connection) = self.connection() {
            connection.send(xid, message);
        }
    }

    fn is_slave(&self) -> bool {
        self.agent.connections.get(&self.id).is_some_and(|connection| connection.role == Role::Slave)
    }

    pub(super) fn answer(&mut self, (xid, message): (Xid, Result<Message, DecodeError>), quote: &Bytes) {
        let done = match message {
            Ok(message) => self.do_as_asked(xid, message, quote),
            Err(_) => Err(Refusal::BAD_LEN),
        };
        if let (Err(refusal), Some(connection)) = (done, self.connection()) {
            connection.refuse(xid, refusal, quote);
        }
    }

    fn do_as_asked(&mut self, xid: Xid, message: Message, quote: &Bytes) -> Result<(), Refusal> {
        let writes = matches!(
            message,
            Message::Edit(_)
                | Message::PacketOut(_)
                | Message::Resume(_)
                | Message::BundleControl(_)
                | Message::BundleAdd(_)
                | Message::CtFlush(_)
                | Message::CtFlushZone(_)
        );
        if writes && self.is_slave() {
            return Err(Refusal::IS_SLAVE);
        }
        match message {
            Message::EchoRequest(data) => self.reply(xid, &Message::EchoReply(data)),
            Message::FeaturesRequest => {
                let features = Features {
                    datapath: bridge_of(self.datapath, &self.agent.bridge)
                        .map(|bridge| bridge.datapath())
                        .unwrap_or_default(),
                    buffers: 0,
                    tables: describe::TABLES,
                    auxiliary: 0,
                    capabilities: CAPABILITIES,
                };
                self.reply(xid, &Message::FeaturesReply(features));
            }
            Message::GetConfigRequest => {
                let config = self.connection().map(|connection| connection.config);
                self.reply_with(xid, config.map(Message::GetConfigReply));
            }
            Message::SetConfig(config) => self.with_connection(|connection| connection.config = config),
            Message::GetAsyncRequest => {
                let config = self.connection().map(|connection| connection.async_config);
                self.reply_with(xid, config.map(Message::GetAsyncReply));
            }
            Message::SetAsync(config) => self.with_connection(|connection| connection.async_config = config),
            Message::SetPacketInFormat(format) => self.with_connection(|connection| connection.format = format),
            Message::SetControllerId(id) => self.with_connection(|connection| connection.controller_id = id),
            Message::BarrierRequest => self.reply(xid, &Message::BarrierReply),
            Message::RoleRequest(claim) => self.take_role(xid, claim)?,
            Message::Edit(edit) => {
                let changes = self.apply(&edit, &mut Journal::default())?;
                self.agent.tell_flows(&changes, Some((self.id, xid)));
            }
            Message::BundleControl(control) => self.control_bundle(xid, control)?,
            Message::BundleAdd(add) => self.add_to_bundle(add, quote)?,
            Message::PacketOut(request) => {
                let outcome = self.datapath.packet_out(self.now, &self.agent.bridge, &request)?;
                self.outcomes.push(outcome);
            }
            Message::Resume(request) => {
                let outcome = self.datapath.resume(self.now, &request)?;
                self.outcomes.push(outcome);
            }
            Message::CtFlushZone(zone) => self.datapath.conntrack_mut().flush_zone(zone),
            Message::CtFlush(request) => self.datapath.conntrack_mut().flush(&request),
            Message::MultipartRequest { request, .. } => self.describe(xid, request)?,
            Message::Hello(_) | Message::EchoReply(_) | Message::Error(_) => {}
            Message::Experimenter { .. } => return Err(Refusal::BAD_EXPERIMENTER_TYPE),
            Message::Opaque { kind: MessageKind::PORT_MOD | MessageKind::TABLE_MOD, .. } => {}
            _ => return Err(Refusal::BAD_TYPE),
        }
        Ok(())
    }

    fn reply_with(&mut self, xid: Xid, message: Option<Message>) {
        if let Some(message) = message {
            self.reply(xid, &message);
        }
    }

    fn with_connection(&mut self, change: impl FnOnce(&mut Connection)) {
        if let Some(connection) = self.connection() {
            change(connection);
        }
    }

    /// A number that is older than one seen before is stale, in the arithmetic of sequence numbers.
    fn take_role(&mut self, xid: Xid, claim: RoleClaim) -> Result<(), Refusal> {
        if matches!(claim.role, Role::Master | Role::Slave) {
            let stale = |seen: u64| (claim.generation.wrapping_sub(seen) as i64) < 0;
            if self.agent.election.is_some_and(stale) {
                return Err(Refusal::STALE_ROLE);
            }
            self.agent.election = Some(claim.generation);
        }
        if claim.role != Role::NoChange {
            self.agent.assume(self.id, claim.role);
        }
        let role = self.connection().map_or(Role::Equal, |connection| connection.role);
        let generation = self.agent.election.unwrap_or(u64::MAX);
        self.reply(xid, &Message::RoleReply(RoleClaim { role, generation }));
        Ok(())
    }

    fn apply(&mut self, edit: &FlowEdit, journal: &mut Journal) -> Result<Vec<FlowChange>, Refusal> {
        match bridge_of(self.datapath, &self.agent.bridge) {
            Some(bridge) => bridge.apply_journaled(edit, self.now, self.interner, journal),
            None => Ok(Vec::new()),
        }
    }

    fn control_bundle(&mut self, xid: Xid, control: BundleControl) -> Result<(), Refusal> {
        use BundleControlKind::{
            CloseReply, CloseRequest, CommitReply, CommitRequest, DiscardReply, DiscardRequest, OpenReply, OpenRequest,
        };
        let Some(connection) = self.connection() else {
            return Ok(());
        };
        let (bundles, bundle) = (&mut connection.bundles, control.bundle);
        let kind = match control.kind {
            OpenRequest => {
                if bundles.remove(&bundle).is_some() {
                    return Err(Refusal::BUNDLE_EXISTS);
                }
                bundles.insert(bundle, Bundle::new(control.flags));
                OpenReply
            }
            CloseRequest => {
                let open = bundles.get_mut(&bundle).ok_or(Refusal::BUNDLE_BAD_ID)?;
                if open.closed {
                    bundles.remove(&bundle);
                    return Err(Refusal::BUNDLE_CLOSED);
                }
                open.closed = true;
                CloseReply
            }
            CommitRequest => {
                let taken = bundles.remove(&bundle).ok_or(Refusal::BUNDLE_BAD_ID)?;
                if taken.flags != control.flags {
                    return Err(Refusal::BUNDLE_BAD_FLAGS);
                }
                self.commit(taken)?;
                CommitReply
            }
            DiscardRequest => {
                bundles.remove(&bundle).ok_or(Refusal::BUNDLE_BAD_ID)?;
                DiscardReply
            }
            OpenReply | CloseReply | CommitReply | DiscardReply => return Err(Refusal::BUNDLE_BAD_TYPE),
        };
        let flags = BundleFlags::default();
        self.reply(xid, &Message::BundleControl(BundleControl { bundle, kind, flags }));
        Ok(())
    }

    fn add_to_bundle(&mut self, add: BundleAdd, quote: &Bytes) -> Result<(), Refusal> {
        let edit = bundle::bundled(*add.message)?;
        let Some(connection) = self.connection() else {
            return Ok(());
        };
        // A bundle need not be opened first.
        let bundle = connection.bundles.entry(add.bundle).or_insert_with(|| Bundle::new(add.flags));
        if bundle.closed {
            connection.bundles.remove(&add.bundle);
            return Err(Refusal::BUNDLE_CLOSED);
        }
        if bundle.flags != add.flags {
            connection.bundles.remove(&add.bundle);
            return Err(Refusal::BUNDLE_BAD_FLAGS);
        }
        if bundle.entries.len() < bundle::MESSAGES_MAX {
            bundle.entries.push(Entry { xid: add.xid, edit, quote: quote.slice(quote.len().min(16)..) });
        }
        Ok(())
    }

    /// Does all of a bundle or, if one message is refused, none of it.
    fn commit(&mut self, bundle: Bundle) -> Result<(), Refusal> {
        let mut journal = Journal::default();
        let mut changes = Vec::new();
        for entry in bundle.entries {
            match self.apply(&entry.edit, &mut journal) {
                Ok(done) => changes.push((entry.xid, done)),
                Err(refusal) => {
                    if let Some(bridge) = bridge_of(self.datapath, &self.agent.bridge) {
                        bridge.revert(journal);
                    }
                    if let Some(connection) = self.connection() {
                        connection.refuse(entry.xid, refusal, &entry.quote);
                    }
                    return Err(Refusal::BUNDLE_MESSAGE_FAILED);
                }
            }
        }
        for (xid, done) in changes {
            self.agent.tell_flows(&done, Some((self.id, xid)));
        }
        Ok(())
    }

    fn describe(&mut self, xid: Xid, request: MultipartRequest) -> Result<(), Refusal> {
        let now = self.now;
        let Some(bridge) = self.datapath.bridge(&self.agent.bridge) else {
            return Ok(());
        };
        let Some(connection) = self.agent.connections.get_mut(&self.id) else {
            return Ok(());
        };
        if let MultipartRequest::Monitor(requests) = request {
            let updates = monitor::change(connection, bridge, requests);
            connection.reply_in_parts(xid, &updates, MultipartReply::Monitor);
            return Ok(());
        }
        if describe::answer(connection, bridge, xid, &request, now) { Ok(()) } else { Err(Refusal::BAD_MULTIPART) }
    }
}
