//! What travels: framing, values, schemas, and the session over them.

mod framing;
mod peer;
mod schema;
mod session;
mod value;
