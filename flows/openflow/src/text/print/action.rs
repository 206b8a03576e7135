//! Printing actions and instructions.

use crate::action::WHOLE_PACKET;
use crate::text::names::{Named, Names};
use crate::text::value::{put, put_hex, put_subfield};
use crate::{
    Action, Controller, Ct, Instructions, Learn, LearnSource, LearnSpec, LearnTarget, Nat, NatRange, PortNo, Subfield,
    ZoneSource,
};
use std::fmt::{self, Display, Formatter, Write};
use std::net::IpAddr;

/// A list of actions, printed with commas between them; an empty one is `drop`.
#[derive(Clone, Copy, Debug)]
pub struct ActionList<'a>(pub &'a [Action]);

impl Display for ActionList<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        put_actions(f, self.0, Names::NONE)
    }
}

impl Display for Named<'_, ActionList<'_>> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        put_actions(f, self.value.0, self.names)
    }
}

impl Display for Action {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        put_action(f, self, Names::NONE)
    }
}

impl Display for Subfield {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        put_subfield(f, *self)
    }
}

impl Display for Instructions {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        put_instructions(f, self, Names::NONE)
    }
}

/// What stands between two parts of a list.
struct Commas {
    any: bool,
}

impl Commas {
    const fn new() -> Self {
        Self { any: false }
    }

    fn next(&mut self, f: &mut dyn Write) -> fmt::Result {
        if self.any {
            f.write_char(',')?;
        }
        self.any = true;
        Ok(())
    }
}

/// Prints instructions: the actions that run at once, then the others.
pub(super) fn put_instructions(f: &mut dyn Write, instructions: &Instructions, names: &Names) -> fmt::Result {
    let mut commas = Commas::new();
    for action in &instructions.apply {
        commas.next(f)?;
        put_action(f, action, names)?;
    }
    if instructions.clear {
        commas.next(f)?;
        f.write_str("clear_actions")?;
    }
    if !instructions.write.is_empty() {
        commas.next(f)?;
        f.write_str("write_actions(")?;
        put_actions(f, &instructions.write, names)?;
        f.write_char(')')?;
    }
    if let Some((value, mask)) = instructions.write_metadata {
        commas.next(f)?;
        f.write_str("write_metadata:")?;
        put_hex(f, value.into())?;
        if mask != u64::MAX {
            f.write_char('/')?;
            put_hex(f, mask.into())?;
        }
    }
    if let Some(table) = instructions.goto {
        commas.next(f)?;
        f.write_str("goto_table:")?;
        names.put_table(f, table)?;
    }
    if commas.any { Ok(()) } else { f.write_str("drop") }
}

pub(super) fn put_actions(f: &mut dyn Write, actions: &[Action], names: &Names) -> fmt::Result {
    let mut commas = Commas::new();
    for action in actions {
        commas.next(f)?;
        put_action(f, action, names)?;
    }
    if commas.any { Ok(()) } else { f.write_str("drop") }
}

fn put_action(f: &mut dyn Write, action: &Action, names: &Names) -> fmt::Result {
    match action {
        Action::Output { port, max_len } => {
            if *port < PortNo::MAX {
                f.write_str("output:")?;
            }
            names.put_port(f, *port)?;
            if *port == PortNo::CONTROLLER { write!(f, ":{max_len}") } else { Ok(()) }
        }
        Action::OutputReg { src, .. } => write!(f, "output:{src}"),
        Action::Group(group) => write!(f, "group:{}", group.0),
        Action::Meter(meter) => write!(f, "meter:{}", meter.0),
        Action::SetField { field, value, mask } => {
            f.write_str("set_field:")?;
            put(f, *field, *value, *mask, names)?;
            write!(f, "->{}", field.name())
        }
        Action::Move { src, dst } => write!(f, "move:{src}->{dst}"),
        Action::Load { value, dst } => {
            f.write_str("load:")?;
            put_hex(f, (*value).into())?;
            write!(f, "->{dst}")
        }
        Action::PushVlan { ethertype } => write!(f, "push_vlan:{ethertype:#x}"),
        Action::PopVlan => f.write_str("pop_vlan"),
        Action::SetQueue(queue) => write!(f, "set_queue:{queue}"),
        Action::DecTtl { controllers } if *controllers == [0] => f.write_str("dec_ttl"),
        Action::DecTtl { controllers } => {
            let ids: Vec<_> = controllers.iter().map(u16::to_string).collect();
            write!(f, "dec_ttl({})", ids.join(","))
        }
        Action::Ct(ct) => put_ct(f, ct, names),
        Action::CtClear => f.write_str("ct_clear"),
        Action::Resubmit { port: Some(port), table: None, ct: false } => {
            f.write_str("resubmit:")?;
            names.put_port(f, *port)
        }
        Action::Resubmit { port, table, ct } => {
            f.write_str("resubmit(")?;
            port.map_or(Ok(()), |port| names.put_port(f, port))?;
            f.write_char(',')?;
            table.map_or(Ok(()), |table| names.put_table(f, table))?;
            f.write_str(if *ct { ",ct)" } else { ")" })
        }
        Action::Learn(learn) => put_learn(f, learn, names),
        Action::Conjunction { id, clause, clauses } => write!(f, "conjunction({id},{clause}/{clauses})"),
        Action::Controller(to) => put_controller(f, to),
        Action::Clone(actions) => {
            f.write_str("clone(")?;
            put_actions(f, actions, names)?;
            f.write_char(')')
        }
        Action::CheckPktLarger { length, dst } => write!(f, "check_pkt_larger({length})->{dst}"),
        Action::DeleteField(field) => write!(f, "delete_field:{}", field.name()),
        Action::Note(bytes) => {
            f.write_str("note:")?;
            put_bytes(f, bytes)
        }
        Action::Push(field) => write!(f, "push:{field}"),
        Action::Pop(field) => write!(f, "pop:{field}"),
        Action::Exit => f.write_str("exit"),
    }
}

fn put_bytes(f: &mut dyn Write, bytes: &[u8]) -> fmt::Result {
    for (at, byte) in bytes.iter().enumerate() {
        write!(f, "{}{byte:02x}", if at == 0 { "" } else { "." })?;
    }
    Ok(())
}

fn put_controller(f: &mut dyn Write, to: &Controller) -> fmt::Result {
    if to.is_plain() {
        return write!(f, "CONTROLLER:{}", to.max_len);
    }
    let mut commas = Commas::new();
    f.write_str("controller(")?;
    if to.reason != 1 {
        commas.next(f)?;
        match REASONS.get(usize::from(to.reason)) {
            Some(reason) => write!(f, "reason={reason}")?,
            None => write!(f, "reason={}", to.reason)?,
        }
    }
    if to.max_len != WHOLE_PACKET {
        commas.next(f)?;
        write!(f, "max_len={}", to.max_len)?;
    }
    if to.controller != 0 {
        commas.next(f)?;
        write!(f, "id={}", to.controller)?;
    }
    if !to.userdata.is_empty() {
        commas.next(f)?;
        f.write_str("userdata=")?;
        put_bytes(f, &to.userdata)?;
    }
    if to.pause {
        commas.next(f)?;
        f.write_str("pause")?;
    }
    if let Some(meter) = to.meter {
        commas.next(f)?;
        write!(f, "meter_id={}", meter.0)?;
    }
    f.write_char(')')
}

/// The names of the reasons of a packet-in, by number.
pub(in crate::text) const REASONS: &[&str] =
    &["no_match", "action", "invalid_ttl", "action_set", "group", "packet_out"];

fn put_ct(f: &mut dyn Write, ct: &Ct, names: &Names) -> fmt::Result {
    let mut commas = Commas::new();
    f.write_str("ct(")?;
    if ct.flags.commit {
        commas.next(f)?;
        f.write_str("commit")?;
    }
    if ct.flags.force {
        commas.next(f)?;
        f.write_str("force")?;
    }
    if let Some(table) = ct.table {
        commas.next(f)?;
        f.write_str("table=")?;
        names.put_table(f, table)?;
    }
    match ct.zone {
        ZoneSource::Constant(0) => (),
        ZoneSource::Constant(zone) => {
            commas.next(f)?;
            write!(f, "zone={zone}")?;
        }
        ZoneSource::Field(source) => {
            commas.next(f)?;
            write!(f, "zone={source}")?;
        }
    }
    if let Some(nat) = &ct.nat {
        commas.next(f)?;
        put_nat(f, nat)?;
    }
    if !ct.exec.is_empty() {
        commas.next(f)?;
        f.write_str("exec(")?;
        put_actions(f, &ct.exec, names)?;
        f.write_char(')')?;
    }
    if ct.alg != 0 {
        commas.next(f)?;
        match ct.alg {
            21 => f.write_str("alg=ftp")?,
            69 => f.write_str("alg=tftp")?,
            alg => write!(f, "alg={alg}")?,
        }
    }
    f.write_char(')')
}

fn put_nat(f: &mut dyn Write, nat: &Nat) -> fmt::Result {
    f.write_str("nat")?;
    if !nat.flags.src && !nat.flags.dst {
        return Ok(());
    }
    f.write_str(if nat.flags.src { "(src" } else { "(dst" })?;
    if let Some(NatRange { addresses: Some((min, max)), ports }) = nat.range {
        f.write_char('=')?;
        put_address(f, min, ports.is_some())?;
        if max != min {
            f.write_char('-')?;
            put_address(f, max, ports.is_some())?;
        }
        if let Some((min, max)) = ports {
            write!(f, ":{min}")?;
            if max != min {
                write!(f, "-{max}")?;
            }
        }
        for (set, word) in
            [(nat.flags.persistent, "persistent"), (nat.flags.hash, "hash"), (nat.flags.random, "random")]
        {
            if set {
                write!(f, ",{word}")?;
            }
        }
    }
    f.write_char(')')
}

fn put_address(f: &mut dyn Write, address: IpAddr, bracket: bool) -> fmt::Result {
    match address {
        IpAddr::V4(address) => write!(f, "{address}"),
        IpAddr::V6(address) if bracket => write!(f, "[{address}]"),
        IpAddr::V6(address) => write!(f, "{address}"),
    }
}

fn put_learn(f: &mut dyn Write, learn: &Learn, names: &Names) -> fmt::Result {
    f.write_str("learn(table=")?;
    names.put_table(f, learn.table)?;
    for (value, name) in [
        (learn.idle_timeout, "idle_timeout"),
        (learn.hard_timeout, "hard_timeout"),
        (learn.fin_idle_timeout, "fin_idle_timeout"),
        (learn.fin_hard_timeout, "fin_hard_timeout"),
    ] {
        if value != 0 {
            write!(f, ",{name}={value}")?;
        }
    }
    if learn.priority != 0x8000 {
        write!(f, ",priority={}", learn.priority)?;
    }
    if learn.flags & 1 != 0 {
        f.write_str(",send_flow_rem")?;
    }
    if learn.flags & 2 != 0 {
        f.write_str(",delete_learned")?;
    }
    if learn.cookie != 0 {
        write!(f, ",cookie={:#x}", learn.cookie)?;
    }
    if learn.limit != 0 {
        write!(f, ",limit={}", learn.limit)?;
    }
    if let Some(bit) = learn.result {
        write!(f, ",result_dst={bit}")?;
    }
    for spec in &learn.specs {
        f.write_char(',')?;
        put_spec(f, spec, names)?;
    }
    f.write_char(')')
}

fn put_spec(f: &mut dyn Write, spec: &LearnSpec, names: &Names) -> fmt::Result {
    let bits = spec.bits;
    match (spec.source, spec.target) {
        (LearnSource::Constant(value), LearnTarget::Match { field, offset }) => {
            let to = Subfield { field, offset, bits };
            if to.is_whole() {
                write!(f, "{}=", field.name())?;
                return put(f, field, value, field.ones(), names);
            }
            write!(f, "{to}=")?;
            put_hex(f, value)
        }
        (LearnSource::Field { field, offset }, LearnTarget::Match { field: to, offset: to_offset }) => {
            write!(f, "{}", Subfield { field: to, offset: to_offset, bits })?;
            if (field, offset) == (to, to_offset) {
                return Ok(());
            }
            write!(f, "={}", Subfield { field, offset, bits })
        }
        (LearnSource::Constant(value), LearnTarget::Load { field, offset }) => {
            f.write_str("load:")?;
            put_hex(f, value)?;
            write!(f, "->{}", Subfield { field, offset, bits })
        }
        (LearnSource::Field { field, offset }, LearnTarget::Load { field: to, offset: to_offset }) => {
            let (src, dst) = (Subfield { field, offset, bits }, Subfield { field: to, offset: to_offset, bits });
            write!(f, "load:{src}->{dst}")
        }
        (LearnSource::Field { field, offset }, LearnTarget::Output) => {
            write!(f, "output:{}", Subfield { field, offset, bits })
        }
        (LearnSource::Constant(value), LearnTarget::Output) => {
            f.write_str("output:")?;
            put_hex(f, value)
        }
    }
}
