//! Times as logs write them, at the edges of days, years, zones and of what can be counted.

use super::*;

fn combined(text: &str) -> Option<String> {
    from_combined(text.as_bytes()).map(to_rfc3339)
}

fn rfc3339(text: &str) -> Option<u64> {
    from_rfc3339(text.as_bytes()).map(|time| time.0)
}

#[test]
fn a_combined_time_is_read_to_the_second() {
    let time = from_combined(b"17/May/2015:10:05:03 +0000").unwrap();
    assert_eq!(time.0, 1_431_857_103 * 1_000_000_000);
    assert_eq!(from_combined(b"17/May/2015:10:05:03.5 +0000").unwrap().0, time.0 + 500_000_000);
}

#[test]
fn the_zone_is_taken_off_and_may_change_the_day_and_the_year() {
    assert_eq!(combined("17/May/2015:10:05:03 +0200").unwrap(), "2015-05-17T08:05:03Z");
    assert_eq!(combined("17/May/2015:10:05:03 -0930").unwrap(), "2015-05-17T19:35:03Z");
    assert_eq!(combined("01/Jan/2016:00:00:00 +0001").unwrap(), "2015-12-31T23:59:00Z");
    assert_eq!(combined("31/Dec/2015:23:59:59 -0001").unwrap(), "2016-01-01T00:00:59Z");
}

#[test]
fn all_months_are_known_and_only_days_that_exist() {
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    for (index, month) in months.iter().enumerate() {
        assert_eq!(
            combined(&format!("09/{month}/2023:01:02:03 +0000")).unwrap(),
            format!("2023-{:02}-09T01:02:03Z", index + 1)
        );
    }
    assert_eq!(combined("29/Feb/2016:12:00:00 +0000").unwrap(), "2016-02-29T12:00:00Z");
    assert_eq!(combined("29/Feb/2015:12:00:00 +0000"), None);
    assert_eq!(combined("31/Apr/2015:12:00:00 +0000"), None);
}

#[test]
fn what_is_not_a_time_is_none() {
    for bad in [
        "",
        "17/May/2015:10:05:03",
        "17/May/2015:10:05:03 ",
        "17/May/2015:10:05:03 +00",
        "17/May/2015:10:05:03 +0000x",
        "17/may/2015:10:05:03 +0000",
        "7/May/2015:10:05:03 +0000",
        "17/May/2015:24:00:00 +0000",
        "17/May/2015:10:60:00 +0000",
        "17/May/2015:10:05:61 +0000",
        "17/May/2015:10:05:03. +0000",
        "17/May/2015:10:05:03 +2400",
        "17/May/+015:10:05:03 +0000",
        "31/Dec/1969:23:59:59 +0000",
        "17/May/2600:10:05:03 +0000",
    ] {
        assert_eq!(combined(bad), None, "{bad:?}");
    }
}

#[test]
fn rfc3339_is_read_to_the_nanosecond() {
    let second = 1_431_857_103 * 1_000_000_000;
    assert_eq!(rfc3339("2015-05-17T10:05:03Z"), Some(second));
    assert_eq!(rfc3339("2015-05-17t12:05:03.25+02:00"), Some(second + 250_000_000));
    assert_eq!(rfc3339("2015-05-17 08:05:03.123456789999-0200"), Some(second + 123_456_789));
    assert_eq!(rfc3339("2016-12-31T23:59:60Z"), rfc3339("2017-01-01T00:00:00Z"));
    for bad in
        ["2015-05-17T10:05:03", "2015-05-17", "2015-13-17T10:05:03Z", "2015-05-17T10:05:03ZZ", "1969-12-31T23:59:59Z"]
    {
        assert_eq!(rfc3339(bad), None, "{bad:?}");
    }
}

#[test]
fn a_number_is_seconds_or_by_its_size_a_smaller_unit() {
    // A double holds the nanoseconds of that year to 256 ns.
    let nanos = 1_431_857_103_250_000_000;
    for number in [1_431_857_103.25, 1_431_857_103_250.0, 1_431_857_103_250_000.0, 1_431_857_103_250_000_000.0] {
        assert!(from_number(number).unwrap().0.abs_diff(nanos) <= 256, "{number}");
    }
    assert_eq!(from_number(0.0), Some(ShardTime(0)));
    for bad in [-1.0, f64::NAN, f64::INFINITY, 1e300] {
        assert_eq!(from_number(bad), None, "{bad}");
    }
}

#[test]
fn the_last_moment_can_be_written_down() {
    assert_eq!(to_rfc3339(ShardTime::MAX), "2554-07-21T23:34:33Z");
    assert_eq!(to_rfc3339(ShardTime::ZERO), "1970-01-01T00:00:00Z");
}
