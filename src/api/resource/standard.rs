//! What the records of all resources have in common, most of which Neutron calls standard attributes.

use super::Tagged;
use crate::api::attribute::{Attribute, Filter, Preset, Rule, Shown};
use uuid::Uuid;
use weir_model::{AddressGroup, Network, Port, ProjectId, Router, SecurityGroup, SecurityGroupRule, Subnet, Timestamp};

/// A record that the API shows.
pub(crate) trait Record {
    /// Its id.
    fn id(&self) -> Uuid;

    /// Its owner.
    fn project(&self) -> &ProjectId;

    /// Free text.
    fn description(&self) -> &str;

    /// When it was made.
    fn created_at(&self) -> Timestamp;

    /// When it was changed last.
    fn updated_at(&self) -> Timestamp;

    /// Counts its changes.
    fn revision(&self) -> u64;
}

/// A record with a name, which need not be its own alone.
pub(crate) trait Named: Record {
    /// Its name.
    fn name(&self) -> &str;
}

macro_rules! records {
    ($($kind:ty),*) => {$(
        impl Record for $kind {
            fn id(&self) -> Uuid {
                self.id.0
            }

            fn project(&self) -> &ProjectId {
                &self.project_id
            }

            fn description(&self) -> &str {
                &self.description
            }

            fn created_at(&self) -> Timestamp {
                self.created_at
            }

            fn updated_at(&self) -> Timestamp {
                self.updated_at
            }

            fn revision(&self) -> u64 {
                self.revision_number
            }
        }
    )*};
}

records!(Network, Subnet, Port, SecurityGroup, SecurityGroupRule, AddressGroup, Router);

macro_rules! named {
    ($($kind:ty),*) => {$(
        impl Named for $kind {
            fn name(&self) -> &str {
                &self.name
            }
        }
    )*};
}

named!(Network, Subnet, Port, SecurityGroup, AddressGroup, Router);

/// The attribute `id`.
pub(crate) const fn id<R: Record>() -> Attribute<R> {
    Attribute::new("id", |it: &R, _| Shown::Uuid(it.id())).filter(Filter::Uuid).sort()
}

/// The attribute `name`.
pub(crate) const fn name<R: Named>() -> Attribute<R> {
    Attribute::new("name", |it: &R, _| Shown::Text(it.name()))
        .write(Rule::Name(255))
        .preset(Preset::Empty)
        .filter(Filter::Text)
        .sort()
}

/// The attribute `tenant_id`, the old name of `project_id`.
pub(crate) const fn tenant_id<R: Record>() -> Attribute<R> {
    owner("tenant_id")
}

/// The attribute `project_id`.
pub(crate) const fn project_id<R: Record>() -> Attribute<R> {
    owner("project_id")
}

const fn owner<R: Record>(name: &'static str) -> Attribute<R> {
    Attribute::new(name, |it: &R, _| Shown::Text(it.project().as_str()))
        .create(Rule::Text(255))
        .filter(Filter::Text)
        .sort()
}

/// The attribute `description`.
pub(crate) const fn description<R: Record>() -> Attribute<R> {
    Attribute::new("description", |it: &R, _| Shown::Text(it.description()))
        .write(Rule::Text(255))
        .preset(Preset::Empty)
        .filter(Filter::Text)
}

/// The attribute `tags`.
pub(crate) const fn tags<R: Tagged>() -> Attribute<R> {
    Attribute::new("tags", |it: &R, _| Shown::Tags(it.tags())).filter(Filter::Tags)
}

/// The filter `tags-any`.
pub(crate) const fn tags_any<R: Tagged>() -> Attribute<R> {
    tag_filter("tags-any", Filter::TagsAny)
}

/// The filter `not-tags`.
pub(crate) const fn not_tags<R: Tagged>() -> Attribute<R> {
    tag_filter("not-tags", Filter::NotTags)
}

/// The filter `not-tags-any`.
pub(crate) const fn not_tags_any<R: Tagged>() -> Attribute<R> {
    tag_filter("not-tags-any", Filter::NotTagsAny)
}

const fn tag_filter<R: Tagged>(name: &'static str, filter: Filter) -> Attribute<R> {
    Attribute::new(name, |it: &R, _| Shown::Tags(it.tags())).hidden().filter(filter)
}

/// The attribute `created_at`.
pub(crate) const fn created_at<R: Record>() -> Attribute<R> {
    Attribute::new("created_at", |it: &R, _| Shown::Time(it.created_at())).sort()
}

/// The attribute `updated_at`.
pub(crate) const fn updated_at<R: Record>() -> Attribute<R> {
    Attribute::new("updated_at", |it: &R, _| Shown::Time(it.updated_at())).sort()
}

/// The filter `changed_since`.
pub(crate) const fn changed_since<R: Record>() -> Attribute<R> {
    Attribute::new("changed_since", |it: &R, _| Shown::Time(it.updated_at())).hidden().filter(Filter::Since)
}

/// The attribute `revision_number`.
pub(crate) const fn revision_number<R: Record>() -> Attribute<R> {
    Attribute::new("revision_number", |it: &R, _| Shown::Integer(it.revision())).filter(Filter::Integer)
}
