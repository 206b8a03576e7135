//! Keeps the encoded units and turns commits into deltas.

use crate::circle::Circle;
use crate::delta::{difference, encode, withdraw};
use crate::feature::FEATURES;
use crate::roster::{Audience, Roster, Shifts};
use crate::{Bridge, Delta, Recipients, Sink, Touched, Unexpressed, Unit};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use weir_model::{Commit, HostKey, Hypervisor, Topology};
use weir_openflow::{EncodedEdit, FlowEdit, FlowTable};

/// The compiler's memory: every unit that several hypervisors share, encoded once.
///
/// Units of a single hypervisor are not kept: they are built when they are asked for, and what they were before a commit
/// is built from the topology before the commit.
#[derive(Clone, Debug, Default)]
pub struct Engine {
    shared: BTreeMap<Circle, BTreeMap<Unit, Encoded>>,
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

/// A unit as it travels, per bridge, and who of its circle does not hold it.
#[derive(Clone, Debug)]
struct Encoded {
    integration: Arc<[EncodedEdit]>,
    tunnel: Arc<[EncodedEdit]>,
    except: Option<HostKey>,
}

impl Encoded {
    fn of(sink: &Sink, except: Option<HostKey>) -> Self {
        let [integration, tunnel] = Bridge::ALL.map(|bridge| encode(sink.edits(bridge)));
        Self { integration, tunnel, except }
    }

    fn edits(&self, bridge: Bridge) -> &Arc<[EncodedEdit]> {
        match bridge {
            Bridge::Integration => &self.integration,
            Bridge::Tunnel => &self.tunnel,
        }
    }

    fn is_empty(&self) -> bool {
        self.integration.is_empty() && self.tunnel.is_empty()
    }

    /// Takes a unit that stays as it is from who leaves its circle, and gives it to who joins.
    fn hand_over(&self, unit: Unit, circle: Circle, left: &Recipients, joined: &Recipients, deltas: &mut Deltas) {
        for bridge in Bridge::ALL {
            let edits = self.edits(bridge);
            if !left.is_empty() {
                deltas.withdraw(unit, bridge, Some(circle), left, edits.iter().map(EncodedEdit::withdrawal).collect());
            }
            deltas.add(unit, bridge, joined, edits.clone());
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
    fn take(&mut self, unit: Unit, bridge: Bridge, recipients: &Recipients, edits: Arc<[EncodedEdit]>) {
        push(&mut self.take, unit, bridge, recipients, edits, false);
    }

    /// Takes a unit of a circle from who is not in it any more.
    fn withdraw(
        &mut self,
        unit: Unit,
        bridge: Bridge,
        circle: Option<Circle>,
        recipients: &Recipients,
        edits: Arc<[EncodedEdit]>,
    ) {
        let can_wait = matches!(circle, Some(Circle::Set(_)));
        push(&mut self.take, unit, bridge, recipients, edits, can_wait);
    }

    fn add(&mut self, unit: Unit, bridge: Bridge, recipients: &Recipients, edits: Arc<[EncodedEdit]>) {
        push(&mut self.add, unit, bridge, recipients, edits, false);
    }
}

fn push(
    to: &mut Vec<Delta>,
    unit: Unit,
    bridge: Bridge,
    recipients: &Recipients,
    edits: Arc<[EncodedEdit]>,
    can_wait: bool,
) {
    if !edits.is_empty() && !recipients.is_empty() {
        to.push(Delta { unit, recipients: recipients.clone(), bridge, edits, can_wait });
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
    /// to.
    pub fn apply(&mut self, commit: &Commit, old: &Topology, new: &Topology) -> Applied {
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
            self.rebuild(unit, &shifts, old, new, &mut deltas);
        }
        for (circle, left, joined) in shifts.iter() {
            let units = self.shared.get(&circle).into_iter().flatten().filter(|(unit, _)| !dirty.contains(*unit));
            for (unit, encoded) in units {
                let (left, joined) = (left.without(encoded.except), joined.without(encoded.except));
                encoded.hand_over(*unit, circle, &left, &joined, &mut deltas);
            }
        }
        let Deltas { mut take, add } = deltas;
        take.extend(add);
        let unexpressed = Unexpressed::of_touched(&touched, new);
        Applied { deltas: take, rebuilt: dirty.into_iter().collect(), unexpressed }
    }

    fn rebuild(&mut self, unit: Unit, shifts: &Shifts, old: &Topology, new: &Topology, deltas: &mut Deltas) {
        let (was, is) = (unit.scope(old), unit.scope(new));
        let Audience { lose, keep, gain } = &self.roster.audience(shifts, was, is);
        let (before, after) = (unit.build(old), unit.build(new));
        let circle = is.circle();
        let encoded = Encoded::of(&after, circle.and_then(|(_, except)| except));
        let (was, is) = (was.circle().map(|(circle, _)| circle), circle.map(|(circle, _)| circle));
        for bridge in Bridge::ALL {
            let edits = encoded.edits(bridge);
            if !lose.is_empty() {
                deltas.withdraw(unit, bridge, was, lose, withdraw(before.edits(bridge)));
            }
            if !keep.is_empty() {
                let (take, add) = difference(before.edits(bridge), after.edits(bridge), edits);
                deltas.take(unit, bridge, keep, take);
                deltas.add(unit, bridge, keep, add);
            }
            deltas.add(unit, bridge, gain, edits.clone());
        }
        if let Some(circle) = was.filter(|_| was != is || encoded.is_empty()) {
            self.forget(circle, unit);
        }
        if let Some(circle) = is.filter(|_| !encoded.is_empty()) {
            self.shared.entry(circle).or_default().insert(unit, encoded);
        }
    }

    fn forget(&mut self, circle: Circle, unit: Unit) {
        if let Some(units) = self.shared.get_mut(&circle) {
            units.remove(&unit);
            if units.is_empty() {
                self.shared.remove(&circle);
            }
        }
    }

    /// Everything that a bridge of a hypervisor must hold, encoded, grouped by unit; nothing for one that is not known.
    ///
    /// What is shared with others is not looked up unit by unit: it is all that is kept for the hypervisor's circles.
    pub fn encoded<'a>(
        &'a self,
        host: HostKey,
        bridge: Bridge,
        topology: &'a Topology,
    ) -> impl Iterator<Item = (Unit, Arc<[EncodedEdit]>)> + 'a {
        let hypervisor = topology.hypervisor_by_key(host);
        let circles = hypervisor.map(|hypervisor| Circle::of(hypervisor, topology)).unwrap_or_default();
        let kept = circles.into_iter().filter_map(|circle| self.shared.get(&circle)).flatten();
        let shared = kept
            .filter(move |(_, encoded)| encoded.except != Some(host))
            .map(move |(unit, encoded)| (*unit, encoded.edits(bridge).clone()));
        let local = hypervisor.map(|hypervisor| local_units(hypervisor, topology)).unwrap_or_default();
        let local = local
            .into_iter()
            .filter(move |unit| unit.concerns(bridge))
            .map(move |unit| (unit, encode(unit.build(topology).edits(bridge))));
        shared.chain(local).filter(|(_, edits)| !edits.is_empty())
    }

    /// How many units are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.values().map(BTreeMap::len).sum()
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
