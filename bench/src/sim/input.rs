//! Messages in what a connection brings.

use weir_openflow::{FrameError, HEADER_LEN, Header};

/// The start of a message whose end has not come yet.
#[derive(Debug, Default)]
pub(crate) struct Input(Vec<u8>);

impl Input {
    /// Hands out each message that these bytes complete, its header included. They are not copied, but for a message that
    /// came in pieces.
    pub(crate) fn take(&mut self, mut bytes: &[u8], mut take: impl FnMut(Header, &[u8])) -> Result<(), FrameError> {
        while !self.0.is_empty() && !bytes.is_empty() {
            let missing = length(&self.0)?.map_or(HEADER_LEN, |(_, length)| length) - self.0.len();
            let (piece, rest) = bytes.split_at(missing.min(bytes.len()));
            self.0.extend_from_slice(piece);
            bytes = rest;
            if let Some((header, length)) = length(&self.0)?
                && length == self.0.len()
            {
                take(header, &self.0);
                self.0 = Vec::new();
            }
        }
        while let Some((header, length)) = length(bytes)?
            && let Some((message, rest)) = bytes.split_at_checked(length)
        {
            take(header, message);
            bytes = rest;
        }
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

/// The header that these bytes start with, and the length in it; none if there are fewer.
fn length(bytes: &[u8]) -> Result<Option<(Header, usize)>, FrameError> {
    match Header::parse(bytes) {
        Some(Header { kind, length, .. }) if usize::from(length) < HEADER_LEN => Err(FrameError { kind, length }),
        header => Ok(header.map(|header| (header, usize::from(header.length)))),
    }
}
