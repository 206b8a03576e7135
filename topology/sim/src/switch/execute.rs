//! The datapath: runs on the bytes what a translation asks for.

use super::conntrack::Known;
use super::outcome::{Outcome, Output, Punt};
use super::step::{Frozen, Notice, Step};
use super::translate::{Start, Translation};
use super::{Datapath, PortNo};
use crate::packet::{Fields, Packet, Tracking, Tunnel};
use bytes::Bytes;
use std::time::Duration;
use weir_openflow::message::{PacketIn, PacketOut, Resume};
use weir_openflow::{Field, Match};

/// How often one packet may be looked up anew, in one chain (`MAX_RECIRC_DEPTH` of the userspace datapath).
const RECIRCULATIONS_MAX: usize = 6;

/// A packet on its way through the datapath.
#[derive(Clone, Debug)]
struct Carried {
    packet: Packet,
    mark: u32,
    queue: u32,
    tracking: Tracking,
    known: Option<Known>,
}

impl Carried {
    fn new(packet: Packet) -> Self {
        Self { packet, mark: 0, queue: 0, tracking: Tracking::default(), known: None }
    }

    fn fields(&self) -> Fields {
        Fields { pkt_mark: self.mark, skb_priority: self.queue, ct: self.tracking, ..self.packet.fields() }
    }
}

struct Run<'a> {
    datapath: &'a mut Datapath,
    now: Duration,
    outcome: Outcome,
}

pub(super) fn arrival(
    datapath: &mut Datapath,
    now: Duration,
    bridge: usize,
    in_port: PortNo,
    packet: Packet,
    tunnel: Tunnel,
) -> Outcome {
    let carried = Carried::new(packet);
    let fields = Fields { in_port, tunnel, ..carried.fields() };
    let mut run = Run { datapath, now, outcome: Outcome::default() };
    run.datapath.trace.line(0, || format!("port {}: {}", in_port.0, carried.packet));
    run.translate(carried, bridge, fields, 0, Start::Arrival);
    run.finish()
}

pub(super) fn packet_out(
    datapath: &mut Datapath,
    now: Duration,
    bridge: usize,
    in_port: PortNo,
    request: &PacketOut,
) -> Outcome {
    let mut carried = Carried::new(Packet::new(request.packet.to_vec()));
    let mut fields = carried.fields();
    for part in &request.metadata {
        fields.set(part.field, part.value, part.mask);
    }
    fields.in_port = in_port;
    carried.mark = fields.pkt_mark;
    let mut run = Run { datapath, now, outcome: Outcome::default() };
    run.translate(carried, bridge, fields, 0, Start::Actions(&request.actions));
    run.finish()
}

pub(super) fn resume(datapath: &mut Datapath, now: Duration, state: Frozen, request: &Resume) -> Outcome {
    let mut carried = Carried::new(Packet::new(request.packet.to_vec()));
    let mut fields = carried.fields();
    (fields.metadata, fields.regs) = (state.metadata, state.regs);
    (fields.in_port, fields.tunnel) = (state.in_port, state.tunnel);
    for part in &request.metadata {
        fields.set(part.field, part.value, part.mask);
    }
    carried.mark = fields.pkt_mark;
    carried.tracking = fields.ct;
    let mut run = Run { datapath, now, outcome: Outcome::default() };
    let bridge = state.bridge;
    run.translate(carried, bridge, fields, 0, Start::Thaw(Box::new(state)));
    run.finish()
}

impl Run<'_> {
    fn finish(mut self) -> Outcome {
        self.outcome.trace = std::mem::take(&mut self.datapath.trace);
        self.outcome.learned = std::mem::take(&mut self.datapath.learned);
        self.outcome
    }

    fn translate(&mut self, mut carried: Carried, bridge: usize, fields: Fields, turns: usize, start: Start<'_>) {
        let length = carried.packet.bytes().len();
        let mut translation = Translation::new(self.datapath, self.now, bridge, fields, length);
        translation.run_from(start);
        let steps = std::mem::take(&mut translation.steps);
        let (resubmits, aborts) = (translation.resubmits, std::mem::take(&mut translation.aborts));
        self.outcome.resubmits = self.outcome.resubmits.max(resubmits);
        self.outcome.aborts.extend(aborts);
        self.steps(&mut carried, steps, turns);
    }

    fn steps(&mut self, carried: &mut Carried, steps: Vec<Step>, turns: usize) {
        for step in steps {
            match step {
                Step::Rewrite(change) => {
                    let (before, after) = &*change;
                    carried.packet.rewrite(before, after);
                    carried.mark = after.pkt_mark;
                    carried.queue = after.skb_priority;
                    if before.is_ip() {
                        carried.known = None;
                    }
                }
                Step::Output { bridge, port, tunnel } => self.outcome.outputs.push(Output {
                    bridge: self.datapath.bridges[bridge].name().to_owned(),
                    port,
                    packet: carried.packet.clone(),
                    tunnel,
                    mark: carried.mark,
                    queue: carried.queue,
                }),
                Step::Punt(notice) => self.punt(carried, *notice),
                Step::Track(step) => {
                    let Carried { packet, tracking, known, .. } = carried;
                    self.datapath.conntrack.track(packet, tracking, known, &step, self.now);
                }
                Step::ClearTracking => {
                    carried.tracking = Tracking::default();
                    carried.known = None;
                }
                Step::Recirculate(state) => self.recirculate(carried.clone(), *state, turns + 1),
                Step::Clone(steps) => self.steps(&mut carried.clone(), steps, turns),
                Step::Meter { bridge, meter } => {
                    let length = carried.packet.bytes().len();
                    let record = self.datapath.bridges[bridge].meters.get_mut(&meter);
                    if record.is_some_and(|record| !record.admit(length, self.now)) {
                        self.datapath.trace.line(0, || format!("dropped by meter {}", meter.0));
                        return;
                    }
                }
                Step::Drop(drop) => self.outcome.drops.push(drop),
            }
        }
    }

    fn recirculate(&mut self, carried: Carried, state: Frozen, turns: usize) {
        if turns > RECIRCULATIONS_MAX {
            self.datapath.trace.line(0, || "too many recirculations".to_owned());
            return;
        }
        self.outcome.recirculations += 1;
        let mut fields = carried.fields();
        (fields.metadata, fields.regs) = (state.metadata, state.regs);
        (fields.in_port, fields.tunnel) = (state.in_port, state.tunnel);
        self.datapath
            .trace
            .line(0, || format!("recirculated with ct_state {:#04x} zone {}", fields.ct.state, fields.ct.zone));
        let bridge = state.bridge;
        self.translate(carried, bridge, fields, turns, Start::Thaw(Box::new(state)));
    }

    fn punt(&mut self, carried: &Carried, notice: Notice) {
        let bytes = carried.packet.bytes();
        let kept = bytes.len().min(usize::from(notice.max_len));
        // A paused packet is never cut off: it has to go on.
        let kept = if notice.continuation.is_some() { bytes.len() } else { kept };
        let continuation = notice.continuation.map(|state| Bytes::from(self.datapath.pause(state)));
        self.outcome.punts.push(Punt {
            bridge: self.datapath.bridges[notice.bridge].name().to_owned(),
            controller: notice.controller,
            packet_in: PacketIn {
                packet: Bytes::copy_from_slice(&bytes[..kept]),
                full_len: bytes.len() as u32,
                buffer: None,
                table: notice.table,
                cookie: notice.cookie,
                reason: notice.reason,
                metadata: metadata_of(&notice.fields),
                userdata: Bytes::from(notice.userdata),
                continuation,
            },
        });
    }
}

/// The metadata that a packet-in tells: the input port and whatever is not zero.
fn metadata_of(fields: &Fields) -> Match {
    let told = [
        Field::TunId,
        Field::TunSrc,
        Field::TunDst,
        Field::TunIpv6Src,
        Field::TunIpv6Dst,
        Field::Metadata,
        Field::PktMark,
        Field::CtState,
        Field::CtZone,
        Field::CtMark,
        Field::CtLabel,
    ];
    let mut metadata = Match::new().in_port(fields.in_port);
    for field in told.into_iter().chain((0..16).map(Field::reg)) {
        let value = fields.get(field);
        if value != 0 {
            metadata.insert(field, value, field.ones());
        }
    }
    metadata
}
