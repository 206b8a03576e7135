//! Which hypervisors hold the units of a scope, and who comes and goes with a commit.

use crate::feature::members;
use crate::{Scope, Touched};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use weir_model::{Change, HostKey, NetworkKey, Topology};

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

/// The scopes of more than one hypervisor, without their exception.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Circle {
    Everyone,
    Network(NetworkKey),
}

impl Scope {
    /// Whether a hypervisor, which must be known, is in the scope.
    #[must_use]
    pub fn contains(self, host: HostKey, topology: &Topology) -> bool {
        match self {
            Self::Nobody => false,
            Self::All => true,
            Self::AllExcept(other) => other != host,
            Self::Network(network) => is_member(network, host, topology),
            Self::NetworkExcept(network, other) => other != host && is_member(network, host, topology),
            Self::Host(only) => only == host,
        }
    }

    /// The circle, and the hypervisor that is left out of it; none for scopes of one hypervisor or nobody.
    pub(crate) const fn circle(self) -> Option<(Circle, Option<HostKey>)> {
        match self {
            Self::Nobody | Self::Host(_) => None,
            Self::All => Some((Circle::Everyone, None)),
            Self::AllExcept(host) => Some((Circle::Everyone, Some(host))),
            Self::Network(network) => Some((Circle::Network(network), None)),
            Self::NetworkExcept(network, host) => Some((Circle::Network(network), Some(host))),
        }
    }
}

fn is_member(network: NetworkKey, host: HostKey, topology: &Topology) -> bool {
    let (network, host) = (topology.network_by_key(network), topology.hypervisor_by_key(host));
    network.zip(host).is_some_and(|(network, host)| topology.bound_count(network.id, &host.name) > 0)
}

/// The members of every circle; lists are shared with the deltas made of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Roster {
    everyone: Arc<[HostKey]>,
    networks: BTreeMap<NetworkKey, Arc<[HostKey]>>,
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
pub(crate) struct Shifts {
    everyone: Option<Shift>,
    networks: BTreeMap<NetworkKey, Shift>,
}

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

    /// The shift that takes `candidates` in or out as `is_in` says of each.
    fn by(before: Arc<[HostKey]>, candidates: &BTreeSet<HostKey>, is_in: impl Fn(HostKey) -> bool) -> Option<Self> {
        let (mut left, mut joined) = (BTreeSet::new(), BTreeSet::new());
        for &host in candidates {
            match (before.binary_search(&host).is_ok(), is_in(host)) {
                (true, false) => left.insert(host),
                (false, true) => joined.insert(host),
                _ => continue,
            };
        }
        (!left.is_empty() || !joined.is_empty()).then(|| Self::new(before, left, joined))
    }
}

impl Roster {
    /// The members of every circle of a topology.
    pub(crate) fn of(topology: &Topology) -> Self {
        let everyone: BTreeSet<_> = topology.hypervisors().map(|host| host.key).collect();
        let mut networks = BTreeMap::new();
        for network in topology.networks() {
            let hosts: BTreeSet<_> = members(network, topology).map(|host| host.key).collect();
            if !hosts.is_empty() {
                networks.insert(network.key, hosts.into_iter().collect());
            }
        }
        Self { everyone: everyone.into_iter().collect(), networks }
    }

    fn network(&self, key: NetworkKey) -> Arc<[HostKey]> {
        self.networks.get(&key).cloned().unwrap_or_default()
    }

    /// Follows what changed and tells who came and went.
    pub(crate) fn follow(&mut self, touched: &[Touched<'_>], new: &Topology) -> Shifts {
        let mut hosts = BTreeSet::new();
        let mut members: BTreeMap<NetworkKey, BTreeSet<HostKey>> = BTreeMap::new();
        for one in touched {
            if let Change::Hypervisor(diff) = one.change {
                hosts.extend(diff.last().map(|host| host.key));
            }
            for (port, topology) in one.ports() {
                if let (Some(network), Some(host)) = (topology.network(port.network_id), topology.bound_host(port)) {
                    members.entry(network.key).or_default().insert(host.key);
                }
            }
        }
        let mut shifts = Shifts {
            everyone: Shift::by(self.everyone.clone(), &hosts, |host| new.hypervisor_by_key(host).is_some()),
            networks: BTreeMap::new(),
        };
        if let Some(shift) = &shifts.everyone {
            self.everyone = shift.after.clone();
        }
        for (key, candidates) in members {
            if let Some(shift) = Shift::by(self.network(key), &candidates, |host| is_member(key, host, new)) {
                if shift.after.is_empty() {
                    self.networks.remove(&key);
                } else {
                    self.networks.insert(key, shift.after.clone());
                }
                shifts.networks.insert(key, shift);
            }
        }
        shifts
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

    fn hosts(&self, circle: Circle) -> Arc<[HostKey]> {
        match circle {
            Circle::Everyone => self.everyone.clone(),
            Circle::Network(key) => self.network(key),
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
        match circle {
            Circle::Everyone => self.everyone.as_ref(),
            Circle::Network(key) => self.networks.get(&key),
        }
    }

    /// Circles that hypervisors joined or left: the circle, who left and who joined.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Circle, Recipients, Recipients)> + '_ {
        let everyone = self.everyone.iter().map(|shift| (Circle::Everyone, shift));
        let networks = self.networks.iter().map(|(key, shift)| (Circle::Network(*key), shift));
        everyone.chain(networks).map(|(circle, shift)| {
            (circle, shift.left.iter().copied().collect(), shift.joined.iter().copied().collect())
        })
    }
}
