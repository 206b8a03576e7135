//! The switch's side of OpenFlow 1.5, as far as a controller that programs tables needs it.
//!
//! Edits are not decoded: a bundle holds numbers of flows. What is rare is decoded as everywhere else.

use super::book::Open;
use super::bundle::Bundle;
use super::counts::Tally;
use super::hash::Quick;
use super::input::Input;
use super::ledger::Bookmark;
use super::tables::{Change, Tables, refusal};
use bytes::{BufMut, Bytes, BytesMut};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use weir_openflow::message::{
    BundleControl, BundleControlKind, BundleFlags, BundleId, ErrorCode, ErrorMessage, Features, FlowUpdate, Hello,
    MultipartReply, MultipartRequest, Port, PortReason, PortStatus, RoleClaim, SwitchConfig, TableStats,
};
use weir_openflow::{DatapathId, HEADER_LEN, Header, Message, MessageKind, TableId, Xid};

/// Bytes of a refused message that an error quotes.
const QUOTE: usize = 64;

/// Bytes of entries in one part of a reply about flows.
const PART: usize = 48 * 1024;

/// `OFPC_FLOW_STATS`, `OFPC_TABLE_STATS`, `OFPC_PORT_STATS`, `OFPC_GROUP_STATS` and `OFPC_QUEUE_STATS`.
const CAPABILITIES: u32 = 0x4f;

/// How many tables a switch has.
const TABLES: u8 = 254;

/// One switch: what it holds, its ports, and its connection to the controller, if there is one.
#[derive(Debug)]
pub(crate) struct Agent {
    datapath: DatapathId,
    tables: Tables,
    ports: BTreeMap<u32, Port>,
    connection: Connection,
    /// What came and went since it was last taken.
    pub(crate) tally: Tally,
}

/// What a connection has that ends with it.
#[derive(Debug, Default)]
struct Connection {
    input: Input,
    bookmark: Bookmark,
    config: Option<SwitchConfig>,
    bundles: HashMap<u32, Bundle, Quick>,
    monitored: bool,
}

/// The connection cannot go on.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Broken(String);

impl Agent {
    /// A switch without a connection.
    pub(crate) fn new(tables: Tables) -> Self {
        Self {
            datapath: DatapathId(0),
            tables,
            ports: BTreeMap::new(),
            connection: Connection::default(),
            tally: Tally::default(),
        }
    }

    /// The database gave it its number.
    pub(crate) const fn number(&mut self, datapath: u64) {
        self.datapath = DatapathId(datapath);
    }

    /// How many flows it holds.
    pub(crate) fn flows(&self) -> u64 {
        self.tables.len() as u64
    }

    /// A connection was made.
    pub(crate) fn connect(&mut self, out: &mut BytesMut) {
        self.connection = Connection::default();
        send(out, Xid(1), &Message::Hello(Hello::openflow15()));
    }

    /// The connection is over.
    pub(crate) fn disconnect(&mut self) {
        self.connection = Connection::default();
    }

    /// A port came. Without a connection nobody is told.
    pub(crate) fn add_port(&mut self, number: u32, name: &str, out: Option<&mut BytesMut>) {
        let port = port(number, name);
        self.ports.insert(number, port.clone());
        if let Some(out) = out {
            send(out, Xid(0), &Message::PortStatus(PortStatus { reason: PortReason::Added, port }));
        }
    }

    /// Takes bytes from the controller and puts the answers.
    pub(crate) fn handle(&mut self, bytes: &[u8], out: &mut BytesMut) -> Result<(), Broken> {
        self.tally.bytes += bytes.len() as u64;
        let before = out.len();
        let book = Arc::clone(self.tables.book());
        let mut book = book.open();
        let mut input = std::mem::take(&mut self.connection.input);
        let taken = input.take(bytes, |header, message| {
            self.tally.messages += 1;
            self.take(header, message, &mut book, out);
        });
        self.connection.input = input;
        self.tally.told_bytes += (out.len() - before) as u64;
        taken.map_err(|error| Broken(error.to_string()))
    }

    fn take(&mut self, header: Header, message: &[u8], book: &mut Open<'_>, out: &mut BytesMut) {
        let xid = header.xid;
        let body = &message[HEADER_LEN..];
        let done = match header.kind {
            MessageKind::BUNDLE_ADD_MESSAGE => self.add_to_bundle(xid, body, book),
            MessageKind::FLOW_MOD | MessageKind::GROUP_MOD | MessageKind::METER_MOD => {
                self.edit(header.kind, message, book)
            }
            _ => match Message::decode(header, Bytes::copy_from_slice(body)) {
                Ok(message) => self.answer(xid, message, book, out),
                Err(_) => Err(refusal::BAD_LENGTH),
            },
        };
        if let Err(code) = done {
            let quoted = message.len().min(QUOTE);
            let mut data = BytesMut::with_capacity(QUOTE);
            data.put_slice(&[6, header.kind.0]);
            data.put_u16(header.length);
            data.put_u32(xid.0);
            data.put_slice(&message[HEADER_LEN..quoted]);
            self.refuse(xid, code, data.freeze(), out);
        }
    }

    fn refuse(&mut self, xid: Xid, code: ErrorCode, data: Bytes, out: &mut BytesMut) {
        self.tally.refusals += 1;
        send(out, xid, &Message::Error(ErrorMessage { code, data }));
    }

    /// Counts an edit and reads it.
    fn read(&mut self, kind: MessageKind, message: &[u8], book: &mut Open<'_>) -> Result<Change, ErrorCode> {
        match kind {
            MessageKind::FLOW_MOD => self.tally.flow_mods += 1,
            MessageKind::GROUP_MOD => self.tally.group_mods += 1,
            _ => self.tally.meter_mods += 1,
        }
        Change::read(book, &mut self.connection.bookmark, message)
    }

    /// An edit outside of a bundle.
    fn edit(&mut self, kind: MessageKind, message: &[u8], book: &mut Open<'_>) -> Result<(), ErrorCode> {
        if kind == MessageKind::METER_MOD {
            self.tally.meter_mods += 1;
            return self.tables.change_meter(message);
        }
        let change = self.read(kind, message, book)?;
        self.tables.commit(&[change]).map_err(|(_, code)| code)
    }

    fn add_to_bundle(&mut self, xid: Xid, body: &[u8], book: &mut Open<'_>) -> Result<(), ErrorCode> {
        /// Bytes of a bundle-add between its header and the message in it.
        const HEAD: usize = 8;
        let number = body.first_chunk().map(|number| u32::from_be_bytes(*number)).ok_or(refusal::BAD_LENGTH)?;
        let message = body.get(HEAD..).filter(|message| message.len() >= HEADER_LEN).ok_or(refusal::BAD_LENGTH)?;
        let change = self.read(MessageKind(message[1]), message, book)?;
        let bundle = self.connection.bundles.get_mut(&number).filter(|bundle| !bundle.closed);
        bundle.ok_or(refusal::BUNDLE_BAD_ID)?.add(xid, change);
        Ok(())
    }

    fn control_bundle(&mut self, xid: Xid, control: BundleControl, out: &mut BytesMut) -> Result<(), ErrorCode> {
        let bundles = &mut self.connection.bundles;
        let number = control.bundle.0;
        let kind = match control.kind {
            BundleControlKind::OpenRequest => {
                bundles.insert(number, Bundle::default());
                BundleControlKind::OpenReply
            }
            BundleControlKind::CloseRequest => {
                bundles.get_mut(&number).ok_or(refusal::BUNDLE_BAD_ID)?.closed = true;
                BundleControlKind::CloseReply
            }
            BundleControlKind::CommitRequest => {
                let bundle = bundles.remove(&number).ok_or(refusal::BUNDLE_BAD_ID)?;
                self.commit(&bundle, out)?;
                BundleControlKind::CommitReply
            }
            BundleControlKind::DiscardRequest => {
                bundles.remove(&number).ok_or(refusal::BUNDLE_BAD_ID)?;
                BundleControlKind::DiscardReply
            }
            _ => return Err(refusal::BAD_TYPE),
        };
        let reply = BundleControl { bundle: BundleId(number), kind, flags: BundleFlags::default() };
        send(out, xid, &Message::BundleControl(reply));
        Ok(())
    }

    fn commit(&mut self, bundle: &Bundle, out: &mut BytesMut) -> Result<(), ErrorCode> {
        if let Err((place, code)) = self.tables.commit(bundle.changes()) {
            self.refuse(bundle.xid(place), code, Bytes::new(), out);
            return Err(refusal::BUNDLE_FAILED);
        }
        self.tally.commits += 1;
        // Open vSwitch tells of the controller's own changes once for a bundle, abbreviated.
        if let Some(xid) = bundle.last_xid().filter(|_| self.connection.monitored) {
            let reply = MultipartReply::Monitor(vec![FlowUpdate::Abbreviated(xid)]);
            send(out, Xid(0), &Message::MultipartReply { reply, more: false });
        }
        Ok(())
    }

    fn answer(&mut self, xid: Xid, message: Message, book: &mut Open<'_>, out: &mut BytesMut) -> Result<(), ErrorCode> {
        match message {
            Message::EchoRequest(data) => send(out, xid, &Message::EchoReply(data)),
            Message::FeaturesRequest => {
                let features = Features {
                    datapath: self.datapath,
                    buffers: 0,
                    tables: TABLES,
                    auxiliary: 0,
                    capabilities: CAPABILITIES,
                };
                send(out, xid, &Message::FeaturesReply(features));
            }
            Message::GetConfigRequest => {
                let config = self.connection.config.unwrap_or(SwitchConfig { flags: 0, miss_send_len: 128 });
                send(out, xid, &Message::GetConfigReply(config));
            }
            Message::SetConfig(config) => self.connection.config = Some(config),
            Message::RoleRequest(RoleClaim { role, generation }) => {
                send(out, xid, &Message::RoleReply(RoleClaim { role, generation }));
            }
            Message::BarrierRequest => send(out, xid, &Message::BarrierReply),
            Message::BundleControl(control) => self.control_bundle(xid, control, out)?,
            Message::MultipartRequest { request, .. } => self.describe(xid, request, book, out)?,
            Message::Hello(_)
            | Message::EchoReply(_)
            | Message::Error(_)
            | Message::SetAsync(_)
            | Message::SetPacketInFormat(_)
            | Message::SetControllerId(_)
            | Message::PacketOut(_)
            | Message::CtFlush(_)
            | Message::CtFlushZone(_) => {}
            _ => return Err(refusal::BAD_TYPE),
        }
        Ok(())
    }

    fn describe(
        &mut self,
        xid: Xid,
        request: MultipartRequest,
        book: &mut Open<'_>,
        out: &mut BytesMut,
    ) -> Result<(), ErrorCode> {
        let reply = match request {
            MultipartRequest::Flows(filter) => {
                let counter = match filter.table {
                    TableId::ALL => &mut self.tally.reads,
                    _ => &mut self.tally.inspections,
                };
                *counter += 1;
                self.tell_flows(filter.table, xid, book, out);
                return Ok(());
            }
            MultipartRequest::Groups(_) => {
                self.tell_groups(xid, out);
                return Ok(());
            }
            MultipartRequest::Meters(_) => MultipartReply::Meters(self.tables.meters().cloned().collect()),
            MultipartRequest::Ports(_) => {
                let ports: Vec<Port> = self.ports.values().cloned().collect();
                let parts: Vec<_> = ports.chunks(PORTS_OF_PART).map(<[_]>::to_vec).collect();
                send_parts(xid, parts, MultipartReply::Ports, out);
                return Ok(());
            }
            MultipartRequest::TableStats => {
                let stats = (0..TABLES).map(|table| TableStats {
                    table: TableId(table),
                    active: u32::try_from(self.tables.active(table)).unwrap_or(u32::MAX),
                    lookups: 0,
                    matched: 0,
                });
                MultipartReply::TableStats(stats.collect())
            }
            MultipartRequest::Monitor(_) => {
                self.connection.monitored = true;
                MultipartReply::Monitor(Vec::new())
            }
            _ => return Err(refusal::BAD_TYPE),
        };
        send(out, xid, &Message::MultipartReply { reply, more: false });
        Ok(())
    }

    fn tell_flows(&self, table: TableId, xid: Xid, book: &mut Open<'_>, out: &mut BytesMut) {
        /// `OFPMP_FLOW_DESC`, the flag that tells that another part follows, and the bytes before the entries.
        const FLOW_DESC: u16 = 1;
        const MORE: u16 = 1;
        const HEAD: usize = 16;
        let put_head = |out: &mut BytesMut| {
            let start = out.len();
            out.put_slice(&[6, MessageKind::MULTIPART_REPLY.0, 0, 0]);
            out.put_u32(xid.0);
            out.put_u16(FLOW_DESC);
            out.put_u16(MORE);
            out.put_u32(0);
            start
        };
        let finish = |out: &mut BytesMut, start: usize| {
            let length = u16::try_from(out.len() - start).unwrap_or(u16::MAX);
            out[start + 2..start + 4].copy_from_slice(&length.to_be_bytes());
        };
        let mut start = put_head(out);
        book.records(self.tables.flows(table), |record| {
            if out.len() - start > HEAD && out.len() - start + record.entry_len() > PART {
                finish(out, start);
                start = put_head(out);
            }
            record.put_entry(out);
        });
        finish(out, start);
        out[start + 10..start + 12].fill(0);
    }

    fn tell_groups(&self, xid: Xid, out: &mut BytesMut) {
        let mut parts = vec![Vec::new()];
        let mut buckets = 0;
        for group in self.tables.groups() {
            buckets += 1 + group.buckets.len();
            if buckets > BUCKETS_OF_PART {
                buckets = 1 + group.buckets.len();
                parts.push(Vec::new());
            }
            if let Some(part) = parts.last_mut() {
                part.push(group);
            }
        }
        send_parts(xid, parts, |part| MultipartReply::Groups(part.iter().collect()), out);
    }
}

/// Ports in one part of a reply, each of which takes some 72 bytes.
const PORTS_OF_PART: usize = 512;

/// Groups and buckets in one part of a reply. A bucket takes some 100 bytes.
const BUCKETS_OF_PART: usize = 400;

fn port(number: u32, name: &str) -> Port {
    let [.., a, b, c, d] = number.to_be_bytes();
    Port {
        number: weir_openflow::PortNo(number),
        address: [0x02, 0, a, b, c, d],
        name: name.to_owned(),
        config: 0,
        state: Port::STATE_LIVE,
        ethernet: None,
    }
}

fn send_parts<T>(xid: Xid, parts: Vec<T>, wrap: impl Fn(T) -> MultipartReply, out: &mut BytesMut)
where
    T: Default,
{
    let last = parts.len().saturating_sub(1);
    if parts.is_empty() {
        return send(out, xid, &Message::MultipartReply { reply: wrap(T::default()), more: false });
    }
    for (place, part) in parts.into_iter().enumerate() {
        send(out, xid, &Message::MultipartReply { reply: wrap(part), more: place < last });
    }
}

/// Puts a message.
///
/// # Panics
/// It is too long, which the bounds on parts rule out.
fn send(out: &mut BytesMut, xid: Xid, message: &Message) {
    message.encode(xid, out).expect("messages of the simulated switch are short");
}
