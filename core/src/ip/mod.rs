//! Everything below TCP and UDP: which packets count, smoltcp's interface, and neighbours on Ethernet.

pub(crate) mod address;
pub(crate) mod device;
pub(crate) mod filter;
pub(crate) mod interface;
pub(crate) mod neighbours;
