//! What Linux is asked for at the start: the device's addresses, its MTU and state, how much memory there is, fewer privileges,
//! and a sandbox.

pub(crate) mod cgroup;
pub(crate) mod journal;
pub(crate) mod link;
pub(crate) mod netlink;
pub(crate) mod privileges;
pub(crate) mod sandbox;
