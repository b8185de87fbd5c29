use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use nix::libc;
use nix::sys::socket::{setsockopt, sockopt};

use crate::load::Content;
use crate::loss::cases::{Case, Family, Work};
use crate::loss::report::Verdict;
use crate::loss::transfers::{End, Transfer};
use crate::loss::{Losses, Measured, Outcome, duplicates, transfers as running};

const LIMIT: Duration = Duration::from_secs(10);

/// Serves each connection in this way.
fn serve(serve: fn(TcpStream)) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || serve(stream.unwrap()));
        }
    });
    address
}

/// Echoes so many bytes, or all until the client's FIN.
fn echo(stream: &mut TcpStream, mut left: usize, change: fn(&mut [u8])) {
    let mut turn = [0; 1024];
    while let Ok(length @ 1..) = stream.read(&mut turn[..left.min(1024)]) {
        turn[..length].make_ascii_uppercase();
        change(&mut turn[..length]);
        if stream.write_all(&turn[..length]).is_err() {
            return;
        }
        left -= length;
        if left == 0 {
            return;
        }
    }
}

fn ends(address: SocketAddr, limit: Duration) -> Vec<End> {
    let transfers = running::run(address, 100_000, limit, &Content::new());
    assert_eq!(transfers.len(), 10);
    transfers.into_iter().map(|transfer| transfer.end).collect()
}

#[test]
fn a_transfer_that_comes_back_is_whole() {
    let address = serve(|mut stream| echo(&mut stream, usize::MAX, |_| ()));
    assert_eq!(ends(address, LIMIT), vec![End::Whole; 10]);
}

#[test]
fn a_reset_is_not_whole() {
    let address = serve(|mut stream| {
        echo(&mut stream, 10_000, |_| ());
        setsockopt(&stream, sockopt::Linger, &libc::linger { l_onoff: 1, l_linger: 0 }).unwrap();
    });
    assert_eq!(ends(address, LIMIT), vec![End::Reset; 10]);
}

#[test]
fn silence_is_unfinished() {
    let address = serve(|mut stream| {
        echo(&mut stream, 10_000, |_| ());
        // Neither a byte nor a FIN.
        loop {
            thread::park();
        }
    });
    assert_eq!(ends(address, Duration::from_millis(300)), vec![End::Unfinished; 10]);
}

#[test]
fn a_wrong_byte_and_an_early_end_are_wrong() {
    for address in [
        serve(|mut stream| echo(&mut stream, usize::MAX, |turn| turn[0] ^= 1)),
        serve(|mut stream| {
            echo(&mut stream, 10_000, |_| ());
            // FIN and not RST: what the client has sent is read first.
            stream.shutdown(std::net::Shutdown::Write).unwrap();
            while let Ok(1..) = stream.read(&mut [0; 1024]) {}
        }),
    ] {
        for end in ends(address, LIMIT) {
            assert!(matches!(end, End::Wrong(_)), "{end:?}");
        }
    }
}

fn transfers(ends: [End; 10], seconds: u64) -> Measured {
    let transfer = |end| Transfer { end, took: Duration::from_secs(seconds) };
    Measured::Transfers(ends.map(transfer).to_vec())
}

fn losses(results: Vec<Measured>) -> Losses {
    let case = Case { work: Work::Transfers, percent: 5, family: Family::V4 };
    Losses { outcomes: vec![Outcome { case, results }], ..Losses::default() }
}

/// Which targets are met: none unwhole and the time, for each of the two buffers; with the small one also the time beside a small
/// window. Kernel sockets take a second, and three with a small window.
fn verdicts(ours: [Measured; 2]) -> Vec<bool> {
    let whole = || [const { End::Whole }; 10];
    losses(ours.into_iter().chain([transfers(whole(), 1), transfers(whole(), 3)]).collect())
        .verdicts()
        .iter()
        .map(Verdict::is_met)
        .collect()
}

#[test]
fn three_times_the_kernels_time_is_the_most_and_its_own_with_a_small_window() {
    let whole = || [const { End::Whole }; 10];
    assert_eq!(verdicts([transfers(whole(), 3), transfers(whole(), 4)]), [true, true, true, true, false]);
    assert_eq!(verdicts([transfers(whole(), 4), transfers(whole(), 3)]), [true, false, false, true, true]);
    assert_eq!(verdicts([transfers(whole(), 2), transfers(whole(), 3)]), [true, true, true, true, true]);
}

/// A limit that is less than three times the kernel's time must not make a transfer quick that has not ended.
#[test]
fn what_is_not_whole_is_not_in_time_either() {
    let unfinished = || [const { End::Unfinished }; 10];
    let mut one_reset = [const { End::Whole }; 10];
    one_reset[3] = End::Reset;
    let verdicts = verdicts([transfers(unfinished(), 1), transfers(one_reset, 1)]);
    assert_eq!(verdicts, [false, false, false, false, true]);
}

#[test]
fn what_is_wrong_fails_the_run_and_what_is_slow_does_not() {
    let ends = |last: End| {
        let mut ends = [const { End::Whole }; 10];
        ends[9] = last;
        losses(vec![transfers(ends, 1)]).is_complete()
    };
    assert_eq!([End::Whole, End::Reset, End::Unfinished].map(ends), [true; 3]);
    assert!(!ends(End::Wrong("the server closed early".to_owned())));
    assert!(!losses(vec![Measured::Failed("no echo".to_owned())]).is_complete());
}

#[test]
fn a_counter_is_found_by_its_name() {
    let netstat = "TcpExt: SyncookiesSent DelayedACKs DelayedACKLost\nTcpExt: 1 22 333\nIpExt: A\nIpExt: 4\n";
    assert_eq!(duplicates::counter(netstat, "DelayedACKLost"), Some(333));
    assert_eq!(duplicates::counter(netstat, "SyncookiesSent"), Some(1));
    assert_eq!(duplicates::counter(netstat, "A"), None);
}
