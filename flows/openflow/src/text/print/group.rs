//! Printing groups and meters.

use super::action::put_actions;
use crate::text::names::{Named, Names};
use crate::text::value::put;
use crate::{Group, GroupId, GroupKind, Meter, PortNo};
use std::fmt::{self, Display, Formatter, Write};

impl Display for Group {
    /// As a line of `ovs-ofctl dump-groups`.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        put_group(f, self, Names::NONE)
    }
}

impl Display for Named<'_, Group> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        put_group(f, self.value, self.names)
    }
}

impl Display for Meter {
    /// As an entry of `ovs-ofctl dump-meters`, but on one line, as `ovs-ofctl add-meter` takes it.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.id.0 {
            0xffff_fffd => f.write_str("meter=slowpath")?,
            0xffff_fffe => f.write_str("meter=controller")?,
            0xffff_ffff => f.write_str("meter=all")?,
            id => write!(f, "meter={id}")?,
        }
        let flags = self.flags;
        for (set, word) in
            [(flags.kbps, "kbps"), (flags.pktps, "pktps"), (flags.burst, "burst"), (flags.stats, "stats")]
        {
            if set {
                write!(f, " {word}")?;
            }
        }
        f.write_str(" bands=")?;
        for (at, band) in self.bands.iter().enumerate() {
            write!(f, "{}type=drop rate={}", if at == 0 { "" } else { " " }, band.rate)?;
            if flags.burst {
                write!(f, " burst_size={}", band.burst)?;
            }
        }
        Ok(())
    }
}

const fn kind(kind: GroupKind) -> &'static str {
    match kind {
        GroupKind::All => "all",
        GroupKind::Select => "select",
        GroupKind::Indirect => "indirect",
        GroupKind::FastFailover => "ff",
    }
}

fn put_group(f: &mut dyn Write, group: &Group, names: &Names) -> fmt::Result {
    write!(f, "group_id={},type={}", group.id.0, kind(group.kind))?;
    let selection = &group.selection;
    if !selection.method.is_empty() {
        write!(f, ",selection_method={}", selection.method)?;
        if selection.parameter != 0 {
            write!(f, ",selection_method_param={}", selection.parameter)?;
        }
        if !selection.fields.is_empty() {
            f.write_str(if selection.fields.len() == 1 { ",fields=" } else { ",fields(" })?;
            for (at, &(field, bits)) in selection.fields.iter().enumerate() {
                write!(f, "{}{}", if at == 0 { "" } else { "," }, field.name())?;
                if bits != field.ones() {
                    f.write_char('=')?;
                    put(f, field, bits, field.ones(), names)?;
                }
            }
            f.write_str(if selection.fields.len() == 1 { "" } else { ")" })?;
        }
    }
    for bucket in &group.buckets {
        write!(f, ",bucket=bucket_id:{}", bucket.id.0)?;
        if bucket.weight != u16::from(group.kind == GroupKind::Select) {
            write!(f, ",weight:{}", bucket.weight)?;
        }
        if bucket.watch_port != PortNo::ANY {
            f.write_str(",watch_port:")?;
            names.put_port(f, bucket.watch_port)?;
        }
        if bucket.watch_group != GroupId::ANY {
            write!(f, ",watch_group:{}", bucket.watch_group.0)?;
        }
        f.write_str(",actions=")?;
        put_actions(f, &bucket.actions, names)?;
    }
    Ok(())
}
