use crate::load::content::{Content, LONGEST, PERIOD};

#[test]
fn the_right_echo_passes_wherever_it_is_cut() {
    let content = Content::new();
    for position in [0, 1, PERIOD - 1, PERIOD, 10 * PERIOD + 7] {
        for length in [0, 1, 64, 1000, LONGEST] {
            let echo = content.at(position, length).to_ascii_uppercase();
            assert_eq!(content.check(position, &echo), Ok(()));
        }
    }
}

#[test]
fn the_stream_goes_on_where_a_piece_ends() {
    let content = Content::new();
    let pieces = [content.at(PERIOD - 10, 6), content.at(PERIOD - 4, 20)].concat();
    assert_eq!(pieces, content.at(PERIOD - 10, 26));
}

#[test]
fn each_wrong_byte_is_found() {
    let content = Content::new();
    let right = content.at(5, 1000).to_ascii_uppercase();
    for offset in 0..1000 {
        let mut echo = right.clone();
        echo[offset] ^= 1;
        let found = content.check(5, &echo).unwrap_err();
        assert_eq!((found.position, found.received), (5 + offset, right[offset] ^ 1));
        assert_eq!(found.sent.to_ascii_uppercase(), right[offset]);
    }
}

#[test]
fn an_echo_that_is_not_uppercased_or_not_in_its_place_is_found() {
    let content = Content::new();
    assert!(content.check(0, content.at(0, 64)).is_err());
    for shift in 1..1000 {
        assert!(content.check(shift, &content.at(0, 64).to_ascii_uppercase()).is_err(), "{shift}");
    }
}
