//! Groups of switches. A bucket is put into a hundred groups of as many switches, so that each is kept once and groups have
//! numbers of them.

use super::hash::Quick;
use super::tables::refusal;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use weir_openflow::message::ErrorCode;
use weir_openflow::{Bucket, BucketId, EncodedEdit, FlowEdit, Group, GroupId, GroupKind};

/// A bucket with all that it does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BucketNumber(u32);

/// Every bucket that any switch was ever told, and every group-mod.
#[derive(Debug, Default)]
pub(crate) struct Buckets {
    edits: HashMap<Box<[u8]>, GroupEdit, Quick>,
    numbers: HashMap<Arc<Bucket>, BucketNumber, Quick>,
    buckets: Vec<Arc<Bucket>>,
}

/// What a group-mod does.
#[derive(Clone, Debug)]
pub(crate) enum GroupEdit {
    /// Makes a group, in place of one with the same number.
    Put(GroupId, Arc<Held>),
    /// Puts a bucket in.
    Insert(GroupId, Numbered),
    /// Takes a bucket out.
    Remove(GroupId, BucketId),
    /// Deletes a group.
    Delete(GroupId),
}

/// A bucket by its number within the group and its number among all.
type Numbered = (BucketId, BucketNumber);

/// A group as a switch holds it.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    /// It without its buckets.
    group: Arc<Group>,
    buckets: Vec<Numbered>,
}

impl Buckets {
    /// What a group-mod does; none if it is none that can be read. It is decoded when any switch is told it first.
    pub(crate) fn read(&mut self, edit: &EncodedEdit) -> Option<GroupEdit> {
        let body = &edit.message()[8..];
        if let Some(known) = self.edits.get(body) {
            return Some(known.clone());
        }
        let read = match edit.decode().ok()? {
            FlowEdit::AddGroup(mut group) => {
                let buckets =
                    std::mem::take(&mut group.buckets).into_iter().map(|bucket| self.number(bucket)).collect();
                GroupEdit::Put(group.id, Arc::new(Held { group: Arc::new(group), buckets }))
            }
            FlowEdit::InsertBucket { group, bucket } => GroupEdit::Insert(group, self.number(bucket)),
            FlowEdit::RemoveBucket { group, bucket } => GroupEdit::Remove(group, bucket),
            FlowEdit::DeleteGroup(group) => GroupEdit::Delete(group),
            _ => return None,
        };
        self.edits.insert(body.into(), read.clone());
        Some(read)
    }

    fn number(&mut self, bucket: Bucket) -> Numbered {
        let id = bucket.id;
        if let Some(number) = self.numbers.get(&bucket) {
            return (id, *number);
        }
        let number = BucketNumber(u32::try_from(self.buckets.len()).expect("memory ends before numbers do"));
        let bucket = Arc::new(bucket);
        self.buckets.push(Arc::clone(&bucket));
        self.numbers.insert(bucket, number);
        (id, number)
    }

    /// A group with its buckets.
    pub(crate) fn whole(&self, held: &Held) -> Group {
        let bucket = |(_, BucketNumber(number)): &Numbered| Bucket::clone(&self.buckets[*number as usize]);
        Group { buckets: held.buckets.iter().map(bucket).collect(), ..Group::clone(&held.group) }
    }
}

impl GroupEdit {
    const fn group(&self) -> GroupId {
        match self {
            Self::Put(group, _) | Self::Insert(group, _) | Self::Remove(group, _) | Self::Delete(group) => *group,
        }
    }
}

impl Held {
    /// Puts a bucket where [`Group::insert`] puts it.
    fn insert(&mut self, bucket: Numbered) -> Result<(), ErrorCode> {
        if self.buckets.iter().any(|(present, _)| *present == bucket.0) {
            return Err(refusal::BUCKET_EXISTS);
        }
        let behind = |present: BucketId| self.group.kind == GroupKind::FastFailover || present < bucket.0;
        let at = self.buckets.iter().take_while(|(present, _)| behind(*present)).count();
        self.buckets.insert(at, bucket);
        Ok(())
    }

    fn remove(&mut self, bucket: BucketId) -> Result<(), ErrorCode> {
        let at = self.buckets.iter().position(|(present, _)| *present == bucket).ok_or(refusal::UNKNOWN_BUCKET)?;
        self.buckets.remove(at);
        Ok(())
    }
}

/// The groups of one switch.
#[derive(Debug, Default)]
pub(crate) struct Groups(BTreeMap<GroupId, Held>);

impl Groups {
    /// The groups.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Held> {
        self.0.values()
    }

    /// Does all edits or, if one is refused, none: what comes with that one, and why. Those that cannot be read are none.
    pub(crate) fn change<T>(
        &mut self,
        edits: impl IntoIterator<Item = (T, Option<GroupEdit>)>,
    ) -> Result<(), (T, ErrorCode)> {
        let mut before = BTreeMap::new();
        for (place, edit) in edits {
            let done = edit.ok_or(refusal::BAD_LENGTH).and_then(|edit| {
                let group = edit.group();
                before.entry(group).or_insert_with(|| self.0.get(&group).cloned());
                self.change_one(edit)
            });
            if let Err(refusal) = done {
                self.restore(before);
                return Err((place, refusal));
            }
        }
        Ok(())
    }

    fn change_one(&mut self, edit: GroupEdit) -> Result<(), ErrorCode> {
        match edit {
            GroupEdit::Insert(group, bucket) => self.present(group)?.insert(bucket)?,
            GroupEdit::Remove(group, bucket) => self.present(group)?.remove(bucket)?,
            GroupEdit::Put(group, held) => drop(self.0.insert(group, Held::clone(&held))),
            GroupEdit::Delete(group) => drop(self.0.remove(&group)),
        }
        Ok(())
    }

    fn present(&mut self, group: GroupId) -> Result<&mut Held, ErrorCode> {
        self.0.get_mut(&group).ok_or(refusal::UNKNOWN_GROUP)
    }

    fn restore(&mut self, before: BTreeMap<GroupId, Option<Held>>) {
        for (group, held) in before {
            match held {
                Some(held) => drop(self.0.insert(group, held)),
                None => drop(self.0.remove(&group)),
            }
        }
    }
}
