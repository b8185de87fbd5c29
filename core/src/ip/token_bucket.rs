//! Token buckets, and a fixed table of them by source.

use siphasher::sip::SipHasher13;
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::IpAddress;

/// How many tokens a bucket holds, and how long it takes until one comes back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate {
    pub(crate) burst: u16,
    pub(crate) interval: Duration,
}

/// A token bucket, kept as the time at which it is full again, in intervals (the generic cell rate algorithm): one small
/// number, which no timer has to wind.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TokenBucket {
    full_at: u16,
}

impl TokenBucket {
    pub(crate) const FULL: TokenBucket = TokenBucket { full_at: 0 };

    /// Takes a token; false if there is none. The rate must be the same each time.
    pub(crate) fn take(&mut self, now: Instant, rate: &Rate) -> bool {
        // Unsigned, as all other divisions of 64 bits: on a small processor, each kind is a function of its own.
        let intervals = now.total_micros().cast_unsigned() / rate.interval.total_micros();
        #[expect(clippy::cast_possible_truncation, reason = "only differences count")]
        let now = intervals as u16;
        // No more tokens than all can be missing: a larger difference means that `full_at` is in the past, and the bucket full.
        // Where the 16 bits have wrapped meanwhile, a full bucket may seem to lack tokens, for `burst` intervals at most.
        let missing = Some(self.full_at.wrapping_sub(now)).filter(|&missing| missing <= rate.burst);
        let missing = missing.unwrap_or(0);
        if missing == rate.burst {
            return false;
        }
        self.full_at = now.wrapping_add(missing + 1);
        true
    }
}

/// The buckets of a table. Without the feature `fragments`, memory is taken to be scarce.
const BUCKETS: usize = if cfg!(feature = "fragments") { 256 } else { 32 };

/// A table of token buckets, in which the hash of a source chooses its bucket.
///
/// Sources that fall into one bucket share it. Do not be tempted to give each source a fresh bucket in place of
/// another's: whoever forges sources would then never find an empty one. The hash is keyed, so nobody can choose a source
/// that shares the bucket of another.
#[derive(Debug)]
pub(crate) struct TokenBuckets {
    buckets: [TokenBucket; BUCKETS],
    key: [u8; 16],
}

impl TokenBuckets {
    pub(crate) const fn new(key: [u8; 16]) -> TokenBuckets {
        TokenBuckets { buckets: [TokenBucket::FULL; BUCKETS], key }
    }

    /// Takes a token of this source's; false if it has none. `port` is 0 where all ports of an address are one source.
    pub(crate) fn take(&mut self, now: Instant, rate: &Rate, source: IpAddress, port: u16) -> bool {
        let hasher = SipHasher13::new_with_key(&self.key);
        let port = port.to_be_bytes();
        let hash = match source {
            IpAddress::Ipv4(source) => {
                let mut bytes = [0; 6];
                bytes[..4].copy_from_slice(&source.octets());
                bytes[4..].copy_from_slice(&port);
                hasher.hash(&bytes)
            }
            #[cfg(feature = "ipv6")]
            IpAddress::Ipv6(source) => {
                let mut bytes = [0; 18];
                bytes[..16].copy_from_slice(&source.octets());
                bytes[16..].copy_from_slice(&port);
                hasher.hash(&bytes)
            }
        };
        self.buckets[usize::from(hash.to_ne_bytes()[0]) % BUCKETS].take(now, rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { burst: 3, interval: Duration::from_millis(100) };

    #[test]
    fn a_bucket_gives_its_burst_and_then_one_each_interval() {
        let (mut bucket, start) = (TokenBucket::FULL, Instant::from_secs(10));
        let given = |bucket: &mut TokenBucket, after: u64| {
            let now = start + Duration::from_millis(after);
            core::iter::repeat_with(|| bucket.take(now, &RATE)).take(5).filter(|&given| given).count()
        };
        assert_eq!(given(&mut bucket, 0), 3);
        assert_eq!(given(&mut bucket, 99), 0);
        assert_eq!(given(&mut bucket, 100), 1);
        assert_eq!(given(&mut bucket, 350), 2);
        assert_eq!(given(&mut bucket, 60_000), 3, "it holds no more than its burst");
    }

    #[test]
    fn a_bucket_that_was_not_used_for_long_is_full() {
        let start = Instant::from_secs(10);
        for after in (0..0x2_0000).step_by(0x1001) {
            let mut bucket = TokenBucket::FULL;
            while bucket.take(start, &RATE) {}
            let now = start + RATE.interval * (3 + after);
            assert!(bucket.take(now, &RATE) && bucket.take(now, &RATE), "{after}");
        }
    }

    #[test]
    fn sources_do_not_share_a_bucket_as_a_rule_and_the_key_decides() {
        let drained = |key: u8, source: u8, port: u16| {
            let mut table = TokenBuckets::new([key; 16]);
            let now = Instant::from_secs(10);
            while table.take(now, &RATE, IpAddress::v4(192, 0, 2, 1), 7) {}
            !table.take(now, &RATE, IpAddress::v4(192, 0, 2, source), port)
        };
        assert!(drained(1, 1, 7));
        let shared =
            |key: u8| (0..200).filter(|&source| drained(key, source, 8)).collect::<std::vec::Vec<_>>();
        assert!(shared(1).len() < 20);
        assert_ne!(shared(1), shared(2));
    }
}
