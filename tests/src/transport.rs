//! What tcp_clients need of a TCP, whichever it is.

use smoltcp::time::Instant;

/// One TCP connection of a client, from before its SYN.
pub trait Transport {
    /// A packet has arrived, or a frame.
    fn receive(&mut self, now: Instant, packet: &[u8]);

    /// Gives all that is to be sent now.
    fn transmit(&mut self, now: Instant, out: &mut Vec<Vec<u8>>);

    /// When [`transmit`](Self::transmit) has something to give, if nothing arrives before.
    fn deadline(&mut self, now: Instant) -> Option<Instant>;

    /// How many bytes it takes now.
    fn room(&mut self) -> usize;

    /// Takes bytes to be sent; returns how many.
    fn write(&mut self, bytes: &[u8]) -> usize;

    /// Gives bytes that have arrived; returns how many.
    fn read(&mut self, bytes: &mut [u8]) -> usize;

    /// No more will be written.
    fn close(&mut self);

    /// Resets the connection.
    fn abort(&mut self);

    /// How far the connection is.
    fn status(&self) -> Status;

    /// True once the server's FIN has arrived, with everything before it.
    fn server_finished(&self) -> bool;
}

/// How far a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// The server has not answered yet.
    Connecting,
    /// Bytes can be written or read, or are on their way.
    Open,
    /// Both ends have finished, and the client knows it.
    Finished,
    /// It was reset, by either end.
    Reset,
}
