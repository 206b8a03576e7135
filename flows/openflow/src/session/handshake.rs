//! From the first byte to readiness.

use super::SessionConfig;
use super::event::{CloseReason, SessionEvent};
use crate::message::{
    ErrorMessage, Features, Hello, Message, MultipartReply, MultipartRequest, Port, PortReason, PortStatus, Role,
    RoleClaim, SwitchConfig,
};
use crate::{HEADER_LEN, MessageKind, PortNo, VERSION, Xid};
use std::collections::BTreeMap;
use std::time::Instant;

/// The most ports of a switch: as many as OpenFlow 1.0's 16 bits can tell, to which Open vSwitch keeps.
const MAX_PORTS: usize = 0x1_0000;

/// From the first byte to readiness: the versions are agreed; then all questions are asked at once, and the answer to
/// a barrier behind them ends the handshake.
#[derive(Debug)]
pub(super) struct Handshake {
    pub(super) deadline: Instant,
    asked: Option<Asked>,
}

#[derive(Debug)]
struct Asked {
    steps: Vec<(Xid, &'static str)>,
    features: Option<Features>,
    role: bool,
    ports: BTreeMap<PortNo, Port>,
    port_bytes: usize,
    all_ports: bool,
    changed: BTreeMap<PortNo, PortStatus>,
}

/// What follows from a message of the handshake.
#[derive(Debug)]
pub(super) enum Progress {
    /// Nothing yet.
    Wait,
    /// The versions are agreed: ask these questions.
    Ask(Vec<(&'static str, Message)>),
    /// The switch is ready.
    Ready(SessionEvent),
    /// Answer the echo.
    Echo(Message),
    /// It failed; the message, if any, tells the switch why.
    Fail(CloseReason, Option<(u8, Message)>),
}

const FEATURES: &str = "features request";
const ROLE: &str = "role request";
const PORTS: &str = "request for the ports";
const BARRIER: &str = "barrier request";

impl Handshake {
    pub(super) const fn new(deadline: Instant) -> Self {
        Self { deadline, asked: None }
    }

    /// What the switch has not yet answered.
    pub(super) fn awaited(&self) -> &'static str {
        match &self.asked {
            None => "hello",
            Some(asked) if asked.features.is_none() => "answer to the features request",
            Some(asked) if !asked.role => "answer to the role request",
            Some(asked) if !asked.all_ports => "list of the ports",
            Some(_) => "answer to the barrier request",
        }
    }

    /// The questions were sent with these xids.
    pub(super) fn asked(&mut self, steps: Vec<(Xid, &'static str)>) {
        self.asked = Some(Asked {
            steps,
            features: None,
            role: false,
            ports: BTreeMap::new(),
            port_bytes: 0,
            all_ports: false,
            changed: BTreeMap::new(),
        });
    }

    fn questions(config: &SessionConfig) -> Vec<(&'static str, Message)> {
        let claim = RoleClaim { role: Role::Master, generation: config.generation };
        let mut questions = vec![
            (FEATURES, Message::FeaturesRequest),
            (ROLE, Message::RoleRequest(claim)),
            ("packet-in format", Message::SetPacketInFormat(config.packet_in_format)),
            ("choice of asynchronous messages", Message::SetAsync(config.asynchronous)),
            ("configuration", Message::SetConfig(SwitchConfig { flags: 0, miss_send_len: u16::MAX })),
        ];
        if config.controller_id != 0 {
            questions.push(("controller id", Message::SetControllerId(config.controller_id)));
        }
        let ports = Message::MultipartRequest { request: MultipartRequest::Ports(PortNo::ANY), more: false };
        questions.push((PORTS, ports));
        questions.push((BARRIER, Message::BarrierRequest));
        questions
    }

    /// Takes a message of `length` bytes.
    pub(super) fn take(&mut self, xid: Xid, message: Message, length: u16, config: &SessionConfig) -> Progress {
        let unexpected = |awaited, message: &Message| {
            Progress::Fail(CloseReason::Unexpected { kind: message.kind(), awaited }, None)
        };
        let awaited = self.awaited();
        let Some(asked) = &mut self.asked else {
            return match message {
                Message::Hello(hello) => agree(&hello, config),
                Message::Error(error) if error.code.is_hello_failed() => {
                    Progress::Fail(CloseReason::Refused { text: error.text() }, None)
                }
                Message::EchoRequest(data) => Progress::Echo(Message::EchoReply(data)),
                message => unexpected(awaited, &message),
            };
        };
        let step = asked.steps.iter().find(|(of, _)| *of == xid).map(|&(_, step)| step);
        match (message, step) {
            (Message::EchoRequest(data), _) => return Progress::Echo(Message::EchoReply(data)),
            (Message::Error(error), Some(step)) => {
                return Progress::Fail(CloseReason::Handshake { step, error }, None);
            }
            (Message::Error(error), None) if error.code.is_hello_failed() => {
                return Progress::Fail(CloseReason::Refused { text: error.text() }, None);
            }
            (Message::FeaturesReply(features), Some(FEATURES)) => asked.features = Some(features),
            (Message::RoleReply(claim), Some(ROLE)) => {
                if claim.role != Role::Master {
                    return unexpected("the role of master", &Message::RoleReply(claim));
                }
                asked.role = true;
            }
            (Message::MultipartReply { reply: MultipartReply::Ports(ports), more }, Some(PORTS)) => {
                asked.port_bytes += usize::from(length) - HEADER_LEN;
                if asked.port_bytes > config.max_collected_bytes {
                    let limit = config.max_collected_bytes;
                    return Progress::Fail(CloseReason::TooLarge { xid, limit }, None);
                }
                asked.ports.extend(ports.into_iter().map(|port| (port.number, port)));
                asked.all_ports = !more;
            }
            (Message::PortStatus(status), _) => {
                // The last word about a port is at least as new as the list.
                asked.changed.insert(status.port.number, status);
                if asked.changed.len() > MAX_PORTS {
                    let limit = config.max_collected_bytes;
                    return Progress::Fail(CloseReason::TooLarge { xid, limit }, None);
                }
            }
            (Message::BarrierReply, Some(BARRIER)) => return asked.finish(),
            // Nobody awaits packets or other notices yet.
            (
                Message::Hello(_)
                | Message::EchoReply(_)
                | Message::PacketIn(_)
                | Message::PacketIn2(_)
                | Message::FlowRemoved(_)
                | Message::RoleStatus(_)
                | Message::Error(_)
                | Message::Opaque { .. }
                | Message::Experimenter { .. },
                None,
            ) => {}
            (message, _) => return unexpected(awaited, &message),
        }
        Progress::Wait
    }
}

impl Asked {
    fn finish(&mut self) -> Progress {
        let awaited = match (&self.features, self.role, self.all_ports) {
            (None, ..) => "the answer to the features request",
            (_, false, _) => "the answer to the role request",
            (_, _, false) => "the list of the ports",
            (Some(features), true, true) => {
                let features = *features;
                for (number, status) in std::mem::take(&mut self.changed) {
                    match status.reason {
                        PortReason::Deleted => drop(self.ports.remove(&number)),
                        PortReason::Added | PortReason::Modified => drop(self.ports.insert(number, status.port)),
                    }
                }
                let ports = std::mem::take(&mut self.ports).into_values().collect();
                return Progress::Ready(SessionEvent::Ready { features, ports });
            }
        };
        Progress::Fail(CloseReason::Unexpected { kind: MessageKind::BARRIER_REPLY, awaited }, None)
    }
}

/// Agrees on OpenFlow 1.5 or says why not, in the highest version that the peer surely reads.
fn agree(hello: &Hello, config: &SessionConfig) -> Progress {
    if hello.speaks(VERSION) {
        return Progress::Ask(Handshake::questions(config));
    }
    let text = "this controller needs OpenFlow 1.5 (wire version 0x06): set the bridge's protocols so that they include \
                OpenFlow15";
    let refusal = Message::Error(ErrorMessage::hello_failed(text));
    let offered = hello.versions.clone().unwrap_or_else(|| vec![hello.version]);
    Progress::Fail(CloseReason::Version { offered }, Some((hello.version.min(VERSION), refusal)))
}
