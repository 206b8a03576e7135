//! Keeps the encoded units and turns commits into deltas.

use crate::circle::Circle;
use crate::delta::{Difference, encode};
use crate::feature::FEATURES;
use crate::kept::{Encoded, Kept};
use crate::roster::{Audience, Roster, Shifts};
use crate::{Bridge, Delta, Recipients, Sink, Touched, Unexpressed, Unit};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use weir_model::{Commit, HostKey, Hypervisor, Topology};
use weir_openflow::{Digest, EditRun, EncodedEdit, FlowEdit, FlowTable};

/// The compiler's memory: every unit that several hypervisors share, encoded once.
///
/// Units of a single hypervisor are not kept: they are built when they are asked for, and what they were before a commit
/// is built from the topology before the commit.
#[derive(Clone, Debug, Default)]
pub struct Engine {
    shared: BTreeMap<Circle, Kept>,
    roster: Roster,
}

/// What a commit did to the flows.
#[derive(Clone, Debug, Default)]
pub struct Applied {
    /// What to send. Edits that take away come before edits that add.
    pub deltas: Vec<Delta>,
    /// The units that were built anew, whether they changed or not.
    pub rebuilt: Vec<Unit>,
    /// What the commit asks for that cannot be expressed.
    pub unexpressed: Vec<Unexpressed>,
}

/// What a bridge of a hypervisor must hold.
#[derive(Debug)]
pub struct Holding<'a> {
    shared: &'a mut BTreeMap<Circle, Kept>,
    host: HostKey,
    bridge: Bridge,
    circles: Vec<Circle>,
    local: EditRun,
}

impl Holding<'_> {
    /// The digest of it all, without a look at what is shared with others.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let kept = self.circles.iter().filter_map(|circle| self.shared.get(circle));
        let shared: Digest = kept.map(|kept| kept.digest(self.host, self.bridge)).sum();
        shared + Digest::of(&*self.local)
    }

    /// All additions, shared with whoever holds the same.
    #[must_use]
    pub fn additions(self) -> Vec<EditRun> {
        let Self { shared, host, bridge, circles, local } = self;
        let mut additions = Vec::new();
        for circle in circles {
            if let Some(kept) = shared.get_mut(&circle) {
                kept.put(host, bridge, &mut additions);
            }
        }
        additions.push(local);
        additions
    }
}

impl Encoded {
    /// Takes a unit that stays as it is from who leaves its circle, and gives it to who joins.
    fn hand_over(&self, unit: Unit, circle: Circle, left: &Recipients, joined: &Recipients, deltas: &mut Deltas) {
        for bridge in Bridge::ALL {
            deltas.withdraw(unit, bridge, Some(circle), left, self.edits(bridge));
            deltas.give(unit, bridge, joined, self.edits(bridge));
        }
    }
}

/// Deltas in the making: what is taken away, and what is added after it.
#[derive(Default)]
struct Deltas {
    take: Vec<Delta>,
    add: Vec<Delta>,
}

impl Deltas {
    /// Takes a unit, which consists of these additions, from who is not in its circle any more.
    fn withdraw(
        &mut self,
        unit: Unit,
        bridge: Bridge,
        circle: Option<Circle>,
        recipients: &Recipients,
        held: &Arc<[EncodedEdit]>,
    ) {
        if held.is_empty() || recipients.is_empty() {
            return;
        }
        let edits = held.iter().map(EncodedEdit::withdrawal).collect();
        let can_wait = matches!(circle, Some(Circle::Set(_)));
        let change = -Digest::of(&**held);
        self.take.push(Delta { unit, recipients: recipients.clone(), bridge, edits, change, can_wait });
    }

    /// Gives a unit to who does not have it.
    fn give(&mut self, unit: Unit, bridge: Bridge, recipients: &Recipients, edits: &Arc<[EncodedEdit]>) {
        if edits.is_empty() || recipients.is_empty() {
            return;
        }
        self.add.push(Delta {
            unit,
            recipients: recipients.clone(),
            bridge,
            edits: edits.clone(),
            change: Digest::of(&**edits),
            can_wait: false,
        });
    }

    /// Makes something else of a unit for who has it and keeps it.
    fn alter(&mut self, unit: Unit, bridge: Bridge, recipients: &Recipients, way: Difference) {
        let Difference { take, add, change } = way;
        // The change is of both; it goes with whatever comes last.
        let (of_take, of_add) = if add.is_empty() { (change, Digest::default()) } else { (Digest::default(), change) };
        for (to, edits, change) in [(&mut self.take, take, of_take), (&mut self.add, add, of_add)] {
            if !edits.is_empty() {
                to.push(Delta { unit, recipients: recipients.clone(), bridge, edits, change, can_wait: false });
            }
        }
    }
}

impl Engine {
    /// Compiles a whole topology.
    #[must_use]
    pub fn load(topology: &Topology) -> Self {
        let mut engine = Self { shared: BTreeMap::new(), roster: Roster::of(topology) };
        for circle in Circle::all(topology) {
            engine.keep(circle, topology);
        }
        engine
    }

    fn keep(&mut self, circle: Circle, topology: &Topology) {
        for unit in units_of(circle, topology) {
            if let Some((_, except)) = unit.scope(topology).circle().filter(|(its, _)| *its == circle) {
                let encoded = Encoded::of(&unit.build(topology), except);
                if !encoded.is_empty() {
                    self.shared.entry(circle).or_default().insert(unit, encoded);
                }
            }
        }
    }

    /// Follows a commit: rebuilds the units that it makes stale and tells what to send to whom.
    ///
    /// `old` must be the topology that the engine was loaded from or followed to, `new` the one that the commit leads
    /// to. What comes and goes for hypervisors that are not told, since they are compared as a whole later, is not looked
    /// for; they may still be among the recipients of what changes for others.
    pub fn apply(
        &mut self,
        commit: &Commit,
        old: &Topology,
        new: &Topology,
        mut is_told: impl FnMut(HostKey) -> bool,
    ) -> Applied {
        let touched: Vec<_> = commit.changes.iter().map(|change| Touched::by(change, old, new)).collect();
        let mut dirty = BTreeSet::new();
        for one in &touched {
            for feature in FEATURES {
                feature.dirty(one, &mut dirty);
            }
        }
        let shifts = self.roster.follow(&touched, new);
        let mut deltas = Deltas::default();
        for &unit in &dirty {
            self.rebuild(unit, &shifts, (old, new), &mut is_told, &mut deltas);
        }
        for (circle, left, joined) in shifts.iter() {
            let [left, joined] = [left, joined].map(|hosts| hosts.only(&mut is_told));
            if left.is_empty() && joined.is_empty() {
                continue;
            }
            let units = self.shared.get(&circle).into_iter().flat_map(Kept::iter);
            for (unit, encoded) in units.filter(|(unit, _)| !dirty.contains(unit)) {
                let (left, joined) = (left.without(encoded.except), joined.without(encoded.except));
                encoded.hand_over(unit, circle, &left, &joined, &mut deltas);
            }
        }
        let Deltas { mut take, add } = deltas;
        take.extend(add);
        let unexpressed = Unexpressed::of_touched(&touched, new);
        Applied { deltas: take, rebuilt: dirty.into_iter().collect(), unexpressed }
    }

    fn rebuild(
        &mut self,
        unit: Unit,
        shifts: &Shifts,
        (old, new): (&Topology, &Topology),
        is_told: &mut impl FnMut(HostKey) -> bool,
        deltas: &mut Deltas,
    ) {
        let (was, is) = (unit.scope(old), unit.scope(new));
        let Audience { lose, keep, gain } = self.roster.audience(shifts, was, is);
        let [lose, gain] = &[lose, gain].map(|hosts| hosts.only(&mut *is_told));
        let (before, after) = (unit.build(old), unit.build(new));
        let circle = is.circle();
        let encoded = Encoded::of(&after, circle.and_then(|(_, except)| except));
        let (was, is) = (was.circle().map(|(circle, _)| circle), circle.map(|(circle, _)| circle));
        let kept = was.and_then(|circle| self.shared.get(&circle)).and_then(|kept| kept.get(unit));
        let former = kept.cloned().unwrap_or_else(|| Encoded::of(&before, None));
        for bridge in Bridge::ALL {
            let (was_edits, edits) = (former.edits(bridge), encoded.edits(bridge));
            deltas.withdraw(unit, bridge, was, lose, was_edits);
            if !keep.is_empty() {
                let way = Difference::of((before.edits(bridge), was_edits), (after.edits(bridge), edits));
                deltas.alter(unit, bridge, &keep, way);
            }
            deltas.give(unit, bridge, gain, edits);
        }
        if let Some(circle) = was.filter(|_| was != is || encoded.is_empty()) {
            self.forget(circle, unit);
        }
        if let Some(circle) = is.filter(|_| !encoded.is_empty()) {
            self.shared.entry(circle).or_default().insert(unit, encoded);
        }
    }

    fn forget(&mut self, circle: Circle, unit: Unit) {
        if let Some(kept) = self.shared.get_mut(&circle) {
            kept.remove(unit);
            if kept.len() == 0 {
                self.shared.remove(&circle);
            }
        }
    }

    /// What a bridge of a hypervisor must hold; nothing for one that is not known. `topology` must be the one that the
    /// engine was loaded from or followed to.
    ///
    /// What is shared with others is not looked up unit by unit: it is all that is kept for the hypervisor's circles.
    pub fn holding(&mut self, host: HostKey, bridge: Bridge, topology: &Topology) -> Holding<'_> {
        let hypervisor = topology.hypervisor_by_key(host);
        let circles = self.roster.circles_of(host).collect();
        let local = hypervisor.map(|hypervisor| encoded_locally(hypervisor, bridge, topology)).unwrap_or_default();
        Holding { shared: &mut self.shared, host, bridge, circles, local }
    }

    /// How many units are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.values().map(Kept::len).sum()
    }

    /// Whether nothing is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.shared.is_empty()
    }
}

/// The units of a circle, each once, and perhaps more.
fn units_of(circle: Circle, topology: &Topology) -> Vec<Unit> {
    let mut units = Vec::new();
    for feature in FEATURES {
        feature.of_circle(circle, topology, &mut units);
    }
    units
}

/// The units that a hypervisor holds, sorted; none for one that is not known.
#[must_use]
pub fn units_for(host: HostKey, topology: &Topology) -> Vec<Unit> {
    let Some(hypervisor) = topology.hypervisor_by_key(host) else { return Vec::new() };
    let mut units = Vec::new();
    for circle in Circle::of(hypervisor, topology) {
        let held = units_of(circle, topology).into_iter();
        units.extend(held.filter(|unit| unit.scope(topology).is_held_by(host, Some(circle))));
    }
    units.extend(local_units(hypervisor, topology));
    units.sort_unstable();
    units
}

/// The units that nobody but a hypervisor holds.
fn local_units(hypervisor: &Hypervisor, topology: &Topology) -> Vec<Unit> {
    let mut units = Vec::new();
    for feature in FEATURES {
        feature.of_host(hypervisor, topology, &mut units);
    }
    units.retain(|unit| unit.scope(topology).is_held_by(hypervisor.key, None));
    units
}

/// What nobody but a hypervisor holds, encoded.
fn encoded_locally(hypervisor: &Hypervisor, bridge: Bridge, topology: &Topology) -> EditRun {
    let units = local_units(hypervisor, topology).into_iter().filter(|unit| unit.concerns(bridge));
    let built: Vec<Sink> = units.map(|unit| unit.build(topology)).collect();
    encode(built.iter().flat_map(|sink| sink.edits(bridge))).into()
}

/// Everything that a bridge of a hypervisor must hold.
#[must_use]
pub fn desired(host: HostKey, bridge: Bridge, topology: &Topology) -> FlowTable {
    let mut table = FlowTable::default();
    let units = units_for(host, topology);
    let built: Vec<Sink> =
        units.into_iter().filter(|unit| unit.concerns(bridge)).map(|unit| unit.build(topology)).collect();
    let edits = || built.iter().flat_map(|sink| sink.edits(bridge));
    let is_bucket = |edit: &&FlowEdit| matches!(edit, FlowEdit::InsertBucket { .. });
    for edit in edits().filter(|edit| !is_bucket(edit)).chain(edits().filter(is_bucket)) {
        let accepted = table.apply(edit);
        debug_assert!(accepted, "the groups of a network come with every hypervisor of it: {edit:?}");
    }
    table
}
