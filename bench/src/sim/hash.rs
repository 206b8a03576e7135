//! A hash that is quick on the bytes of flows. Nobody chooses them in order to make it slow.

use std::hash::{BuildHasherDefault, Hasher};

/// Makes the hash of a map.
pub(crate) type Quick = BuildHasherDefault<Fold>;

/// Folds eight bytes after the other into 64 bits by multiplication.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fold(u64);

impl Fold {
    /// Odd, and with as many ones as zeros.
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

    const fn fold(&mut self, word: u64) {
        let product = (self.0 ^ word) as u128 * Self::FACTOR as u128;
        self.0 = (product >> 64) as u64 ^ product as u64;
    }
}

impl Hasher for Fold {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.fold(u64::from_ne_bytes(*word));
        }
        if !rest.is_empty() {
            let mut word = [0; 8];
            word[..rest.len()].copy_from_slice(rest);
            self.fold(u64::from_ne_bytes(word));
        }
        self.fold(bytes.len() as u64);
    }

    fn write_u32(&mut self, number: u32) {
        self.fold(u64::from(number) ^ Self::FACTOR);
    }

    fn write_u64(&mut self, number: u64) {
        self.fold(number ^ Self::FACTOR);
    }

    fn write_usize(&mut self, _: usize) {
        // The length of a slice, which `write` folds in itself.
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
