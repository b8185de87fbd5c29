//! What Linux is asked for at the start: the device's addresses, its MTU and state, and fewer privileges.

pub(crate) mod link;
pub(crate) mod netlink;
pub(crate) mod privileges;
