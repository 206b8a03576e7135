//! Why nothing is said.

macro_rules! silences {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal;)*) => {
        /// Why nothing is said.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
        pub enum Silence {
            $($(#[doc = $doc])+ #[error($text)] $name,)*
        }

        impl Silence {
            /// Every reason, in the order of their numbers (`as usize`).
            pub const ALL: &[Self] = &[$(Self::$name,)*];
        }
    };
}

silences! {
    /// The topology has no such port.
    UnknownPort = "the port is not known";
    /// Port or network are administratively down.
    Down = "the port or its network is down";
    /// The frame is not what the question says, is cut off, or contradicts itself.
    Malformed = "the packet cannot be read";
    /// The client is not the port itself but another address behind it.
    ForeignClient = "the client is not the port itself";
    /// The message came by a relay agent.
    Relayed = "the message came by a relay agent";
    /// No address of the port is in a subnet where this is served.
    NotServed = "the service is not offered on the port's subnets";
    /// The client talks to another server.
    OtherServer = "the message is for another server";
    /// The message wants no answer, as it is from a server or of a kind that is not known.
    NoRequest = "the message is no request";
    /// The client gave its address back, or found it in use; the port keeps it.
    GivenBack = "the client gave its address back";
    /// The network has no router that advertises itself.
    NoRouter = "there is no such router";
    /// The router has no address by which it could speak.
    NoRouterAddress = "the router has no address there";
    /// The network that does not take the packet is not known.
    UnknownNetwork = "the network is not known";
    /// No errors are sent about errors.
    AboutError = "the packet is an error itself";
    /// No errors are sent about packets to many.
    ToMany = "the packet is for many";
    /// No errors are sent about fragments but the first.
    Fragment = "the packet is not a first fragment";
    /// No errors are sent to whom does not say who he is.
    NobodysSource = "the packet's source is nobody's address";
    /// The answer is longer than a packet can say of itself.
    TooLong = "the answer does not fit into a packet";
}
