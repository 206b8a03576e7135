//! A flow as a switch tells it, made from the flow-mod that it was told by, without decoding either.

/// Offsets within a flow-mod, its header included (OpenFlow 1.5, section 7.3.4.2).
mod at {
    pub(super) const COOKIE: usize = 8;
    pub(super) const TABLE: usize = 24;
    pub(super) const COMMAND: usize = 25;
    pub(super) const TIMEOUTS: usize = 26;
    pub(super) const PRIORITY: usize = 30;
    pub(super) const FLAGS: usize = 44;
    pub(super) const IMPORTANCE: usize = 46;
    pub(super) const MATCH: usize = 48;
}

/// `OFPFF_CHECK_OVERLAP` and `OFPFF_RESET_COUNTS`: they say how a flow is added, and are not kept.
const PASSING_FLAGS: u16 = 0x6;

/// What a flow-mod does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FlowCommand {
    /// Adds the flow.
    Add,
    /// Deletes exactly the flow of this key.
    DeleteStrict,
}

/// The parts of a flow-mod.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FlowMod<'a> {
    message: &'a [u8],
    /// Where the match ends, without padding.
    match_end: usize,
    /// What it does.
    pub(crate) command: FlowCommand,
}

impl<'a> FlowMod<'a> {
    /// Takes a whole flow-mod, header included; none if it is cut short or does something else.
    pub(crate) fn read(message: &'a [u8]) -> Option<Self> {
        let command = match *message.get(at::COMMAND)? {
            0 => FlowCommand::Add,
            4 => FlowCommand::DeleteStrict,
            _ => return None,
        };
        let length = usize::from(u16::from_be_bytes([*message.get(at::MATCH + 2)?, *message.get(at::MATCH + 3)?]));
        let match_end = at::MATCH + length;
        (length >= 4 && match_end.next_multiple_of(8) <= message.len()).then_some(Self { message, match_end, command })
    }

    /// Puts what names the flow: table, priority and match.
    pub(crate) fn put_key(&self, out: &mut Vec<u8>) {
        out.push(self.message[at::TABLE]);
        out.extend_from_slice(&self.message[at::PRIORITY..at::PRIORITY + 2]);
        out.extend_from_slice(&self.message[at::MATCH..self.match_end]);
    }

    /// Puts the entry of a reply to `OFPMP_FLOW_DESC`, its counters 0.
    pub(crate) fn put_entry(&self, out: &mut Vec<u8>) {
        let start = out.len();
        let message = self.message;
        let instructions = &message[self.match_end.next_multiple_of(8)..];
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&[message[at::TABLE], 0]);
        out.extend_from_slice(&message[at::PRIORITY..at::PRIORITY + 2]);
        out.extend_from_slice(&message[at::TIMEOUTS..at::TIMEOUTS + 4]);
        let flags = u16::from_be_bytes([message[at::FLAGS], message[at::FLAGS + 1]]) & !PASSING_FLAGS;
        out.extend_from_slice(&flags.to_be_bytes());
        out.extend_from_slice(&message[at::IMPORTANCE..at::IMPORTANCE + 2]);
        out.extend_from_slice(&message[at::COOKIE..at::COOKIE + 8]);
        out.extend_from_slice(&message[at::MATCH..self.match_end.next_multiple_of(8)]);
        out.extend_from_slice(&STATS);
        out.extend_from_slice(instructions);
        let length = u16::try_from(out.len() - start).unwrap_or(u16::MAX);
        out[start..start + 2].copy_from_slice(&length.to_be_bytes());
    }
}

/// An `ofp_stats` whose duration, idle time, packets and bytes are 0, with its padding.
const STATS: [u8; 56] = {
    let mut stats = [0; 56];
    stats[3] = 52;
    let mut place = 0;
    // Duration, idle time, packet count and byte count have the numbers 0, 1, 4 and 5.
    let numbers = [0, 1, 4, 5];
    while place < numbers.len() {
        let start = 4 + 12 * place;
        stats[start] = 0x80;
        stats[start + 1] = 0x02;
        stats[start + 2] = numbers[place] << 1;
        stats[start + 3] = 8;
        place += 1;
    }
    stats
};
