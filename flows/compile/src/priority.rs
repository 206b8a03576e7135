//! Priorities by name. Within one table, higher wins.

/// How strongly a flow claims a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u16)]
pub enum Priority {
    /// What nothing else claims; the table's miss behaviour.
    Miss = 0,
    /// What no object claims but deserves an answer of its own, such as a separate drop reason.
    Fallback = 50,
    /// A port whose sources are not checked, beneath what is known of its ARP and ND packets.
    Unchecked = 80,
    /// A source that is only allowed for one protocol, visited after the ordinary sources.
    Bootstrap = 90,
    /// The ordinary flow of an object.
    Object = 100,
    /// A special case of an object's ordinary flow.
    Exception = 120,
    /// A port's question about itself.
    Own = 150,
    /// What is refused whoever sent it.
    Refusal = 200,
    /// Cuts off a whole network or port.
    Cut = 300,
}

/// Routes stand above every other flow of their table.
const ROUTES: u16 = 1000;

impl Priority {
    /// Every priority, ascending.
    pub const ALL: [Self; 9] = [
        Self::Miss,
        Self::Fallback,
        Self::Unchecked,
        Self::Bootstrap,
        Self::Object,
        Self::Exception,
        Self::Own,
        Self::Refusal,
        Self::Cut,
    ];

    /// The number of a route: the longest prefix wins, and of two to one prefix the router's own interface.
    #[must_use]
    pub const fn route(prefix_len: u8, connected: bool) -> u16 {
        ROUTES + 2 * prefix_len as u16 + connected as u16
    }

    /// The number in a flow.
    #[must_use]
    pub const fn number(self) -> u16 {
        self as u16
    }
}

impl From<Priority> for u16 {
    fn from(priority: Priority) -> Self {
        priority.number()
    }
}
