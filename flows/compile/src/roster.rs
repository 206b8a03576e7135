//! Which hypervisors hold the units of a scope, and who comes and goes with a commit.

use crate::circle::Circle;
use crate::{Scope, Touched};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use weir_model::{Change, HostKey, NetworkId, RouterId, Topology};

/// Hypervisors that get an edit, in ascending order. Cheap to copy however many they are.
#[derive(Clone, Debug, Default)]
pub struct Recipients {
    hosts: Arc<[HostKey]>,
    except: [Option<HostKey>; 2],
}

impl Recipients {
    /// All of these, which are in ascending order.
    fn all(hosts: Arc<[HostKey]>) -> Self {
        Self { hosts, except: [None; 2] }
    }

    fn except(hosts: Arc<[HostKey]>, except: Option<HostKey>) -> Self {
        Self { hosts, except: [except, None] }
    }

    /// The hypervisors, ascending.
    pub fn iter(&self) -> impl Iterator<Item = HostKey> + '_ {
        self.hosts.iter().copied().filter(|host| !self.leaves_out(*host))
    }

    /// Whether a hypervisor is one of them.
    #[must_use]
    pub fn contains(&self, host: HostKey) -> bool {
        self.hosts.binary_search(&host).is_ok() && !self.leaves_out(host)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// The same without one of them.
    pub(crate) fn without(&self, host: Option<HostKey>) -> Self {
        Self { hosts: self.hosts.clone(), except: [self.except[0].or(host), self.except[1].or(host)] }
    }

    /// Those of whom it is true.
    pub(crate) fn only(self, mut is_meant: impl FnMut(HostKey) -> bool) -> Self {
        if self.iter().all(&mut is_meant) { self } else { self.iter().filter(|host| is_meant(*host)).collect() }
    }

    fn leaves_out(&self, host: HostKey) -> bool {
        self.except.contains(&Some(host))
    }
}

impl FromIterator<HostKey> for Recipients {
    fn from_iter<T: IntoIterator<Item = HostKey>>(hosts: T) -> Self {
        let hosts: BTreeSet<_> = hosts.into_iter().collect();
        Self::all(hosts.into_iter().collect())
    }
}

impl PartialEq for Recipients {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Recipients {}

/// The members of every circle, and the circles of every hypervisor.
#[derive(Clone, Debug, Default)]
pub(crate) struct Roster {
    /// Lists are shared with the deltas made of them.
    members: BTreeMap<Circle, Arc<[HostKey]>>,
    circles: BTreeMap<HostKey, BTreeSet<Circle>>,
}

/// One circle before and after a commit.
#[derive(Clone, Debug)]
struct Shift {
    before: Arc<[HostKey]>,
    after: Arc<[HostKey]>,
    /// Those of before that are there after.
    stay: Arc<[HostKey]>,
    left: BTreeSet<HostKey>,
    joined: BTreeSet<HostKey>,
}

/// The circles that change with a commit, and the roster as it was.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shifts(BTreeMap<Circle, Shift>);

/// Who gets what of a unit.
#[derive(Clone, Debug)]
pub(crate) struct Audience {
    /// Had the unit, and has it no more.
    pub(crate) lose: Recipients,
    /// Has it as before.
    pub(crate) keep: Recipients,
    /// Did not have it, and has it now.
    pub(crate) gain: Recipients,
}

impl Shift {
    fn new(before: Arc<[HostKey]>, left: BTreeSet<HostKey>, joined: BTreeSet<HostKey>) -> Self {
        let stay: Arc<[HostKey]> = if left.is_empty() {
            before.clone()
        } else {
            before.iter().copied().filter(|host| !left.contains(host)).collect()
        };
        let after: Arc<[HostKey]> = if joined.is_empty() {
            stay.clone()
        } else {
            let all: BTreeSet<HostKey> = stay.iter().chain(&joined).copied().collect();
            all.into_iter().collect()
        };
        Self { before, after, stay, left, joined }
    }

    /// The shift that takes hypervisors in or out as the answers say.
    fn by(before: Arc<[HostKey]>, answers: impl IntoIterator<Item = (HostKey, bool)>) -> Option<Self> {
        let (mut left, mut joined) = (BTreeSet::new(), BTreeSet::new());
        for (host, is_in) in answers {
            match (before.binary_search(&host).is_ok(), is_in) {
                (true, false) => left.insert(host),
                (false, true) => joined.insert(host),
                _ => continue,
            };
        }
        (!left.is_empty() || !joined.is_empty()).then(|| Self::new(before, left, joined))
    }
}

/// What a commit may do to circles.
#[derive(Default)]
struct Moves {
    /// Whether these hypervisors are in the circle after it.
    answers: BTreeMap<Circle, BTreeMap<HostKey, bool>>,
    /// Circles of which everybody may come and go.
    anew: BTreeSet<Circle>,
}

impl Moves {
    /// A port of a network on a hypervisor comes, goes or changes.
    fn port(&mut self, one: &Touched<'_>, network: NetworkId, host: HostKey, new: &Topology) {
        let occupied = |topology: &Topology| {
            let host = topology.hypervisor_by_key(host);
            host.is_some_and(|host| topology.bound_count(network, &host.name) > 0)
        };
        let is_in = occupied(new);
        let before = one.old.network(network).or_else(|| one.new.network(network));
        if let Some(network) = before {
            self.answers.entry(Circle::Network(network.key)).or_default().insert(host, is_in);
        }
        if occupied(one.old) == is_in {
            return;
        }
        // What a hypervisor is in by this network it may be in by another, too.
        let kept = new.hypervisor_by_key(host).filter(|_| !is_in).map(|host| Circle::of(host, new)).unwrap_or_default();
        for circle in Circle::through(network, one.old).chain(Circle::through(network, new)) {
            self.answers.entry(circle).or_default().insert(host, is_in || kept.contains(&circle));
        }
    }

    /// A router's interfaces or routes change: so may the circles of the networks and routers that packets reach through
    /// it, or come from. Other routers of its networks stay as near to each other as they are.
    fn router(&mut self, one: &Touched<'_>, router: RouterId) {
        let sides = [one.old, one.new];
        let networks: BTreeSet<NetworkId> = sides
            .iter()
            .flat_map(|side| side.onwards(router).into_iter().chain(side.back(router)).map(move |it| (side, it)))
            .flat_map(|(side, router)| side.networks_of(router))
            .collect();
        for side in sides {
            let near = networks.iter().filter_map(|id| side.network(*id)).map(|network| Circle::Near(network.key));
            let onwards = side.onwards(router).into_iter().filter_map(|id| side.router(id));
            self.anew.extend(near.chain(onwards.map(|router| Circle::Router(router.key))));
        }
    }
}

impl Roster {
    /// The members of every circle of a topology.
    pub(crate) fn of(topology: &Topology) -> Self {
        let mut roster = Self::default();
        for circle in Circle::all(topology) {
            let hosts = circle.members(topology);
            for host in &hosts {
                roster.circles.entry(*host).or_default().insert(circle);
            }
            if !hosts.is_empty() {
                roster.members.insert(circle, hosts.into_iter().collect());
            }
        }
        roster
    }

    fn hosts(&self, circle: Circle) -> Arc<[HostKey]> {
        self.members.get(&circle).cloned().unwrap_or_default()
    }

    /// The circles that a hypervisor is in.
    pub(crate) fn circles_of(&self, host: HostKey) -> impl Iterator<Item = Circle> {
        self.circles.get(&host).into_iter().flatten().copied()
    }

    /// Follows what changed and tells who came and went.
    pub(crate) fn follow(&mut self, touched: &[Touched<'_>], new: &Topology) -> Shifts {
        let mut moves = Moves::default();
        for one in touched {
            match one.change {
                Change::Hypervisor(diff) => {
                    if let Some(host) = diff.last() {
                        let known = new.hypervisor_by_key(host.key).is_some();
                        moves.answers.entry(Circle::Everyone).or_default().insert(host.key, known);
                    }
                }
                Change::Router(diff) => {
                    let routes = |side: &Option<Arc<_>>| {
                        side.as_ref().map(|router: &Arc<weir_model::Router>| router.routes.clone())
                    };
                    if let Some(router) = diff.last().filter(|_| routes(&diff.before) != routes(&diff.after)) {
                        moves.router(one, router.id);
                    }
                }
                _ => {}
            }
            for (port, topology) in one.ports() {
                if let Some(host) = topology.bound_host(port) {
                    moves.port(one, port.network_id, host.key, new);
                    if let Some(set) = topology.set_of(port) {
                        let now = new.hypervisor_by_key(host.key);
                        let is_in = now.is_some_and(|host| new.bound_count_of_set(set.key, &host.name) > 0);
                        moves.answers.entry(Circle::Set(set.key)).or_default().insert(host.key, is_in);
                    }
                }
            }
            let routers = one.interfaces().filter_map(|(port, topology)| topology.router_of(port));
            for router in routers.map(|router| router.id).collect::<BTreeSet<_>>() {
                moves.router(one, router);
            }
        }
        self.shift(moves, new)
    }

    fn shift(&mut self, moves: Moves, new: &Topology) -> Shifts {
        let Moves { answers, anew } = moves;
        let mut shifts = Shifts::default();
        for circle in &anew {
            let before = self.hosts(*circle);
            let after = circle.members(new);
            let answers: BTreeMap<HostKey, bool> = before
                .iter()
                .map(|host| (*host, after.contains(host)))
                .chain(after.iter().map(|host| (*host, true)))
                .collect();
            self.take(*circle, Shift::by(before, answers), &mut shifts);
        }
        for (circle, answers) in answers.into_iter().filter(|(circle, _)| !anew.contains(circle)) {
            self.take(circle, Shift::by(self.hosts(circle), answers), &mut shifts);
        }
        shifts
    }

    fn take(&mut self, circle: Circle, shift: Option<Shift>, shifts: &mut Shifts) {
        let Some(shift) = shift else { return };
        for host in &shift.left {
            if let Some(circles) = self.circles.get_mut(host) {
                circles.remove(&circle);
                if circles.is_empty() {
                    self.circles.remove(host);
                }
            }
        }
        for host in &shift.joined {
            self.circles.entry(*host).or_default().insert(circle);
        }
        if shift.after.is_empty() {
            self.members.remove(&circle);
        } else {
            self.members.insert(circle, shift.after.clone());
        }
        shifts.0.insert(circle, shift);
    }

    /// Who gets what of a unit whose scope changes; the roster has followed already.
    pub(crate) fn audience(&self, shifts: &Shifts, before: Scope, after: Scope) -> Audience {
        if let (Some((circle, old)), Some((other, new))) = (before.circle(), after.circle())
            && circle == other
        {
            return self.within(shifts, circle, old, new);
        }
        let was = self.side(shifts, before, |shift| &shift.before);
        let is = self.side(shifts, after, |shift| &shift.after);
        if was.is_empty() || is.is_empty() {
            return Audience { lose: was, keep: Recipients::default(), gain: is };
        }
        Audience {
            lose: was.iter().filter(|host| !is.contains(*host)).collect(),
            keep: was.iter().filter(|host| is.contains(*host)).collect(),
            gain: is.iter().filter(|host| !was.contains(*host)).collect(),
        }
    }

    /// The audience within one circle, at a cost that does not depend on how many are in it.
    fn within(&self, shifts: &Shifts, circle: Circle, old: Option<HostKey>, new: Option<HostKey>) -> Audience {
        let Some(shift) = shifts.of(circle) else {
            let hosts = self.hosts(circle);
            let is_in = |host: &HostKey| hosts.binary_search(host).is_ok();
            return Audience {
                lose: new.filter(|host| old != new && is_in(host)).into_iter().collect(),
                gain: old.filter(|host| old != new && is_in(host)).into_iter().collect(),
                keep: Recipients { hosts, except: [old, new] },
            };
        };
        let stays = |host: &HostKey| shift.stay.binary_search(host).is_ok();
        let left = shift.left.iter().copied().filter(|host| Some(*host) != old);
        let joined = shift.joined.iter().copied().filter(|host| Some(*host) != new);
        Audience {
            lose: left.chain(new.filter(|host| old != new && stays(host))).collect(),
            gain: joined.chain(old.filter(|host| old != new && stays(host))).collect(),
            keep: Recipients { hosts: shift.stay.clone(), except: [old, new] },
        }
    }

    fn side(&self, shifts: &Shifts, scope: Scope, side: impl Fn(&Shift) -> &Arc<[HostKey]>) -> Recipients {
        match (scope, scope.circle()) {
            (Scope::Host(host), _) => Recipients::all(Arc::new([host])),
            (_, Some((circle, except))) => {
                let hosts = shifts.of(circle).map_or_else(|| self.hosts(circle), |shift| side(shift).clone());
                Recipients::except(hosts, except)
            }
            (_, None) => Recipients::default(),
        }
    }
}

impl Shifts {
    fn of(&self, circle: Circle) -> Option<&Shift> {
        self.0.get(&circle)
    }

    /// Circles that hypervisors joined or left: the circle, who left and who joined.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Circle, Recipients, Recipients)> + '_ {
        let circles = self.0.iter();
        circles.map(|(circle, shift)| {
            (*circle, shift.left.iter().copied().collect(), shift.joined.iter().copied().collect())
        })
    }
}
