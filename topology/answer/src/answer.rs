//! The one way to ask.

use crate::asker::Asker;
use crate::{Omission, Question, Settings, Silence, advertisement, dhcpv4, dhcpv6, icmp_error};
use bytes::Bytes;
use weir_model::{PortKey, Topology};

/// What is answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Ethernet frames for the asker's interface, one or more.
    pub frames: Vec<Bytes>,
    /// What was to be told but could not be.
    pub omitted: Vec<Omission>,
}

impl Answer {
    pub(crate) fn of(frame: Bytes) -> Self {
        Self { frames: vec![frame], omitted: Vec::new() }
    }
}

/// Answers the question of a port's packet.
///
/// # Errors
/// Why nothing is to be said.
pub fn answer(
    topology: &Topology,
    asker: PortKey,
    question: Question,
    frame: &[u8],
    settings: &Settings,
) -> Result<Answer, Silence> {
    let asker = Asker::find(topology, asker)?;
    match question {
        Question::Dhcpv4 => dhcpv4::answer(&asker, frame, settings),
        Question::Dhcpv6 => dhcpv6::answer(&asker, frame, settings),
        Question::RouterSolicitation => advertisement::answer(&asker, frame, settings),
        Question::TimeExceeded { router, arrival }
        | Question::NoRoute { router, arrival }
        | Question::HostUnreachable { router, arrival }
        | Question::TooBig { router, arrival, .. } => icmp_error::answer(&asker, question, router, arrival, frame),
    }
}
