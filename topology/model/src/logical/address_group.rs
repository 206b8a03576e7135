//! Address groups.

use crate::{AddressGroupId, AddressGroupKey, ProjectId, Timestamp};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Addresses that rules of security groups may name together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressGroup {
    /// Its id.
    pub id: AddressGroupId,
    /// Its number in flows.
    pub key: AddressGroupKey,
    /// Its owner.
    pub project_id: ProjectId,
    /// Name, not unique.
    pub name: String,
    /// Free text.
    pub description: String,
    /// Addresses and prefixes of both versions, host bits zero.
    pub addresses: BTreeSet<IpNet>,
    /// Tags.
    pub tags: BTreeSet<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
    /// Counts its changes.
    pub revision_number: u64,
}
