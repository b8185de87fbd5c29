//! What Linux is asked for at the start: the device's addresses, its MTU and state, how much memory there is, and fewer privileges.

pub(crate) mod cgroup;
pub(crate) mod journal;
pub(crate) mod link;
pub(crate) mod netlink;
pub(crate) mod privileges;
