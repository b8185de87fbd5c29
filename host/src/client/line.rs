//! What a user says: lines, and how they are trimmed.

use core::str;

/// What the user said.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// One line, as it is to be sent.
    Line(Vec<u8>),
    /// The end of the input.
    End,
    /// Ctrl-C at the prompt.
    Interrupted,
}

/// `line` without white space at either end, as Python's `str.strip()` leaves it. Where that would fail, on bytes that are
/// not UTF-8, they pass unchanged but for ASCII white space: a server may well expect them.
pub(super) fn trim(line: &[u8]) -> &[u8] {
    match str::from_utf8(line) {
        Ok(text) => text.trim_matches(is_python_space).as_bytes(),
        Err(_) => {
            let is_space = |&byte: &u8| byte.is_ascii() && is_python_space(char::from(byte));
            let start = line.iter().position(|byte| !is_space(byte));
            let end = line.iter().rposition(|byte| !is_space(byte));
            match (start, end) {
                (Some(start), Some(end)) => &line[start..=end],
                _ => &[],
            }
        }
    }
}

/// Python counts the information separators (FS, GS, RS, US) as white space; Unicode's property, and so Rust, does not.
fn is_python_space(c: char) -> bool {
    c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trim_is_python_s_strip() {
        // sorted(map(ord, filter(str.isspace, map(chr, range(0x110000))))) of Python 3.
        let mut python: Vec<u32> = vec![0x20, 0x85, 0xa0, 0x1680];
        python.extend([0x2028, 0x2029, 0x202f, 0x205f, 0x3000]);
        python.extend((0x09..=0x0d).chain(0x1c..=0x1f).chain(0x2000..=0x200a));
        python.sort_unstable();
        let ours: Vec<u32> = ('\0'..=char::MAX)
            .filter(|&c| trim(c.to_string().as_bytes()).is_empty())
            .map(u32::from)
            .collect();
        assert_eq!(ours, python);
        assert_eq!(trim("\x1f\u{a0} a b\u{2003}".as_bytes()), b"a b");
    }

    #[test]
    fn bytes_that_are_not_utf_8_pass() {
        assert_eq!(trim(b" \x0b\xff a\x80\xa0\r"), b"\xff a\x80\xa0");
        assert_eq!(trim(b"\xc3\n"), b"\xc3");
    }
}
