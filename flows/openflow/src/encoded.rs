//! An edit as it travels.

use bytes::Bytes;

/// A flow-mod, group-mod or meter-mod as it travels: the whole message, its xid left to whoever sends it.
///
/// Encoded once, shared by every switch that it goes to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EncodedEdit {
    message: Bytes,
}

impl EncodedEdit {
    /// Takes a whole message, header included.
    #[must_use]
    pub const fn from_message(message: Bytes) -> Self {
        Self { message }
    }

    /// The whole message, header included.
    #[must_use]
    pub const fn message(&self) -> &Bytes {
        &self.message
    }
}
