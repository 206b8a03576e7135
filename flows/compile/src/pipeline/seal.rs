//! Where a switch keeps the digest of its other flows.

use crate::cookie::Object;
use crate::{Purpose, Tag};
use weir_openflow::{Cookie, TableId};

/// The table of the seal, in both bridges. No packet comes there.
pub const SEAL_TABLE: TableId = TableId(250);

/// Its name in OVSDB and flow dumps.
pub(super) const SEAL_NAME: &str = "seal";

/// What it is for, as a sentence.
pub(super) const SEAL_PURPOSE: &str = "Keeps a digest of all other flows, groups and meters, written in the same bundle \
    as the last of them. No packet comes here. A switch that connects and holds the right digest, and as many flows as \
    it should, is not read back at once.";

/// The cookie of the seal.
#[must_use]
pub fn seal_cookie() -> Cookie {
    Tag::of(Purpose::Seal, Object::Nothing).cookie()
}
