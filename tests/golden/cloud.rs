//! Plays a case and shows what comes of it.

use crate::script::Script;
use std::collections::BTreeMap;
use std::fmt::Write;
use weir_compile::{Applied, Bridge, Engine, Object, Tag, desired, explain, pipeline};
use weir_model::{HostKey, HostName, Limits, Request, Timestamp, Topology};
use weir_openflow::text::Named;
use weir_openflow::{FlowEdit, FlowTable};

/// A topology, the engine that follows it, and what bridges have got by its deltas.
pub(crate) struct Cloud {
    pub(crate) topology: Topology,
    engine: Engine,
    tables: BTreeMap<(HostKey, Bridge), FlowTable>,
}

impl Cloud {
    pub(crate) fn new() -> Self {
        let topology = Topology::new(Limits::default());
        let engine = Engine::load(&topology);
        Self { topology, engine, tables: BTreeMap::new() }
    }

    /// Carries out every line, then shows what every bridge must hold.
    pub(crate) fn play(&mut self, text: &str) -> String {
        let mut script = Script::default();
        let mut shown = String::new();
        let mut watched = false;
        for line in text.lines().map(|line| line.split('#').next().unwrap_or_default().trim()) {
            match line {
                "" => {}
                "watch" => watched = true,
                _ => {
                    for command in script.commands(line, &self.topology) {
                        let request = Request { command, at: Timestamp(0) };
                        let (new, commit, _) = self.topology.transact(request).unwrap_or_else(|rejection| {
                            panic!("{line}: the model refuses the case: {rejection:?}");
                        });
                        let applied = self.engine.apply(&commit, &self.topology, &new, |_| true);
                        if watched {
                            self.show_change(line, &applied, &new, &mut shown);
                        }
                        self.topology = new;
                        self.follow(line, &applied);
                    }
                }
            }
        }
        self.show(&mut shown);
        shown
    }

    pub(crate) fn desired(&self, host: &str, bridge: Bridge) -> FlowTable {
        let host = self.topology.hypervisor(&HostName::from(host)).expect("the hypervisor is known");
        desired(host.key, bridge, &self.topology)
    }

    /// Gives bridges their deltas, which must lead to what a cold compile wants.
    fn follow(&mut self, line: &str, applied: &Applied) {
        let mut bundles: BTreeMap<(HostKey, Bridge), Vec<FlowEdit>> = BTreeMap::new();
        for delta in &applied.deltas {
            let edits = || delta.edits.iter().map(|edit| edit.decode().expect("our own bytes"));
            delta.recipients.iter().for_each(|host| bundles.entry((host, delta.bridge)).or_default().extend(edits()));
        }
        for (place, mut edits) in bundles {
            edits.sort_by_key(FlowEdit::phase);
            let table = self.tables.entry(place).or_default();
            edits.iter().for_each(|edit| _ = table.apply(edit));
        }
        for host in self.topology.hypervisors() {
            for bridge in Bridge::ALL {
                let reached = self.tables.entry((host.key, bridge)).or_default();
                let missing = FlowTable::diff(reached, &desired(host.key, bridge, &self.topology));
                assert!(missing.is_empty(), "{line}: deltas lead {bridge} of {} elsewhere: {missing:#?}", host.name);
            }
        }
    }

    fn show_change(&self, line: &str, applied: &Applied, new: &Topology, shown: &mut String) {
        writeln!(shown, "> {line}").expect("text");
        for unit in &applied.rebuilt {
            writeln!(shown, "rebuilt: {unit}").expect("text");
        }
        for one in &applied.unexpressed {
            writeln!(shown, "unexpressed: {one}").expect("text");
        }
        for delta in &applied.deltas {
            let name = |key| new.hypervisor_by_key(key).or_else(|| self.topology.hypervisor_by_key(key));
            let hosts: Vec<_> = delta.recipients.iter().filter_map(name).map(|host| host.name.as_str()).collect();
            writeln!(shown, "{} of {}: {}", delta.bridge, hosts.join(", "), delta.unit).expect("text");
            let names = pipeline::names(delta.bridge);
            for edit in delta.edits.iter() {
                let edit = edit.decode().expect("our own bytes");
                match &edit {
                    FlowEdit::AddFlow(flow) => writeln!(shown, "  + {}", Named::new(flow, &names)),
                    FlowEdit::DeleteFlow(key) => writeln!(shown, "  - {}", Named::new(key, &names)),
                    FlowEdit::AddGroup(group) => writeln!(shown, "  + {}", Named::new(group, &names)),
                    FlowEdit::DeleteGroup(group) => writeln!(shown, "  - group {}", group.0),
                    FlowEdit::InsertBucket { group, bucket } => {
                        writeln!(shown, "  + bucket {} of group {}", bucket.id.0, group.0)
                    }
                    FlowEdit::RemoveBucket { group, bucket } => {
                        writeln!(shown, "  - bucket {} of group {}", bucket.0, group.0)
                    }
                    FlowEdit::AddMeter(meter) => writeln!(shown, "  + {meter}"),
                    FlowEdit::DeleteMeter(meter) => writeln!(shown, "  - meter {}", meter.0),
                }
                .expect("text");
            }
        }
        writeln!(shown).expect("text");
    }

    /// What belongs to objects; what every bridge holds is shown only if there is nothing else.
    fn show(&self, shown: &mut String) {
        let bare = self.topology.ports().len() == 0;
        for host in self.topology.hypervisors() {
            for bridge in Bridge::ALL {
                writeln!(shown, "{} {bridge}", host.name).expect("text");
                let names = pipeline::names(bridge);
                let table = desired(host.key, bridge, &self.topology);
                for group in table.groups.values() {
                    writeln!(shown, "{}", Named::new(group, &names)).expect("text");
                }
                for meter in table.meters.values() {
                    writeln!(shown, "{meter}").expect("text");
                }
                for flow in table.flows.values() {
                    let tag = Tag::decode(flow.cookie).expect("our own cookie");
                    if bare || tag.object != Object::Nothing {
                        let owner = explain(flow.cookie, &self.topology);
                        writeln!(shown, "# {owner}\n{}", Named::new(flow, &names)).expect("text");
                    }
                }
                writeln!(shown).expect("text");
            }
        }
    }
}
