//! The options of TCP segments: built and parsed.

use crate::wire::Segment;

/// The kinds of options.
const MSS: u8 = 2;
const WINDOW_SCALE: u8 = 3;
const SACK_PERMITTED: u8 = 4;
const SACK: u8 = 5;
const TIMESTAMPS: u8 = 8;
/// Padding: an option of one byte.
const NOP: u8 = 1;

/// The options of a SYN.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SynOptions {
    /// The maximum segment size.
    pub mss: Option<u16>,
    /// The window scale.
    pub scale: Option<u8>,
    /// SACK permitted.
    pub sack: bool,
    /// Timestamps. The server does not take them up.
    pub timestamps: bool,
}

impl SynOptions {
    /// A maximum segment size and a window scale, or neither.
    pub fn new(mss: Option<u16>, scale: Option<u8>) -> SynOptions {
        SynOptions { mss, scale, ..SynOptions::default() }
    }

    /// The options, padded to a multiple of 4 bytes.
    pub fn to_bytes(self) -> Vec<u8> {
        let mut options = Vec::new();
        if let Some(mss) = self.mss {
            options.extend([MSS, 4]);
            options.extend(mss.to_be_bytes());
        }
        if let Some(scale) = self.scale {
            options.extend([WINDOW_SCALE, 3, scale, NOP]);
        }
        if self.sack {
            options.extend([SACK_PERMITTED, 2, NOP, NOP]);
        }
        if self.timestamps {
            options.extend([TIMESTAMPS, 10, 0, 0, 0, 1, 0, 0, 0, 0, NOP, NOP]);
        }
        options
    }
}

/// The option that tells these blocks, first and last number; nothing without blocks.
pub fn sack_option(blocks: &[(u32, u32)]) -> Vec<u8> {
    let mut option = Vec::new();
    if !blocks.is_empty() {
        let length = u8::try_from(2 + 8 * blocks.len()).expect("four blocks at most");
        option.extend([NOP, NOP, SACK, length]);
        for (first, last) in blocks {
            option.extend(first.to_be_bytes());
            option.extend(last.to_be_bytes());
        }
    }
    option
}

impl Segment {
    /// The maximum segment size and the window scale, where there are such options.
    pub fn mss_and_scale(&self) -> (Option<u16>, Option<u8>) {
        let (mut mss, mut scale) = (None, None);
        for (kind, value) in self.each_option() {
            match (kind, value) {
                (MSS, &[high, low]) => mss = Some(u16::from_be_bytes([high, low])),
                (WINDOW_SCALE, &[shift]) => scale = Some(shift.min(14)),
                _ => {}
            }
        }
        (mss, scale)
    }

    /// True if there is the option "SACK permitted".
    pub fn permits_sack(&self) -> bool {
        self.each_option().any(|option| option == (SACK_PERMITTED, &[]))
    }

    /// Kind and value of each option, up to the first that is malformed.
    fn each_option(&self) -> impl Iterator<Item = (u8, &[u8])> {
        let mut options = &self.options[..];
        core::iter::from_fn(move || {
            loop {
                let (kind, after) = options.split_first()?;
                match (*kind, after) {
                    (0, _) => return None,
                    (NOP, _) => options = after,
                    (kind, [length @ 2..=255, rest @ ..]) if rest.len() >= usize::from(length - 2) => {
                        let (value, rest) = rest.split_at(usize::from(length - 2));
                        options = rest;
                        return Some((kind, value));
                    }
                    _ => return None,
                }
            }
        })
    }
}
