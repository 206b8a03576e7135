//! Flows like those of a large hypervisor.

use weir_openflow::{Action, EncodedEdit, Field, Flow, FlowEdit, Match, PortNo, Subfield, TableId};

use crate::Failure;

/// What this many flows are encoded as: half of them send a known MAC address of a network on its way, half answer ARP
/// for an address in place.
///
/// # Errors
/// A flow does not fit into one message, which these do.
pub fn encoded(count: usize) -> Result<Vec<EncodedEdit>, Failure> {
    (0..count)
        .map(|number| {
            let port = number as u64 / 2;
            let flow = if number % 2 == 0 { forward(port) } else { answer(port) };
            Ok(EncodedEdit::encode(&FlowEdit::AddFlow(flow))?)
        })
        .collect()
}

/// The network of a port: a hundred ports each.
const fn network(port: u64) -> u64 {
    port / 100 + 1
}

fn mac(port: u64) -> [u8; 6] {
    let [.., a, b, c] = port.to_be_bytes();
    [0xfa, 0x16, 0x3e, a, b, c]
}

fn forward(port: u64) -> Flow {
    Flow::new(TableId(30), 100, Match::default().metadata(network(port)).eth_dst(mac(port)))
        .cookie(0x1_0000_0000 + port)
        .apply([Action::set(Field::Reg1, u128::from(port))])
        .goto(TableId(60))
}

fn answer(port: u64) -> Flow {
    let address = u128::from(0x0a00_0000 + port % 100);
    let own = mac(port).iter().fold(0, |value, byte| value << 8 | u128::from(*byte));
    let matching = Match::default().arp().metadata(network(port)).with(Field::ArpOp, 1).with(Field::ArpTpa, address);
    Flow::new(TableId(10), 100, matching).cookie(0x2_0000_0000 + port).apply([
        Action::copy(Field::EthSrc, Field::EthDst),
        Action::set(Field::EthSrc, own),
        Action::set(Field::ArpOp, 2),
        Action::copy(Field::ArpSha, Field::ArpTha),
        Action::set(Field::ArpSha, own),
        Action::Move { src: Subfield::whole(Field::ArpSpa), dst: Subfield::whole(Field::ArpTpa) },
        Action::set(Field::ArpSpa, address),
        Action::output(PortNo::IN_PORT),
    ])
}
