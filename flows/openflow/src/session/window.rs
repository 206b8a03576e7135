//! How much the peer may have been given that it has not yet confirmed to have read.

use bytes::Bytes;

/// How many marks there are in a window.
const MARKS: usize = 16;

/// How much the peer may have been given that it has not yet confirmed to have read.
///
/// Along with what is sent go marks, which are echo requests: their answers tell how far the peer has read. Sockets do not
/// tell that, since they take megabytes for a peer that reads nothing any more. So a peer that reads slowly is heard again
/// and again, however much is sent to it, and one that has ceased to read is not; and what is urgent does not wait behind
/// more than a window.
#[derive(Debug)]
pub(super) struct Window {
    size: usize,
    given: u64,
    marked: u64,
    confirmed: u64,
}

impl Window {
    pub(super) const fn new(size: usize) -> Self {
        Self { size, given: 0, marked: 0, confirmed: 0 }
    }

    /// How many bytes were given so far.
    pub(super) const fn given(&self) -> u64 {
        self.given
    }

    /// Whether more may be given.
    pub(super) const fn is_open(&self) -> bool {
        self.given - self.confirmed < self.size as u64
    }

    /// How many bytes may follow until a mark is due.
    pub(super) fn until_mark(&self) -> usize {
        let since = usize::try_from(self.given - self.marked).unwrap_or(usize::MAX);
        (self.size / MARKS).saturating_sub(since)
    }

    /// So many bytes were given.
    pub(super) const fn give(&mut self, bytes: usize) {
        self.given += bytes as u64;
    }

    /// What the next mark says. It stands for all that was given before it.
    pub(super) fn mark(&mut self) -> Bytes {
        self.marked = self.given;
        Bytes::copy_from_slice(&self.given.to_be_bytes())
    }

    /// Takes the answer to a mark; how many bytes the peer has read.
    pub(super) fn confirm(&mut self, said: &[u8]) -> Option<u64> {
        let read = u64::from_be_bytes(said.try_into().ok()?);
        if read > self.marked || read <= self.confirmed {
            return None;
        }
        self.confirmed = read;
        Some(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_opens_as_marks_are_confirmed() {
        let mut window = Window::new(1600);
        assert!(window.is_open());
        let mut marks = Vec::new();
        while window.is_open() {
            window.give(60);
            if window.until_mark() == 0 {
                marks.push(window.mark());
            }
        }
        assert_eq!((window.given(), marks.len()), (1620, 13));
        assert_eq!(window.confirm(&marks[0]), Some(120));
        assert!(window.is_open());
        // What was confirmed, what was not asked, and what is no mark confirms nothing.
        assert_eq!(window.confirm(&marks[0]), None);
        assert_eq!(window.confirm(&u64::MAX.to_be_bytes()), None);
        assert_eq!(window.confirm(b""), None);
        assert_eq!(window.confirm(&marks[12]), Some(1560));
        assert_eq!(window.until_mark(), 40);
    }
}
