//! What an app needs of its TCP.

use smoltcp::time::Instant;

/// One TCP connection of a client, from before its SYN.
pub trait Transport {
    /// A packet has arrived, or a frame.
    fn receive(&mut self, now: Instant, packet: &[u8]);

    /// Adds the packets to be sent now to `out`.
    fn transmit(&mut self, now: Instant, out: &mut Vec<Vec<u8>>);

    /// When [`transmit`](Self::transmit) has something to send, if nothing arrives before.
    fn deadline(&mut self, now: Instant) -> Option<Instant>;

    /// How many bytes can be written now.
    fn room(&mut self) -> usize;

    /// Writes as many bytes as there is room for, and returns how many.
    fn write(&mut self, bytes: &[u8]) -> usize;

    /// Reads bytes that have arrived, and returns how many.
    fn read(&mut self, bytes: &mut [u8]) -> usize;

    /// Sends FIN after what was written.
    fn close(&mut self);

    /// Resets the connection.
    fn abort(&mut self);

    /// How far the connection is.
    fn status(&self) -> Status;

    /// True once the server's FIN and everything before it has arrived.
    fn server_finished(&self) -> bool;

    /// When bytes came last that had not come before.
    fn heard_at(&self) -> Instant {
        Instant::ZERO
    }

    /// The last time until which it has kept the server waiting of its own will, or does so, beyond a delayed
    /// acknowledgement.
    fn held_until(&self, _now: Instant) -> Instant {
        Instant::ZERO
    }
}

/// How far a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// The server has not answered yet.
    Connecting,
    /// Established, or closing.
    Open,
    /// Both FINs are acknowledged.
    Finished,
    /// It was reset, by either end.
    Reset,
}
