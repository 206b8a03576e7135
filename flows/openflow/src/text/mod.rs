//! The notation of `ovs-ofctl` (ovs-fields(7), ovs-actions(7), ovs-ofctl(8)): printing and parsing.
//!
//! What is printed is what `ovs-ofctl -O OpenFlow15` prints; what is parsed is also what people write. `Display` and
//! `FromStr` use numbers; [`Named`] and the `parse` functions take the [`Names`] of tables and ports as well.

mod error;
mod names;
mod parse;
mod print;
mod scan;
mod value;

pub use error::{ParseError, ParseErrorKind};
pub use names::{Named, Names};
pub use parse::actions as parse_actions;
pub use print::ActionList;
