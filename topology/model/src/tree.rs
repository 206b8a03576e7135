//! A persistent ordered map.
//!
//! A B+ tree of shared nodes: a copy is O(1), and a change copies the nodes on its path that other
//! copies still use. Entries lie side by side in their leaf, so that a lookup among 100,000 entries
//! waits for memory a handful of times where a binary tree of separate entries waits 30 times.

use smallvec::SmallVec;
use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

/// Most entries of a leaf and children of a branch. Larger nodes make copies dearer than they make
/// lookups cheaper, since each child of a copied branch has its count of users raised.
const MOST: usize = 16;
/// A node with fewer than this is joined with a neighbour if both fit in one.
const FEW: usize = 6;

type Shared<K, V> = Arc<Node<K, V>>;

#[derive(Clone)]
enum Node<K, V> {
    Leaf(Leaf<K, V>),
    Branch(Branch<K, V>),
}

#[derive(Clone)]
struct Leaf<K, V> {
    keys: SmallVec<[K; MOST]>,
    values: SmallVec<[V; MOST]>,
}

#[derive(Clone)]
struct Branch<K, V> {
    /// For each child but the first, a key above all of the child before and not above its own.
    keys: SmallVec<[K; MOST]>,
    children: SmallVec<[Shared<K, V>; MOST]>,
}

/// A persistent ordered map; clone is O(1), everything else O(log n).
pub(crate) struct Tree<K, V> {
    root: Option<Shared<K, V>>,
    len: usize,
}

impl<K, V> Clone for Tree<K, V> {
    fn clone(&self) -> Self {
        Self { root: self.root.clone(), len: self.len }
    }
}

impl<K, V> Default for Tree<K, V> {
    fn default() -> Self {
        Self { root: None, len: 0 }
    }
}

impl<K: Ord, V: PartialEq> PartialEq for Tree<K, V> {
    fn eq(&self, other: &Self) -> bool {
        let same = match (&self.root, &other.root) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            _ => false,
        };
        same || self.len == other.len && self.iter().eq(other.iter())
    }
}

impl<K: Ord, V: Eq> Eq for Tree<K, V> {}

impl<K: Ord + fmt::Debug, V: fmt::Debug> fmt::Debug for Tree<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<K, V> Node<K, V> {
    fn len(&self) -> usize {
        match self {
            Self::Leaf(leaf) => leaf.keys.len(),
            Self::Branch(branch) => branch.children.len(),
        }
    }
}

impl<K, V> Branch<K, V> {
    /// The child that has the key if any has.
    fn child_of<Q: Ord + ?Sized>(&self, key: &Q) -> usize
    where
        K: Borrow<Q>,
    {
        self.keys.partition_point(|separator| separator.borrow() <= key)
    }
}

impl<K, V> Leaf<K, V> {
    fn find<Q: Ord + ?Sized>(&self, key: &Q) -> Result<usize, usize>
    where
        K: Borrow<Q>,
    {
        self.keys.binary_search_by(|other| other.borrow().cmp(key))
    }
}

/// What an insertion leaves to be done above.
struct Inserted<K, V> {
    is_new: bool,
    /// The upper half of a node that grew too large, and its lowest key.
    split: Option<(K, Shared<K, V>)>,
}

impl<K: Ord + Clone, V: Clone> Node<K, V> {
    fn insert(&mut self, key: K, value: V) -> Inserted<K, V> {
        match self {
            Self::Leaf(leaf) => leaf.insert(key, value),
            Self::Branch(branch) => branch.insert(key, value),
        }
    }

    /// Takes out an entry that is there.
    fn remove<Q: Ord + ?Sized>(&mut self, key: &Q)
    where
        K: Borrow<Q>,
    {
        match self {
            Self::Leaf(leaf) => {
                if let Ok(at) = leaf.find(key) {
                    leaf.keys.remove(at);
                    leaf.values.remove(at);
                }
            }
            Self::Branch(branch) => {
                let at = branch.child_of(key);
                Arc::make_mut(&mut branch.children[at]).remove(key);
                branch.tidy(at);
            }
        }
    }

    /// Takes over the entries of the node above, whose lowest key is not below `separator`.
    fn join(&mut self, separator: K, above: &Self) {
        match (self, above) {
            (Self::Leaf(leaf), Self::Leaf(above)) => {
                leaf.keys.extend(above.keys.iter().cloned());
                leaf.values.extend(above.values.iter().cloned());
            }
            (Self::Branch(branch), Self::Branch(above)) => {
                branch.keys.push(separator);
                branch.keys.extend(above.keys.iter().cloned());
                branch.children.extend(above.children.iter().cloned());
            }
            _ => unreachable!("neighbours are of one height"),
        }
    }
}

impl<K: Ord + Clone, V: Clone> Leaf<K, V> {
    fn insert(&mut self, key: K, value: V) -> Inserted<K, V> {
        let at = match self.find(&key) {
            Ok(at) => {
                self.values[at] = value;
                return Inserted { is_new: false, split: None };
            }
            Err(at) => at,
        };
        if self.keys.len() < MOST {
            self.keys.insert(at, key);
            self.values.insert(at, value);
            return Inserted { is_new: true, split: None };
        }
        // Ascending keys, as numbers are given, leave full leaves behind.
        let middle = if at == MOST { MOST } else { MOST / 2 };
        let mut above =
            Self { keys: self.keys.drain(middle..).collect(), values: self.values.drain(middle..).collect() };
        let (leaf, at) = if at < middle { (&mut *self, at) } else { (&mut above, at - middle) };
        leaf.keys.insert(at, key);
        leaf.values.insert(at, value);
        let lowest = above.keys[0].clone();
        Inserted { is_new: true, split: Some((lowest, Arc::new(Node::Leaf(above)))) }
    }
}

impl<K: Ord + Clone, V: Clone> Branch<K, V> {
    fn insert(&mut self, key: K, value: V) -> Inserted<K, V> {
        let at = self.child_of(&key);
        let Inserted { is_new, split } = Arc::make_mut(&mut self.children[at]).insert(key, value);
        let Some((lowest, child)) = split else {
            return Inserted { is_new, split: None };
        };
        self.keys.insert(at, lowest);
        self.children.insert(at + 1, child);
        if self.children.len() <= MOST {
            return Inserted { is_new, split: None };
        }
        let middle = if at + 2 == self.children.len() { MOST - 1 } else { MOST / 2 };
        let above =
            Self { keys: self.keys.drain(middle..).collect(), children: self.children.drain(middle..).collect() };
        let separator = self.keys.pop();
        let above = Arc::new(Node::Branch(above));
        Inserted { is_new, split: separator.map(|separator| (separator, above)) }
    }

    /// Drops a child that became empty, or joins one that became small with a neighbour.
    fn tidy(&mut self, at: usize) {
        let len = self.children[at].len();
        if len == 0 {
            self.children.remove(at);
            if !self.keys.is_empty() {
                self.keys.remove(at.saturating_sub(1));
            }
            return;
        }
        if len >= FEW {
            return;
        }
        let fits = |below: usize| {
            let above = self.children.get(below + 1);
            above.is_some_and(|above| self.children[below].len() + above.len() <= MOST)
        };
        let below = if at > 0 && fits(at - 1) {
            at - 1
        } else if fits(at) {
            at
        } else {
            return;
        };
        let above = self.children.remove(below + 1);
        let separator = self.keys.remove(below);
        Arc::make_mut(&mut self.children[below]).join(separator, &above);
    }
}

impl<K: Ord, V> Tree<K, V> {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn get_key_value<Q: Ord + ?Sized>(&self, key: &Q) -> Option<(&K, &V)>
    where
        K: Borrow<Q>,
    {
        let mut node = self.root.as_deref()?;
        loop {
            match node {
                Node::Leaf(leaf) => {
                    let at = leaf.find(key).ok()?;
                    return Some((&leaf.keys[at], &leaf.values[at]));
                }
                Node::Branch(branch) => node = &branch.children[branch.child_of(key)],
            }
        }
    }

    pub(crate) fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.get_key_value(key).map(|(_, value)| value)
    }

    pub(crate) fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.get(key).is_some()
    }

    /// The entry with the lowest key.
    pub(crate) fn first(&self) -> Option<(&K, &V)> {
        self.iter().next()
    }

    /// The entry with the highest key that is not above `key`.
    pub(crate) fn at_or_below(&self, key: &K) -> Option<(&K, &V)> {
        let mut node = self.root.as_deref()?;
        let mut before: Option<&Node<K, V>> = None;
        loop {
            match node {
                Node::Leaf(leaf) => {
                    let at = leaf.keys.partition_point(|other| other <= key);
                    return match at.checked_sub(1) {
                        Some(at) => Some((&leaf.keys[at], &leaf.values[at])),
                        None => before.and_then(last),
                    };
                }
                Node::Branch(branch) => {
                    let at = branch.child_of(key);
                    if let Some(at) = at.checked_sub(1) {
                        before = Some(&branch.children[at]);
                    }
                    node = &branch.children[at];
                }
            }
        }
    }

    pub(crate) fn iter(&self) -> Iter<'_, K, V> {
        let mut iter = Iter { path: SmallVec::new(), left: self.len };
        iter.descend(self.root.as_deref());
        iter
    }

    /// The entries whose keys are not below `key`, ascending.
    pub(crate) fn from(&self, key: &K) -> impl Iterator<Item = (&K, &V)> {
        // How many are left is not known; the path ends the iteration all the same.
        let mut iter = Iter { path: SmallVec::new(), left: self.len };
        let mut node = self.root.as_deref();
        while let Some(here) = node {
            match here {
                Node::Leaf(leaf) => {
                    iter.path.push((here, leaf.keys.partition_point(|other| other < key)));
                    node = None;
                }
                Node::Branch(branch) => {
                    let at = branch.child_of(key);
                    iter.path.push((here, at + 1));
                    node = Some(&branch.children[at]);
                }
            }
        }
        iter
    }

    pub(crate) fn keys(&self) -> impl ExactSizeIterator<Item = &K> {
        self.iter().map(|(key, _)| key)
    }

    pub(crate) fn values(&self) -> impl ExactSizeIterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }
}

/// The last entry of a node.
fn last<K, V>(mut node: &Node<K, V>) -> Option<(&K, &V)> {
    loop {
        match node {
            Node::Leaf(leaf) => return leaf.keys.last().zip(leaf.values.last()),
            Node::Branch(branch) => node = branch.children.last()?,
        }
    }
}

impl<K: Ord + Clone, V: Clone> Tree<K, V> {
    pub(crate) fn insert(&mut self, key: K, value: V) {
        let Some(root) = &mut self.root else {
            let mut leaf = Leaf { keys: SmallVec::new(), values: SmallVec::new() };
            leaf.keys.push(key);
            leaf.values.push(value);
            self.root = Some(Arc::new(Node::Leaf(leaf)));
            self.len = 1;
            return;
        };
        let Inserted { is_new, split } = Arc::make_mut(root).insert(key, value);
        self.len += usize::from(is_new);
        if let Some((lowest, above)) = split {
            let mut branch = Branch { keys: SmallVec::new(), children: SmallVec::new() };
            branch.keys.push(lowest);
            branch.children.push(root.clone());
            branch.children.push(above);
            *root = Arc::new(Node::Branch(branch));
        }
    }

    /// Takes out an entry and tells whether it was there; nothing is copied if it was not.
    pub(crate) fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        if !self.contains_key(key) {
            return false;
        }
        if let Some(root) = &mut self.root {
            Arc::make_mut(root).remove(key);
            self.len -= 1;
            if self.len == 0 {
                self.root = None;
            } else {
                while let Node::Branch(branch) = &**root
                    && let [only] = branch.children.as_slice()
                {
                    *root = only.clone();
                }
            }
        }
        true
    }

    /// The value to be changed in place; nothing is copied if it is not there.
    pub(crate) fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        if !self.contains_key(key) {
            return None;
        }
        let mut node = Arc::make_mut(self.root.as_mut()?);
        loop {
            match node {
                Node::Leaf(leaf) => {
                    let at = leaf.find(key).ok()?;
                    return leaf.values.get_mut(at);
                }
                Node::Branch(branch) => {
                    let at = branch.child_of(key);
                    node = Arc::make_mut(&mut branch.children[at]);
                }
            }
        }
    }
}

impl<K: Ord + Clone, V: Clone> FromIterator<(K, V)> for Tree<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut tree = Self::new();
        for (key, value) in entries {
            tree.insert(key, value);
        }
        tree
    }
}

impl<'a, K: Ord, V> IntoIterator for &'a Tree<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = Iter<'a, K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Entries in ascending order.
pub(crate) struct Iter<'a, K, V> {
    /// The nodes from the root down, each with the entry or child to come next.
    path: SmallVec<[(&'a Node<K, V>, usize); 8]>,
    /// How many entries are left.
    left: usize,
}

impl<'a, K, V> Iter<'a, K, V> {
    fn descend(&mut self, mut node: Option<&'a Node<K, V>>) {
        while let Some(here) = node {
            match here {
                Node::Leaf(_) => {
                    self.path.push((here, 0));
                    node = None;
                }
                Node::Branch(branch) => {
                    self.path.push((here, 1));
                    node = branch.children.first().map(Arc::as_ref);
                }
            }
        }
    }
}

impl<'a, K, V> Iterator for Iter<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (node, next) = self.path.last_mut()?;
            let at = *next;
            *next += 1;
            match *node {
                Node::Leaf(leaf) => {
                    if let Some(entry) = leaf.keys.get(at).zip(leaf.values.get(at)) {
                        self.left -= 1;
                        return Some(entry);
                    }
                    self.path.pop();
                }
                Node::Branch(branch) => match branch.children.get(at) {
                    Some(child) => self.descend(Some(child)),
                    None => {
                        self.path.pop();
                    }
                },
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<K, V> ExactSizeIterator for Iter<'_, K, V> {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[derive(Clone, Debug)]
    enum Step {
        Insert(u16, u16),
        Remove(u16),
        Change(u16, u16),
        Keep,
    }

    fn steps(keys: u16) -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            6 => (0..keys, any::<u16>()).prop_map(|(key, value)| Step::Insert(key, value)),
            5 => (0..keys).prop_map(Step::Remove),
            1 => (0..keys, any::<u16>()).prop_map(|(key, value)| Step::Change(key, value)),
            1 => Just(Step::Keep),
        ];
        proptest::collection::vec(step, 0..600)
    }

    /// Every leaf at one depth, no node empty or too large, separators between neighbours.
    fn check(node: &Node<u16, u16>, low: Option<u16>, high: Option<u16>) -> usize {
        assert!((1..=MOST).contains(&node.len()));
        match node {
            Node::Leaf(leaf) => {
                assert_eq!(leaf.keys.len(), leaf.values.len());
                assert!(leaf.keys.windows(2).all(|pair| pair[0] < pair[1]));
                assert!(low.is_none_or(|low| low <= leaf.keys[0]));
                assert!(high.is_none_or(|high| leaf.keys[leaf.keys.len() - 1] < high));
                0
            }
            Node::Branch(branch) => {
                assert_eq!(branch.keys.len() + 1, branch.children.len());
                let heights: Vec<usize> = (0..branch.children.len())
                    .map(|at| {
                        let low = at.checked_sub(1).map(|at| branch.keys[at]).or(low);
                        let high = branch.keys.get(at).copied().or(high);
                        check(&branch.children[at], low, high)
                    })
                    .collect();
                assert!(heights.windows(2).all(|pair| pair[0] == pair[1]));
                heights[0] + 1
            }
        }
    }

    fn same(tree: &Tree<u16, u16>, map: &BTreeMap<u16, u16>) {
        assert_eq!(tree.len(), map.len());
        assert_eq!(tree.is_empty(), map.is_empty());
        assert_eq!(tree.iter().len(), map.len());
        assert!(tree.iter().eq(map.iter()));
        if let Some(root) = &tree.root {
            check(root, None, None);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

        #[test]
        fn a_tree_is_a_map_whose_copies_stay_as_they_were(
            steps in prop_oneof![steps(40), steps(1000)],
            probes in proptest::collection::vec(0_u16..1001, 20),
        ) {
            let mut tree = Tree::new();
            let mut map = BTreeMap::new();
            let mut kept = Vec::new();
            for step in steps {
                match step {
                    Step::Insert(key, value) => {
                        tree.insert(key, value);
                        map.insert(key, value);
                    }
                    Step::Remove(key) => {
                        prop_assert_eq!(tree.remove(&key), map.remove(&key).is_some());
                    }
                    Step::Change(key, value) => {
                        let (one, other) = (tree.get_mut(&key), map.get_mut(&key));
                        prop_assert_eq!(&one, &other);
                        if let (Some(one), Some(other)) = (one, other) {
                            (*one, *other) = (value, value);
                        }
                    }
                    Step::Keep => kept.push((tree.clone(), map.clone())),
                }
            }
            same(&tree, &map);
            for (tree, map) in &kept {
                same(tree, map);
            }
            for probe in probes {
                prop_assert_eq!(tree.get(&probe), map.get(&probe));
                prop_assert_eq!(tree.at_or_below(&probe), map.range(..=probe).next_back());
                prop_assert!(tree.from(&probe).eq(map.range(probe..)));
            }
            prop_assert_eq!(tree.first(), map.first_key_value());
            let anew: Tree<u16, u16> = map.into_iter().collect();
            prop_assert_eq!(anew, tree);
        }
    }

    #[test]
    fn ascending_keys_fill_their_leaves() {
        fn nodes(node: &Node<u32, ()>) -> usize {
            match node {
                Node::Leaf(_) => 1,
                Node::Branch(branch) => branch.children.iter().map(|child| nodes(child)).sum(),
            }
        }
        let tree: Tree<u32, ()> = (0..1600).map(|key| (key, ())).collect();
        assert_eq!(tree.root.as_deref().map(nodes), Some(100));
    }
}
