//! What is a command, what is half of one, and what can never become one.

use super::*;

/// Everything in `input`, until it is half or wrong.
fn read_all(input: &[u8]) -> (Vec<Vec<Vec<u8>>>, Result<usize, ProtocolError>) {
    let (mut commands, mut arguments, mut at) = (Vec::new(), Vec::new(), 0);
    loop {
        match parse(input, at, &mut arguments) {
            Ok(Parsed::Half) => return (commands, Ok(at)),
            Ok(Parsed::Whole { next }) => {
                commands.push(arguments.iter().map(|span| span.of(input).to_vec()).collect());
                at = next;
            }
            Err(error) => return (commands, Err(error)),
        }
    }
}

fn refusal(input: &[u8]) -> ProtocolError {
    read_all(input).1.unwrap_err()
}

#[test]
fn arrays_and_lines_are_commands_in_order() {
    let (commands, end) =
        read_all(b"*2\r\n$4\r\nECHO\r\n$2\r\n\r\n\r\nPING\r\n  echo 'a b'  \"c\"\n\r\n*0\r\n*-1\r\n*1\r\n$0\r\n\r\n");
    let words: Vec<Vec<&[u8]>> = commands.iter().map(|command| command.iter().map(Vec::as_slice).collect()).collect();
    assert_eq!(
        words,
        [vec![&b"ECHO"[..], b"\r\n"], vec![b"PING"], vec![b"echo", b"a b", b"c"], vec![], vec![], vec![], vec![b""]]
    );
    assert!(end.is_ok());
}

#[test]
fn every_prefix_of_a_command_is_half_of_it() {
    let whole = b"*3\r\n$9\r\nDRL.ALLOW\r\n$5\r\nalice\r\n$1\r\n2\r\n";
    for length in 0..whole.len() {
        assert_eq!(read_all(&whole[..length]), (vec![], Ok(0)), "{length}");
    }
    assert_eq!(read_all(whole).0.len(), 1);
}

#[test]
fn announced_sizes_are_refused_before_their_bytes_come() {
    assert_eq!(refusal(b"*1\r\n$1073741824\r\n"), ProtocolError::BulkLength);
    assert_eq!(refusal(b"*1\r\n$65537\r\n"), ProtocolError::BulkLength);
    assert_eq!(read_all(b"*1\r\n$65536\r\n"), (vec![], Ok(0)));
    assert_eq!(refusal(b"*65\r\n"), ProtocolError::ArrayLength);
    assert_eq!(read_all(b"*64\r\n"), (vec![], Ok(0)));
    assert_eq!(refusal(b"*1\r\n$-1\r\n"), ProtocolError::BulkLength);
    assert_eq!(refusal(b"*99999999999999999999\r\n"), ProtocolError::ArrayLength);
}

#[test]
fn bytes_that_can_never_be_a_command_are_refused() {
    assert_eq!(refusal(b"*x\r\n"), ProtocolError::ArrayLength);
    assert_eq!(refusal(b"*1\rx"), ProtocolError::ArrayLength);
    assert_eq!(refusal(&[b'*'; 40]), ProtocolError::ArrayLength);
    assert_eq!(refusal(b"*1\r\n:1\r\n"), ProtocolError::NotABulk { got: b':' });
    assert_eq!(refusal(b"*1\r\n$1\r\nab\r\n"), ProtocolError::BulkEnd);
    assert_eq!(refusal(b"echo \"a\r\n"), ProtocolError::Quotes);
    assert_eq!(refusal(b"echo \"a\"b\r\n"), ProtocolError::Quotes);
    assert_eq!(refusal(&vec![b'x'; 65_537]), ProtocolError::LineLength);
    assert_eq!(refusal(format!("{}\n", "a ".repeat(65)).as_bytes()), ProtocolError::ArrayLength);
}

#[test]
fn integers_are_read_to_their_last_value_and_not_beyond() {
    for (text, number) in [
        ("0", Some(0)),
        ("-0", Some(0)),
        ("+7", Some(7)),
        ("007", Some(7)),
        ("9223372036854775807", Some(i64::MAX)),
        ("-9223372036854775808", Some(i64::MIN)),
        ("9223372036854775808", None),
        ("", None),
        ("-", None),
        ("1 ", None),
        ("1.0", None),
        ("0x1", None),
        ("١", None),
    ] {
        assert_eq!(parse_integer(text.as_bytes()), number, "{text:?}");
    }
}
