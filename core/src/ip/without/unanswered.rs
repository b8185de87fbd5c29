//! In place of the packet that is kept until its neighbour is known: none.

use core::marker::PhantomData;

use smoltcp::time::Instant;

use crate::ip::interface::NoAnswer;
use crate::tcp::timers::NEVER;

#[derive(Debug)]
pub(crate) struct Unanswered<'a>(PhantomData<&'a mut [u8]>);

impl<'a> Unanswered<'a> {
    pub(crate) fn new(_room: &'a mut [u8]) -> Unanswered<'a> {
        Unanswered(PhantomData)
    }

    pub(crate) fn keep(&mut self, _now: Instant, _packet: &[u8], _why: NoAnswer) {}

    pub(crate) fn packet(&self) -> Option<&[u8]> {
        None
    }

    pub(crate) fn answered(&mut self) {}

    pub(crate) fn refused(&mut self) {}

    pub(crate) fn is_due(&mut self, _now: Instant) -> bool {
        false
    }

    pub(crate) fn deadline(&self) -> Instant {
        NEVER
    }
}
