//! JSON lines as loggers write them, and lines that are none.

use super::*;

fn parse_with(line: &str, key: &Key) -> Result<(u64, Option<String>), MalformedReason> {
    let parsed = parse(line.as_bytes(), key, &key.json_names())?;
    Ok((parsed.time.0, parsed.key.map(|key| String::from_utf8(key.into_owned()).unwrap())))
}

const NANOS: u64 = 1_431_857_103_000_000_000;

#[test]
fn a_line_gives_its_time_and_key_among_other_fields() {
    let line = r#"{"level":"info","nested":{"ip":"9.9.9.9","time":1},"list":[1,{"a":null}],"ok":true,"ip":"1.2.3.4","time":"2015-05-17T10:05:03Z"}"#;
    assert_eq!(parse_with(line, &Key::Ip), Ok((NANOS, Some("1.2.3.4".to_owned()))));
}

#[test]
fn every_way_to_write_the_time_means_the_same() {
    for time in [
        r#""time":"2015-05-17T12:05:03+02:00""#,
        r#""timestamp":"17/May/2015:10:05:03 +0000""#,
        r#""@timestamp":1431857103"#,
        r#""ts":1431857103.0"#,
        r#""time":1431857103000"#,
        r#""msec":"1431857103.000""#,
    ] {
        assert_eq!(
            parse_with(&format!(r#"{{{time},"ip":"a"}}"#), &Key::Ip),
            Ok((NANOS, Some("a".to_owned()))),
            "{time}"
        );
    }
}

#[test]
fn the_likelier_name_wins_wherever_it_stands() {
    for line in [r#"{"ts":1,"remote_addr":"b","ip":"a","time":2}"#, r#"{"time":2,"ip":"a","remote_addr":"b","ts":1}"#] {
        assert_eq!(parse_with(line, &Key::Ip), Ok((2_000_000_000, Some("a".to_owned()))));
    }
}

#[test]
fn keys_may_be_escaped_numbers_paths_or_missing() {
    let field = Key::Field("tenant".to_owned());
    assert_eq!(parse_with(r#"{"time":0,"tenant":"a\u00e9\n"}"#, &field).unwrap().1.unwrap(), "aé\n");
    assert_eq!(
        parse_with(r#"{"time":0,"tenant":18446744073709551615}"#, &field).unwrap().1.unwrap(),
        "18446744073709551615"
    );
    assert_eq!(parse_with(r#"{"time":0,"tenant":1.5}"#, &field).unwrap().1.unwrap(), "1.5");
    assert_eq!(parse_with(r#"{"time":0,"uri":"/a\/b?c"}"#, &Key::Path).unwrap().1.unwrap(), "/a/b");
    for line in
        [r#"{"time":0}"#, r#"{"time":0,"tenant":null}"#, r#"{"time":0,"tenant":""}"#, r#"{"time":0,"tenant":["a"]}"#]
    {
        assert_eq!(parse_with(line, &field).unwrap().1, None, "{line}");
    }
}

#[test]
fn a_broken_line_says_what_it_lacks() {
    for line in [
        "{",
        r#"{"time":0} x"#,
        r#"{"time":0,}"#,
        "{\"ip\":\"\n\"}",
        &"{\"a\":".repeat(1_000),
        &format!("{{\"a\":{}", "[".repeat(100_000)),
    ] {
        assert_eq!(parse_with(line, &Key::Ip), Err(MalformedReason::NotJson), "{line:.40}");
    }
    for line in
        [r#"{"ip":"a"}"#, r#"{"ip":"a","time":"yesterday"}"#, r#"{"ip":"a","time":-5}"#, r#"{"ip":"a","time":null}"#]
    {
        assert_eq!(parse_with(line, &Key::Ip), Err(MalformedReason::NoJsonTime), "{line}");
    }
}
