//! The memory that the measured functions find.

use std::hint::black_box;

/// A size for which glibc puts all in order that was freed, and which it takes from its heap and not from the kernel.
const LARGE: usize = 100 << 10;

/// Lets the allocator put in order what was freed while something was made. Otherwise it does so at the first occasion,
/// and that work would be counted.
pub(crate) fn settled<T>(made: T) -> T {
    drop(black_box(Vec::<u8>::with_capacity(LARGE)));
    made
}
