//! smoltcp's TCP socket as RFC 9293 and RFC 5961 have it.

mod gaps;
pub(crate) mod rfc5961;
