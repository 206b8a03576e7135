//! The Internet checksum, whole and incremental, and the CRC of SCTP.

/// Adds `bytes` to a running sum of 16-bit words (RFC 1071).
pub(crate) fn sum(mut total: u32, bytes: &[u8]) -> u32 {
    for pair in bytes.chunks(2) {
        let low = pair.get(1).copied().unwrap_or(0);
        total += u32::from(u16::from_be_bytes([pair[0], low]));
        total = (total & 0xffff) + (total >> 16);
    }
    total
}

/// The checksum field for a running sum.
pub(crate) fn finish(mut total: u32) -> u16 {
    while total >> 16 != 0 {
        total = (total & 0xffff) + (total >> 16);
    }
    !(total as u16)
}

/// The checksum after a 16-bit word that it covers went from `old` to `new` (RFC 1624, equation 3).
pub(crate) fn update16(checksum: u16, old: u16, new: u16) -> u16 {
    let total = u32::from(!checksum) + u32::from(!old) + u32::from(new);
    finish(total)
}

/// The checksum after bytes that it covers, of even length, went from `old` to `new`.
pub(crate) fn update(mut checksum: u16, old: &[u8], new: &[u8]) -> u16 {
    for (before, after) in old.chunks_exact(2).zip(new.chunks_exact(2)) {
        checksum =
            update16(checksum, u16::from_be_bytes([before[0], before[1]]), u16::from_be_bytes([after[0], after[1]]));
    }
    checksum
}

/// The sum over the pseudo header of TCP, UDP and ICMPv6, for addresses of either family.
pub(crate) fn pseudo_header(src: &[u8], dst: &[u8], protocol: u8, length: usize) -> u32 {
    let total = sum(sum(0, src), dst);
    let length = length as u32;
    total + u32::from(protocol) + (length >> 16) + (length & 0xffff)
}

/// CRC-32C as SCTP uses it (RFC 9260, appendix A), in the byte order of the wire.
pub(crate) fn crc32c(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg());
        }
    }
    (!crc).swap_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_equals_a_fresh_sum() {
        let old = [0x45, 0x00, 0x00, 0x54, 0xab, 0xcd];
        let new = [0x45, 0x00, 0x00, 0x54, 0x00, 0x01];
        assert_eq!(update(finish(sum(0, &old)), &old[4..], &new[4..]), finish(sum(0, &new)));
    }

    #[test]
    fn the_crc_of_the_check_string_is_the_published_one() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283_u32.swap_bytes());
    }
}
