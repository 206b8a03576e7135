//! Keys of records in the file: a byte for the kind, then the id, highest byte first.

use std::fmt::Write;
use weir_model::RecordKey;

/// Bytes of the longest key: the kind and a UUID.
const LONGEST: usize = 17;

/// The bytes of a key. The kinds are part of the file's format.
pub(super) struct KeyBytes {
    bytes: [u8; LONGEST],
    length: usize,
}

impl KeyBytes {
    fn new(kind: u8, id: &[u8]) -> Self {
        let mut bytes = [0; LONGEST];
        bytes[0] = kind;
        bytes[1..=id.len()].copy_from_slice(id);
        Self { bytes, length: 1 + id.len() }
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl From<RecordKey> for KeyBytes {
    fn from(key: RecordKey) -> Self {
        match key {
            RecordKey::Counters => Self::new(0, &[]),
            RecordKey::Hypervisor(host) => Self::new(1, &host.0.to_be_bytes()),
            RecordKey::Network(id) => Self::new(2, id.0.as_bytes()),
            RecordKey::Subnet(id) => Self::new(3, id.0.as_bytes()),
            RecordKey::Port(id) => Self::new(4, id.0.as_bytes()),
            RecordKey::Router(id) => Self::new(5, id.0.as_bytes()),
            RecordKey::SecurityGroup(id) => Self::new(6, id.0.as_bytes()),
            RecordKey::SecurityGroupRule(id) => Self::new(7, id.0.as_bytes()),
            RecordKey::SecuritySet(key) => Self::new(8, &key.0.to_be_bytes()),
            RecordKey::AddressGroup(id) => Self::new(9, id.0.as_bytes()),
            RecordKey::Zones(host) => Self::new(10, &host.0.to_be_bytes()),
        }
    }
}

/// A key for a person.
pub(super) fn show(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        write!(text, "{byte:02x}").expect("a String takes everything");
    }
    text
}
