//! The figures of README.md, on the machine that the tests run on. Those of other processors are compared by the boards.
#![allow(clippy::panic, reason = "a failed expectation is how a test fails")]

use shout_core::{BUFFER_SIZE, Memory, Server};

/// Bytes of memory for one connection more.
const fn connection<const BUFFER: usize>() -> usize {
    size_of::<Memory<'static, 2, BUFFER>>() - size_of::<Memory<'static, 1, BUFFER>>()
}

/// Bytes whatever the number of connections.
const ONCE: usize = size_of::<Server<'static>>() + size_of::<Memory<'static, 0>>();

/// The first column of the row that begins so.
fn figure(row: &str) -> usize {
    let row =
        include_str!("../README.md").lines().find_map(|line| line.strip_prefix("| ")?.strip_prefix(row));
    let column = row.and_then(|columns| columns.split('|').nth(1)).map(str::trim);
    column
        .and_then(|figure| figure.parse().ok())
        .unwrap_or_else(|| panic!("README.md has no figure for {row:?}"))
}

/// What the features that are on take more, of each connection or once: a row for each of them.
fn more(what: &str) -> usize {
    let features = [
        ("ethernet-duties", cfg!(feature = "ethernet-duties"), "once"),
        ("fragments", cfg!(feature = "fragments"), "once"),
        ("ipv6", cfg!(feature = "ipv6"), "once"),
        ("log", cfg!(feature = "log"), "once"),
        ("ipv6", cfg!(feature = "ipv6"), "each connection"),
        ("many-holes", cfg!(feature = "many-holes"), "each connection"),
        ("per-source", cfg!(feature = "per-source"), "each connection"),
        ("recovery", cfg!(feature = "recovery"), "each connection"),
    ];
    let on = features.iter().filter(|(_, is_on, takes)| *is_on && *takes == what);
    on.map(|(feature, ..)| figure(&format!("feature `{feature}`, {what} more"))).sum()
}

#[test]
fn the_memory_is_as_the_readme_says() {
    for (measured, stated) in [
        (connection::<BUFFER_SIZE>(), figure("each connection, with 1024") + more("each connection")),
        (connection::<64>(), figure("each connection, with 64") + more("each connection")),
        (ONCE, figure("once") + more("once")),
    ] {
        assert!(measured <= stated, "{measured} bytes instead of {stated}");
        assert!(measured * 10 > stated * 9, "only {measured} bytes: README.md says {stated}");
    }
}
