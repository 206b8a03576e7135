//! What a switch holds against what it should hold.

use crate::{Desired, SealPlace};
use hashbrown::{DefaultHashBuilder, HashTable};
use std::collections::BTreeMap;
use std::fmt;
use std::hash::BuildHasher as _;
use weir_openflow::message::{FlowEntries, GroupEntries};
use weir_openflow::{
    Digest, EditRun, Edits, EncodedEdit, EncodedKey, FlowEdit, FlowTable, Group, GroupId, GroupKind, Meter, Phase,
    RawFlow, RawKey, Selection, TableId,
};

/// What a switch should hold.
type Runs = [EditRun];

/// Where an edit stands in the runs: a switch may have a hundred thousand, and is compared with a thousand others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    run: u32,
    edit: u32,
}

impl Place {
    fn of(self, runs: &Runs) -> &EncodedEdit {
        &runs[self.run as usize][self.edit as usize]
    }

    fn is_named(self, runs: &Runs, key: RawKey<'_>) -> bool {
        self.of(runs).raw_key() == Some(key)
    }
}

/// A comparison in progress: flows are crossed off as the switch tells them.
#[derive(Debug)]
pub(crate) struct Comparison {
    pub(crate) revision: u64,
    /// The digest of what the switch should hold.
    pub(crate) digest: Digest,
    seal_place: SealPlace,
    /// What the switch's seal says.
    pub(crate) sealed: Option<u128>,
    runs: Vec<EditRun>,
    /// Flows that were not seen yet; none before the switch has told any: one that has none is not looked up in.
    missing: Option<Missing>,
    /// Flows that do something else than they should.
    altered: Vec<Place>,
    /// What takes away what should not be there.
    deletions: Vec<EncodedEdit>,
    held: FlowTable,
    repair: Repair,
}

/// Flows that should be there and were not seen yet, by their names. The order of the table never shows: places are
/// sorted.
#[derive(Debug)]
struct Missing {
    places: HashTable<Place>,
    hashes: DefaultHashBuilder,
}

impl Missing {
    /// All flows of the runs.
    fn of(runs: &Runs) -> Self {
        let hashes = DefaultHashBuilder::default();
        let mut places: HashTable<Place> = HashTable::with_capacity(runs.iter().map(|run| run.len()).sum());
        for (place, key) in all(runs).filter_map(|(place, edit)| Some((place, edit.raw_key()?))) {
            let hash_of = |place: &Place| hashes.hash_one(place.of(runs).raw_key());
            places.entry(hashes.hash_one(Some(key)), |other| other.is_named(runs, key), hash_of).insert(place);
        }
        Self { places, hashes }
    }

    /// Takes out the flow of a name.
    fn take(&mut self, key: RawKey<'_>, runs: &Runs) -> Option<Place> {
        let hash = self.hashes.hash_one(Some(key));
        let found = self.places.find_entry(hash, |place| place.is_named(runs, key)).ok()?;
        Some(found.remove().0)
    }

    fn into_sorted(self) -> Vec<Place> {
        let mut places: Vec<Place> = self.places.into_iter().collect();
        places.sort_unstable();
        places
    }
}

/// All edits with their places.
fn all(runs: &Runs) -> impl Iterator<Item = (Place, &EncodedEdit)> {
    (0..).zip(runs).flat_map(|(run, edits)| (0..).zip(edits.iter()).map(move |(edit, it)| (Place { run, edit }, it)))
}

/// How a switch differed from what it should hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Repair {
    /// Flows that were not there.
    pub missing: usize,
    /// Flows that did something else.
    pub altered: usize,
    /// Flows that should not be there.
    pub foreign: usize,
    /// Edits of groups and meters.
    pub groups: usize,
}

impl Repair {
    /// Whether the switch held just what it should.
    pub const fn is_clean(&self) -> bool {
        self.missing == 0 && self.altered == 0 && self.foreign == 0 && self.groups == 0
    }
}

impl fmt::Display for Repair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { missing, altered, foreign, groups } = self;
        write!(f, "{missing} missing, {altered} altered, {foreign} foreign flows, {groups} edits of groups")
    }
}

impl Comparison {
    pub(crate) fn new(desired: &Desired, seal_place: SealPlace) -> Self {
        Self {
            revision: desired.revision,
            digest: desired.digest,
            seal_place,
            sealed: None,
            runs: desired.additions.clone(),
            missing: None,
            altered: Vec::new(),
            deletions: Vec::new(),
            held: FlowTable::default(),
            repair: Repair::default(),
        }
    }

    /// The switch holds these flows.
    pub(crate) fn flows(&mut self, flows: &FlowEntries) {
        for held in flows.raw() {
            if held.key.table == self.seal_place.table
                && let Some(sum) = self.seal_place.read(&held)
            {
                self.sealed = Some(sum);
                continue;
            }
            let missing = self.missing.get_or_insert_with(|| Missing::of(&self.runs));
            match missing.take(held.key, &self.runs) {
                Some(place) if is_same(place.of(&self.runs), &held) => {}
                Some(place) => self.altered.push(place),
                None => self.deletions.push(held.key.deletion()),
            }
        }
    }

    /// The switch holds these groups. One that cannot be read is not ours: it is deleted, and added if its number is.
    pub(crate) fn groups(&mut self, groups: &GroupEntries) {
        for (id, group) in groups.iter() {
            let unknown =
                || Group { id, kind: GroupKind::Indirect, buckets: Vec::new(), selection: Selection::default() };
            self.held.groups.insert(id, group.unwrap_or_else(|_| unknown()));
        }
    }

    /// The switch holds these meters.
    pub(crate) fn meters(&mut self, meters: Vec<Meter>) {
        self.held.meters.extend(meters.into_iter().map(|meter| (meter.id, meter)));
    }

    /// The edits that make the switch hold what it should, in the order in which it must see them. Flows go in and out
    /// table by table: see [`Pending::take`](crate::pending::Pending::take).
    pub(crate) fn finish(mut self) -> (Edits, Repair) {
        (self.repair.altered, self.repair.foreign) = (self.altered.len(), self.deletions.len());
        let (new, wanted) = self.wanted();
        let additions = self.additions();
        self.repair.missing = additions.iter().map(|run| run.len()).sum::<usize>() - self.altered.len();
        let groups = FlowTable::diff(&self.held, &wanted);
        self.repair.groups = new.len() + groups.len();
        let mut others = self.deletions;
        for (group, buckets) in new.into_values() {
            match group.with_buckets(&buckets) {
                Some(whole) => others.push(whole),
                // What does not fit into one message is sent bucket by bucket.
                None => others.extend(std::iter::once(group).chain(buckets)),
            }
        }
        for edit in &groups {
            // A switch refuses to add a meter that it has.
            let held = matches!(edit, FlowEdit::AddMeter(meter) if self.held.meters.contains_key(&meter.id));
            match EncodedEdit::encode(edit) {
                Ok(encoded) => others.push(if held { encoded.meter_change() } else { encoded }),
                Err(_) => others.extend(in_pieces(edit)),
            }
        }
        others.sort_by_key(|edit| (edit.phase(), edit.table()));
        let after = others.split_off(others.partition_point(|edit| edit.phase() < Phase::AddFlow));
        let mut edits = Edits::from(others);
        additions.into_iter().for_each(|run| edits.push(run));
        edits.push(after);
        (edits, self.repair)
    }

    /// The groups that should be there and are not, with their buckets, and the meters and the other groups that should
    /// be there. A large switch has hundreds of groups of a hundred buckets, so that new ones are taken as they travel.
    fn wanted(&self) -> (BTreeMap<GroupId, (EncodedEdit, Vec<EncodedEdit>)>, FlowTable) {
        let mut others: Vec<&EncodedEdit> =
            all(&self.runs).map(|(_, edit)| edit).filter(|edit| edit.phase() != Phase::AddFlow).collect();
        // Each bucket comes after its group.
        others.sort_by_key(|edit| edit.phase());
        let (mut new, mut wanted) = (BTreeMap::new(), FlowTable::default());
        for edit in others {
            match edit.key() {
                EncodedKey::Group(group) if !self.held.groups.contains_key(&group) => {
                    new.insert(group, (edit.clone(), Vec::new()));
                }
                EncodedKey::Bucket(group, _) if let Some((_, buckets)) = new.get_mut(&group) => {
                    buckets.push(edit.clone());
                }
                _ => {
                    if let Ok(edit) = edit.decode() {
                        wanted.apply(&edit);
                    }
                }
            }
        }
        (new, wanted)
    }

    /// The flows to add, table by table: those that are not there, and those that do something else. What stands
    /// together stays together.
    fn additions(&mut self) -> Vec<EditRun> {
        // A large switch lacks nothing or everything; sorting by comparisons would take longer than all the rest.
        let mut tables: BTreeMap<TableId, Vec<EditRun>> = BTreeMap::new();
        let mut stretch = Stretch::default();
        let mut put = |stretch: Stretch| {
            if let Some(table) = stretch.table {
                let run = self.runs[stretch.run as usize].slice(stretch.start as usize..stretch.end as usize);
                tables.entry(table).or_default().push(run);
            }
        };
        let mut add = |place: Place, edit: &EncodedEdit| {
            if let Some(former) = stretch.go_on(place, edit.table()) {
                put(former);
            }
        };
        match self.missing.take() {
            Some(missing) => missing.into_sorted().into_iter().for_each(|place| add(place, place.of(&self.runs))),
            None => all(&self.runs).for_each(|(place, edit)| add(place, edit)),
        }
        self.altered.iter().for_each(|place| add(*place, place.of(&self.runs)));
        put(stretch);
        tables.into_values().flatten().collect()
    }
}

/// Flows of one table that stand one after the other.
#[derive(Clone, Copy, Debug, Default)]
struct Stretch {
    /// None for what is no flow, or nothing at all.
    table: Option<TableId>,
    run: u32,
    start: u32,
    end: u32,
}

impl Stretch {
    /// Takes in the next place; what came to its end by that.
    fn go_on(&mut self, place: Place, table: Option<TableId>) -> Option<Self> {
        if (self.table, self.run, self.end) == (table, place.run, place.edit) {
            self.end += 1;
            return None;
        }
        let Place { run, edit } = place;
        Some(std::mem::replace(self, Self { table, run, start: edit, end: edit + 1 }))
    }
}

/// A group that is too large for one message, bucket by bucket.
fn in_pieces(edit: &FlowEdit) -> Vec<EncodedEdit> {
    let FlowEdit::AddGroup(group) = edit else { return Vec::new() };
    let empty = FlowEdit::AddGroup(Group { buckets: Vec::new(), ..group.clone() });
    let buckets = group.buckets.iter().map(|bucket| FlowEdit::InsertBucket { group: group.id, bucket: bucket.clone() });
    std::iter::once(empty).chain(buckets).filter_map(|piece| EncodedEdit::encode(&piece).ok()).collect()
}

/// Whether a flow is as it should be: by its bytes, which a switch gives back as it got them, else by their meaning.
fn is_same(wanted: &EncodedEdit, held: &RawFlow<'_>) -> bool {
    let Ok(wanted) = RawFlow::from_flow_mod(wanted.message()) else { return false };
    wanted.value == held.value || matches!((wanted.decode(), held.decode()), (Ok(wanted), Ok(held)) if wanted == held)
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_openflow::{Action, Bucket, BucketId, Cookie, GroupId, PortNo, TableId};

    const SEAL: SealPlace = SealPlace { table: TableId(250), cookie: Cookie(1) };

    #[test]
    fn a_group_too_large_for_a_message_comes_in_pieces() {
        let group = |buckets| Group { id: GroupId(1), kind: GroupKind::All, buckets, selection: Selection::default() };
        let buckets: Vec<_> =
            (1..3_000).map(|id| Bucket::new(BucketId(id), vec![Action::output(PortNo(id))])).collect();
        let insert = |bucket: &Bucket| FlowEdit::InsertBucket { group: GroupId(1), bucket: bucket.clone() };
        let edits = std::iter::once(FlowEdit::AddGroup(group(Vec::new()))).chain(buckets.iter().map(insert));
        let unit: Vec<_> = edits.map(|edit| EncodedEdit::encode(&edit).expect("a small edit")).collect();
        let (edits, repair) =
            Comparison::new(&Desired { revision: 1, additions: vec![unit.into()], digest: Digest::default() }, SEAL)
                .finish();
        assert_eq!(repair.groups, 1);
        let mut switch = FlowTable::default();
        for edit in edits.iter() {
            assert!(switch.apply(&edit.decode().expect("our own edit")));
        }
        assert_eq!(switch.groups[&GroupId(1)], group(buckets));
    }
}
