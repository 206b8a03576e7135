//! What a switch says of a packet that it sends to the controller: registers of the pipeline, read in this one place.

use weir_answer::Question;
use weir_compile::register::{ARRIVAL_KEY, NETWORK_KEY, PUNT, Punt, ROUTER, SOURCE_PORT};
use weir_model::{NetworkKey, PortKey, RouterKey};
use weir_openflow::message::PacketIn;
use weir_openflow::{Field, PortNo, Subfield};

/// A question, who asks it, and where the answer goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) asker: PortKey,
    pub(super) question: Question,
    pub(super) port: PortNo,
}

/// The question of a packet; none if it is none that the pipeline asks.
pub(super) fn read(packet: &PacketIn) -> Option<Asked> {
    // A switch leaves out of a packet-in what is zero.
    let number = |bits: Subfield| {
        let (value, _) = packet.metadata.get(bits.field).unwrap_or_default();
        (value >> bits.offset & ((1_u128 << bits.bits) - 1)) as u32
    };
    let asker = PortKey(number(SOURCE_PORT.bits()));
    let port = PortNo(number(Subfield { field: Field::InPortOxm, offset: 0, bits: 32 }));
    if asker.0 == 0 || port.0 == 0 || port >= PortNo::MAX {
        return None;
    }
    let router = RouterKey(number(ROUTER.bits()));
    let arrival = NetworkKey(number(ARRIVAL_KEY.bits()));
    let question = match Punt::from_number(u8::try_from(number(PUNT.bits())).ok()?)? {
        Punt::Dhcpv4 => Question::Dhcpv4,
        Punt::Dhcpv6 => Question::Dhcpv6,
        Punt::RouterSolicitation => Question::RouterSolicitation,
        Punt::TimeExceeded => Question::TimeExceeded { router, arrival },
        Punt::NoRoute => Question::NoRoute { router, arrival },
        Punt::HostUnreachable => Question::HostUnreachable { router, arrival },
        Punt::TooBig => Question::TooBig { router, arrival, network: NetworkKey(number(NETWORK_KEY.bits())) },
    };
    Some(Asked { asker, question, port })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use weir_openflow::message::PacketInReason;
    use weir_openflow::{Match, TableId};

    fn packet(metadata: Match) -> PacketIn {
        PacketIn {
            packet: Bytes::from_static(&[0; 60]),
            full_len: 60,
            buffer: None,
            table: TableId(55),
            cookie: None,
            reason: PacketInReason::ApplyAction,
            metadata,
            userdata: Bytes::new(),
            continuation: None,
        }
    }

    #[test]
    fn registers_make_the_question() {
        let from_port = Match::new().in_port(PortNo(7)).with(Field::Reg0, 5);
        let at_router = from_port.clone().with(Field::Reg7, 3).with(Field::Reg13, 9).with(Field::Metadata, 11);
        let (router, arrival, network) = (RouterKey(3), NetworkKey(9), NetworkKey(11));
        let cases = [
            (from_port.clone().with(Field::Reg2, 1 << 24), Question::Dhcpv4),
            (from_port.clone().with(Field::Reg2, 2 << 24), Question::Dhcpv6),
            (from_port.clone().with(Field::Reg2, 3 << 24), Question::RouterSolicitation),
            (at_router.clone().with(Field::Reg2, 4 << 24), Question::TimeExceeded { router, arrival }),
            (at_router.clone().with(Field::Reg2, 5 << 24), Question::NoRoute { router, arrival }),
            (at_router.clone().with(Field::Reg2, 6 << 24), Question::HostUnreachable { router, arrival }),
            (at_router.with(Field::Reg2, 7 << 24), Question::TooBig { router, arrival, network }),
        ];
        for (metadata, question) in cases {
            assert_eq!(read(&packet(metadata)), Some(Asked { asker: PortKey(5), question, port: PortNo(7) }));
        }
    }

    #[test]
    fn what_the_pipeline_does_not_send_is_no_question() {
        let from_port = Match::new().in_port(PortNo(7)).with(Field::Reg0, 5);
        let cases = [
            Match::new(),
            from_port.clone(),
            from_port.clone().with(Field::Reg2, 8 << 24),
            Match::new().in_port(PortNo(7)).with(Field::Reg2, 1 << 24),
            Match::new().in_port(PortNo::CONTROLLER).with(Field::Reg0, 5).with(Field::Reg2, 1 << 24),
        ];
        for metadata in cases {
            assert_eq!(read(&packet(metadata)), None);
        }
    }
}
