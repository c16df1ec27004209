//! How a log is cut into lines. What a replay decides is tested in the crate's `tests` folder.

use std::io::BufReader;

use super::*;

fn lines_of(log: &[u8], buffer_bytes: usize) -> Vec<Vec<u8>> {
    let mut log = BufReader::with_capacity(buffer_bytes, log);
    let (mut line, mut lines) = (Vec::new(), Vec::new());
    while next_line(&mut log, &mut line).unwrap() {
        lines.push(line.clone());
    }
    lines
}

#[test]
fn lines_are_whole_whatever_the_buffer_holds_and_the_last_needs_no_end() {
    for buffer_bytes in 1..20 {
        assert_eq!(lines_of(b"one\n\ntwo\r\nthree", buffer_bytes), [&b"one\n"[..], b"\n", b"two\r\n", b"three"]);
    }
    assert!(lines_of(b"", 8).is_empty());
}

#[test]
fn a_line_beyond_the_cap_is_cut_and_the_next_one_is_whole() {
    for length in [LOG_LINE_BYTES_MAX - 1, LOG_LINE_BYTES_MAX, LOG_LINE_BYTES_MAX + 1, 5 * LOG_LINE_BYTES_MAX] {
        let mut log = vec![b'x'; length];
        log.extend_from_slice(b"\nnext\n");
        let lines = lines_of(&log, 8_192);
        assert_eq!(lines[0].len(), (length + 1).min(LOG_LINE_BYTES_MAX + 1), "{length}");
        assert_eq!(lines[1..], [b"next\n"], "{length}");
    }
}

#[test]
fn a_log_that_fails_says_after_which_line() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the disk is gone"))
        }
    }
    let spec = drl_limits::PolicySpec {
        limits: vec![drl_limits::Limit::new(1, "1s".parse().unwrap()).unwrap()],
        ..drl_limits::PolicySpec::default()
    };
    let mut replay = Replay::new(Policy::new(spec).unwrap(), Key::Ip);
    let error = replay.read(BufReader::new((&b"one\ntwo\n"[..]).chain(Failing))).unwrap_err();
    assert_eq!(error.to_string(), "the log cannot be read after line 2: the disk is gone");
}
