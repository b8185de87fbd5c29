//! In place of a limit for each source: there is none.

use core::marker::PhantomData;
use core::num::NonZeroU16;

use siphasher::sip::SipHasher13;
use smoltcp::wire::IpAddress;

use crate::tcp::slots::SlotId;

/// Unused: there is no limit for each source without the feature `per-source`.
#[derive(Debug, Clone, Copy)]
pub struct SourceEntry;

impl SourceEntry {
    /// An entry without a source.
    pub const EMPTY: SourceEntry = SourceEntry;
}

#[derive(Debug)]
pub(crate) struct Sources<'a>(PhantomData<&'a mut [SourceEntry]>);

impl<'a> Sources<'a> {
    pub(crate) fn new(
        _entries: &'a mut [SourceEntry],
        _hasher: SipHasher13,
        _limit: Option<NonZeroU16>,
    ) -> Sources<'a> {
        Sources(PhantomData)
    }

    pub(crate) fn refuses(&self, _source: IpAddress) -> Option<u16> {
        None
    }

    pub(crate) fn add(&mut self, _slot: SlotId, _source: IpAddress) {}

    pub(crate) fn remove(&mut self, _slot: SlotId) {}
}
