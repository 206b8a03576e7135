//! Domain names on the wire (RFC 1035 section 3.1), without compression.

/// Bytes of a label.
const LABEL_MAX: usize = 63;

/// Bytes of a name.
const NAME_MAX: usize = 255;

/// The name on the wire; none if it is empty or cannot be written.
pub(crate) fn encode(name: &str) -> Option<Vec<u8>> {
    let name = name.trim_end_matches('.');
    let mut wire = Vec::with_capacity(name.len() + 2);
    for label in name.split('.') {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..=LABEL_MAX).contains(&usize::from(*length)))?;
        if !label.bytes().all(|byte| byte.is_ascii_graphic()) {
            return None;
        }
        wire.push(length);
        wire.extend_from_slice(label.as_bytes());
    }
    wire.push(0);
    (wire.len() <= NAME_MAX).then_some(wire)
}

#[cfg(test)]
mod tests {
    use super::encode;

    #[test]
    fn names_are_labels() {
        assert_eq!(encode("a.example.").as_deref(), Some(&b"\x01a\x07example\0"[..]));
        assert_eq!(encode("a..b"), None);
        assert_eq!(encode(""), None);
        assert_eq!(encode("."), None);
        assert_eq!(encode("with space"), None);
        assert_eq!(encode(&"x".repeat(64)), None);
        assert_eq!(encode(&["abcdefg"; 40].join(".")), None);
    }
}
