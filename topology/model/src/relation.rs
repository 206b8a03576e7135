//! Persistent one-to-many maps.

use crate::tree::Tree;
use std::borrow::Borrow;

/// Which values belong to a key. Clone is O(1); most keys have one value, which needs no set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Relation<K: Ord, V: Ord>(Tree<K, Members<V>>);

/// One value, or at least two.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Members<V: Ord> {
    One(V),
    Many(Tree<V, ()>),
}

impl<K: Ord, V: Ord> Default for Relation<K, V> {
    fn default() -> Self {
        Self(Tree::new())
    }
}

impl<K: Ord + Clone, V: Ord + Clone> Relation<K, V> {
    pub(crate) fn insert(&mut self, key: K, value: V) {
        let Some(members) = self.0.get_mut(&key) else {
            self.0.insert(key, Members::One(value));
            return;
        };
        match members {
            Members::One(first) if *first == value => {}
            Members::One(first) => {
                let mut set = Tree::new();
                set.insert(first.clone(), ());
                set.insert(value, ());
                *members = Members::Many(set);
            }
            Members::Many(set) => set.insert(value, ()),
        }
    }

    pub(crate) fn remove<Q: Ord + ?Sized>(&mut self, key: &Q, value: &V)
    where
        K: Borrow<Q>,
    {
        let Some(members) = self.0.get_mut(key) else {
            return;
        };
        match members {
            Members::One(first) => {
                if first == value {
                    self.0.remove(key);
                }
            }
            Members::Many(set) => {
                set.remove(value);
                if set.len() == 1
                    && let Some(last) = set.first().map(|(last, ())| last.clone())
                {
                    *members = Members::One(last);
                }
            }
        }
    }

    /// Moves one value from the key it had to the key it has.
    pub(crate) fn shift(&mut self, before: Option<(K, V)>, after: Option<(K, V)>) {
        if before == after {
            return;
        }
        if let Some((key, value)) = before {
            self.remove(&key, &value);
        }
        if let Some((key, value)) = after {
            self.insert(key, value);
        }
    }

    /// The values of a key, ascending.
    pub(crate) fn of<'a, Q: Ord + ?Sized>(&'a self, key: &Q) -> impl Iterator<Item = &'a V> + use<'a, Q, K, V>
    where
        K: Borrow<Q>,
    {
        let (one, many) = match self.0.get(key) {
            None => (None, None),
            Some(Members::One(value)) => (Some(value), None),
            Some(Members::Many(set)) => (None, Some(set.keys())),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }

    /// How many values a key has.
    pub(crate) fn count<Q: Ord + ?Sized>(&self, key: &Q) -> usize
    where
        K: Borrow<Q>,
    {
        match self.0.get(key) {
            None => 0,
            Some(Members::One(_)) => 1,
            Some(Members::Many(set)) => set.len(),
        }
    }

    /// The key as it is kept, for sharing its memory.
    pub(crate) fn key<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&K>
    where
        K: Borrow<Q>,
    {
        self.0.get_key_value(key).map(|(kept, _)| kept)
    }
}
