//! The older words for setting fields, each the same as a `set_field`.

use super::action::Around;
use crate::text::error::{Fault, ParseErrorKind, fail};
use crate::text::scan::{Pair, integer, number};
use crate::text::value::{parse_ipv4, parse_mac};
use crate::{Action, Field};

const VLAN: u16 = 0x8100;

/// Takes an action that sets a field or changes the VLAN header, if it is one.
pub(super) fn modification<'a>(
    pair: &Pair<'a>,
    around: &mut Around,
    actions: &mut Vec<Action>,
) -> Result<bool, Fault<'a>> {
    let text = pair.value;
    let (field, value) = match pair.key {
        "mod_dl_src" => (Field::EthSrc, parse_mac(text)?),
        "mod_dl_dst" => (Field::EthDst, parse_mac(text)?),
        "mod_nw_src" => (Field::Ipv4Src, parse_ipv4(text)?),
        "mod_nw_dst" => (Field::Ipv4Dst, parse_ipv4(text)?),
        "mod_nw_tos" => (Field::IpDscp, u128::from(integer::<u8>(text)? >> 2)),
        "mod_nw_ecn" => (Field::IpEcn, up_to(text, 3)?),
        "mod_nw_ttl" | "set_nw_ttl" => (Field::IpTtl, up_to(text, 0xff)?),
        "mod_tp_src" => {
            (transport(pair, around, [Field::TcpSrc, Field::UdpSrc, Field::SctpSrc])?, up_to(text, 0xffff)?)
        }
        "mod_tp_dst" => {
            (transport(pair, around, [Field::TcpDst, Field::UdpDst, Field::SctpDst])?, up_to(text, 0xffff)?)
        }
        "set_tunnel" | "set_tunnel64" => (Field::TunId, u128::from(integer::<u64>(text)?)),
        "set_vlan_vid" => (Field::VlanVid, 0x1000 | up_to(text, 0xfff)?),
        "set_vlan_pcp" => (Field::VlanPcp, up_to(text, 7)?),
        "mod_vlan_vid" => {
            push_unless_tagged(around, actions);
            (Field::VlanVid, 0x1000 | up_to(text, 0xfff)?)
        }
        "mod_vlan_pcp" => {
            push_unless_tagged(around, actions);
            (Field::VlanPcp, up_to(text, 7)?)
        }
        "push_vlan" => {
            around.tagged = true;
            let ethertype = match integer(text)? {
                ethertype @ (VLAN | 0x88a8) => ethertype,
                _ => return fail(text, ParseErrorKind::Range),
            };
            actions.push(Action::PushVlan { ethertype });
            return Ok(true);
        }
        "pop_vlan" | "strip_vlan" => {
            around.tagged = false;
            actions.push(Action::PopVlan);
            return Ok(true);
        }
        _ => return Ok(false),
    };
    actions.push(Action::set(field, value));
    Ok(true)
}

fn push_unless_tagged(around: &mut Around, actions: &mut Vec<Action>) {
    if !around.tagged {
        actions.push(Action::PushVlan { ethertype: VLAN });
        around.tagged = true;
    }
}

fn up_to(text: &str, most: u128) -> Result<u128, Fault<'_>> {
    match number(text)? {
        value if value <= most => Ok(value),
        _ => fail(text, ParseErrorKind::TooLarge),
    }
}

/// The field of a port, which depends on the protocol that the flow matches.
fn transport<'a>(pair: &Pair<'a>, around: &Around, fields: [Field; 3]) -> Result<Field, Fault<'a>> {
    match around.protocol {
        Some(6) => Ok(fields[0]),
        Some(17) => Ok(fields[1]),
        Some(132) => Ok(fields[2]),
        _ => fail(pair.key, ParseErrorKind::UnknownField),
    }
}
