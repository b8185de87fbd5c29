//! What a test says when upstream has mended a shortcoming.

/// Fails unless smoltcp still has the `shortcoming`, and then says which module of `core/src` to delete.
///
/// `core/tests/shortcomings.rs` reads the module out of the source: a test has one `repaired_by`, and a
/// control has none.
#[track_caller]
pub(crate) fn repaired_by(module: &str, shortcoming: bool) {
    assert!(
        shortcoming,
        "smoltcp has mended this: delete core/src/{module}, or what it does about this where it does more, \
         and this test"
    );
}
