//! Units as they travel, and all that a circle shares.

use crate::block::Block;
use crate::delta::encode;
use crate::{Bridge, Sink, Unit};
use std::collections::BTreeMap;
use std::sync::Arc;
use weir_model::HostKey;
use weir_openflow::{Digest, EditRun, EncodedEdit};

/// A unit as it travels, per bridge, and who of its circle does not hold it.
#[derive(Clone, Debug)]
pub(crate) struct Encoded {
    edits: [Arc<[EncodedEdit]>; 2],
    /// Who is left out.
    pub(crate) except: Option<HostKey>,
}

/// The units that the hypervisors of a circle share.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kept {
    units: BTreeMap<Unit, Encoded>,
    digests: Digests,
    /// What hypervisors do not hold of it.
    left_out: BTreeMap<HostKey, Digests>,
    whole: [Whole; 2],
}

/// What is given to a hypervisor that is told all that its circles share in a bridge. What keeps changing is not worth a
/// block each time, which takes as long as there are units.
#[derive(Clone, Debug, Default)]
enum Whole {
    /// The units: nobody was told all since one changed.
    #[default]
    Units,
    /// Somebody was, so that others may follow.
    Asked,
    /// All in one piece.
    Block(Block),
}

/// A digest for each bridge, in the order of [`Bridge::ALL`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Digests([Digest; 2]);

impl Encoded {
    pub(crate) fn of(sink: &Sink, except: Option<HostKey>) -> Self {
        Self { edits: Bridge::ALL.map(|bridge| encode(sink.edits(bridge))), except }
    }

    pub(crate) const fn edits(&self, bridge: Bridge) -> &Arc<[EncodedEdit]> {
        &self.edits[bridge.index()]
    }

    /// Puts the same edits in another place of memory.
    pub(crate) fn set(&mut self, bridge: Bridge, edits: Arc<[EncodedEdit]>) {
        self.edits[bridge.index()] = edits;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.edits.iter().all(|edits| edits.is_empty())
    }

    fn digests(&self) -> Digests {
        Digests(Bridge::ALL.map(|bridge| Digest::of(&**self.edits(bridge))))
    }
}

impl Digests {
    const fn of(&self, bridge: Bridge) -> Digest {
        self.0[bridge.index()]
    }

    fn change(&mut self, by: Self, apply: impl Fn(&mut Digest, Digest)) {
        self.0.iter_mut().zip(by.0).for_each(|(digest, by)| apply(digest, by));
    }
}

impl Kept {
    /// Keeps a unit, in place of what it was.
    pub(crate) fn insert(&mut self, unit: Unit, encoded: Encoded) {
        self.remove(unit);
        self.whole = Default::default();
        let digests = encoded.digests();
        self.digests.change(digests, |digest, by| *digest += by);
        if let Some(host) = encoded.except {
            self.left_out.entry(host).or_default().change(digests, |digest, by| *digest += by);
        }
        self.units.insert(unit, encoded);
    }

    /// Forgets a unit.
    pub(crate) fn remove(&mut self, unit: Unit) {
        let Some(encoded) = self.units.remove(&unit) else { return };
        self.whole = Default::default();
        let digests = encoded.digests();
        self.digests.change(digests, |digest, by| *digest -= by);
        if let Some(host) = encoded.except
            && let Some(left_out) = self.left_out.get_mut(&host)
        {
            left_out.change(digests, |digest, by| *digest -= by);
            if *left_out == Digests::default() {
                self.left_out.remove(&host);
            }
        }
    }

    /// Adds all that a hypervisor of the circle holds of it in a bridge.
    pub(crate) fn put(&mut self, host: HostKey, bridge: Bridge, additions: &mut Vec<EditRun>) {
        let whole = &mut self.whole[bridge.index()];
        match whole {
            Whole::Units => {
                let held = self.units.values().filter(|encoded| encoded.except != Some(host));
                let edits = held.map(|encoded| encoded.edits(bridge)).filter(|edits| !edits.is_empty());
                additions.extend(edits.map(|edits| EditRun::from(Arc::clone(edits))));
                *whole = Whole::Asked;
            }
            Whole::Asked => {
                let block = Block::of(&mut self.units, bridge);
                additions.extend(block.held_by(host));
                *whole = Whole::Block(block);
            }
            Whole::Block(block) => additions.extend(block.held_by(host)),
        }
    }

    /// A unit.
    pub(crate) fn get(&self, unit: Unit) -> Option<&Encoded> {
        self.units.get(&unit)
    }

    /// All units.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Unit, &Encoded)> {
        self.units.iter().map(|(unit, encoded)| (*unit, encoded))
    }

    /// How many units there are.
    pub(crate) fn len(&self) -> usize {
        self.units.len()
    }

    /// The digest of what a hypervisor of the circle holds of it in a bridge.
    pub(crate) fn digest(&self, host: HostKey, bridge: Bridge) -> Digest {
        let left_out = self.left_out.get(&host).map(|digests| digests.of(bridge)).unwrap_or_default();
        self.digests.of(bridge) - left_out
    }
}
