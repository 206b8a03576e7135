//! Cuts a stream of JSON objects into messages without looking at any byte twice.

use bytes::{Bytes, BytesMut};

/// Bounds on one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameLimits {
    /// The longest message, in bytes.
    pub message: usize,
    /// The deepest nesting of objects and arrays, at most 128.
    pub depth: u32,
}

impl Default for FrameLimits {
    /// 256 MiB and 32 levels; OVSDB itself needs fewer than ten.
    fn default() -> Self {
        Self { message: 256 << 20, depth: 32 }
    }
}

/// One complete object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Where its first byte stood in the stream.
    pub offset: u64,
    /// Its bytes, from the opening to the closing brace.
    pub bytes: Bytes,
}

/// Why a stream cannot be cut into objects. The position counts from the stream's first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Something else than an object at the top.
    #[error("byte {offset}: expected '{{', found {:?}", char::from(*found))]
    NotAnObject {
        /// Its position.
        offset: u64,
        /// The byte found.
        found: u8,
    },
    /// A bracket closes what a brace opened, or the other way round.
    #[error("byte {offset}: unexpected {:?}", char::from(*found))]
    Mismatched {
        /// Its position.
        offset: u64,
        /// The byte found.
        found: u8,
    },
    /// Nested deeper than allowed.
    #[error("byte {offset}: nested deeper than {limit} levels")]
    TooDeep {
        /// The position of the bracket.
        offset: u64,
        /// The bound.
        limit: u32,
    },
    /// Longer than allowed.
    #[error("byte {offset}: a message longer than {limit} bytes")]
    TooLong {
        /// Where the message began.
        offset: u64,
        /// The bound.
        limit: usize,
    },
}

/// A resumable scan over a byte stream.
#[derive(Debug)]
pub struct Framer {
    limits: FrameLimits,
    buffer: BytesMut,
    /// The stream position of the buffer's first byte.
    base: u64,
    /// How much of the buffer has been scanned.
    scanned: usize,
    depth: u32,
    /// One bit a level, the innermost lowest: set for a brace.
    braces: u128,
    text: Text,
    failed: Option<FrameError>,
    looked_at: u64,
}

/// Where the scan stands with respect to strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Text {
    Outside,
    Inside,
    Escaped,
}

impl Framer {
    /// A scan at the start of a stream.
    pub fn new(limits: FrameLimits) -> Self {
        let depth = limits.depth.min(u128::BITS);
        Self {
            limits: FrameLimits { depth, ..limits },
            buffer: BytesMut::new(),
            base: 0,
            scanned: 0,
            depth: 0,
            braces: 0,
            text: Text::Outside,
            failed: None,
            looked_at: 0,
        }
    }

    /// Takes the next bytes of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.failed.is_none() {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// How many bytes the scan has looked at so far: never more than were pushed.
    pub const fn looked_at(&self) -> u64 {
        self.looked_at
    }

    /// The next complete object. After an error the stream is lost and the error stays.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let found = self.scan();
        if let Err(error) = found {
            self.failed = Some(error);
            self.buffer = BytesMut::new();
        }
        found.map(|end| {
            end.map(|end| {
                let offset = self.base;
                let bytes = self.buffer.split_to(end).freeze();
                self.base += end as u64;
                self.scanned = 0;
                Frame { offset, bytes }
            })
        })
    }

    /// Finds the end of the object at the front of the buffer.
    fn scan(&mut self) -> Result<Option<usize>, FrameError> {
        if self.depth == 0 {
            self.skip_space();
        }
        let from = self.scanned;
        let end = self.scan_object();
        self.looked_at += (self.scanned - from) as u64;
        if self.scanned > self.limits.message {
            return Err(FrameError::TooLong { offset: self.base, limit: self.limits.message });
        }
        end
    }

    /// Between objects any white space may stand.
    fn skip_space(&mut self) {
        let space = self.buffer.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).count();
        if space > 0 {
            let _ = self.buffer.split_to(space);
            self.base += space as u64;
            self.looked_at += space as u64;
        }
    }

    fn scan_object(&mut self) -> Result<Option<usize>, FrameError> {
        while let Some(rest) = self.buffer.get(self.scanned..).filter(|r| !r.is_empty()) {
            match self.text {
                Text::Escaped => {
                    self.scanned += 1;
                    self.text = Text::Inside;
                }
                Text::Inside => match memchr::memchr2(b'"', b'\\', rest) {
                    None => self.scanned = self.buffer.len(),
                    Some(at) => {
                        let quote = rest[at] == b'"';
                        self.scanned += at + 1;
                        self.text = if quote { Text::Outside } else { Text::Escaped };
                    }
                },
                Text::Outside => {
                    let Some((at, byte)) = structural(rest, self.depth == 0) else {
                        self.scanned = self.buffer.len();
                        break;
                    };
                    let position = self.base + (self.scanned + at) as u64;
                    self.scanned += at + 1;
                    if self.step(byte, position)? {
                        return Ok(Some(self.scanned));
                    }
                }
            }
        }
        Ok(None)
    }

    /// Takes one structural byte; true when it closes the object.
    fn step(&mut self, byte: u8, offset: u64) -> Result<bool, FrameError> {
        match byte {
            b'"' if self.depth > 0 => self.text = Text::Inside,
            b'{' | b'[' if self.depth > 0 || byte == b'{' => {
                if self.depth == self.limits.depth {
                    return Err(FrameError::TooDeep { offset, limit: self.limits.depth });
                }
                self.depth += 1;
                self.braces = self.braces << 1 | u128::from(byte == b'{');
            }
            b'}' | b']' if self.depth > 0 => {
                if (self.braces & 1 == 1) != (byte == b'}') {
                    return Err(FrameError::Mismatched { offset, found: byte });
                }
                self.braces >>= 1;
                self.depth -= 1;
                return Ok(self.depth == 0);
            }
            _ => {
                return Err(FrameError::NotAnObject { offset, found: byte });
            }
        }
        Ok(false)
    }
}

/// The first byte that matters outside a string: any byte at the top, else a quote or bracket.
fn structural(rest: &[u8], top: bool) -> Option<(usize, u8)> {
    rest.iter().position(|byte| top || matches!(byte, b'"' | b'{' | b'}' | b'[' | b']')).map(|at| (at, rest[at]))
}
