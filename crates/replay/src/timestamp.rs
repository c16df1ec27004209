//! Times as logs write them, read into [`ShardTime`] and written back for people. The zone of a line is honoured; a time without a
//! zone, before 1970 or after 2554 is none.
//!
//! | where | form |
//! |---|---|
//! | combined | `17/May/2015:10:05:03 +0000` |
//! | JSON | RFC 3339, as `2015-05-17T10:05:03.250+02:00`, or the form above |
//! | JSON | a number since 1970, in seconds, or by its size in milli-, micro- or nanoseconds |

use drl_core::ShardTime;

use crate::civil::Date;

const NANOS_PER_SECOND: i64 = 1_000_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// Numbers from here on are not seconds: as seconds this is the year 5138, as milliseconds 1973.
const SECONDS_END: f64 = 1e11;

/// What is left of a time that is being read.
struct Text<'a>(&'a [u8]);

/// `17/May/2015:10:05:03 +0000`, with a fraction of a second if there is one.
pub(crate) fn from_combined(text: &[u8]) -> Option<ShardTime> {
    let mut text = Text(text);
    let day = text.digits(2)?;
    text.expect(b"/")?;
    let month = month_number(text.take(3)?)?;
    text.expect(b"/")?;
    let date = Date::new(text.digits(4)?, month, day)?;
    text.expect(b":")?;
    let nanos_of_day = text.time_of_day()?;
    text.expect(b" ")?;
    text.zoned(date, nanos_of_day)
}

/// RFC 3339, section 5.6; a space for the `T` and a zone without its colon are taken too, because logs have them.
pub(crate) fn from_rfc3339(text: &[u8]) -> Option<ShardTime> {
    let mut text = Text(text);
    let year = text.digits(4)?;
    text.expect(b"-")?;
    let month = text.digits(2)?;
    text.expect(b"-")?;
    let date = Date::new(year, month, text.digits(2)?)?;
    text.expect(b"Tt ")?;
    let nanos_of_day = text.time_of_day()?;
    text.zoned(date, nanos_of_day)
}

/// A number since 1970. Its size tells the unit: any time from 1973 on is read rightly in each of the four.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "inside 0 to 2^63, which is checked")]
pub(crate) fn from_number(number: f64) -> Option<ShardTime> {
    let nanos_per_unit = match number {
        n if n < SECONDS_END => 1e9,
        n if n < SECONDS_END * 1e3 => 1e6,
        n if n < SECONDS_END * 1e6 => 1e3,
        _ => 1.0,
    };
    let whole = number.trunc();
    // The whole part is scaled as an integer: a double holds the nanoseconds of today to a quarter of a microsecond only.
    let in_range = number >= 0.0 && whole * nanos_per_unit < 9e18;
    let nanos = |whole: u64| {
        whole.checked_mul(nanos_per_unit as u64)?.checked_add((number.fract() * nanos_per_unit).round() as u64)
    };
    in_range.then(|| nanos(whole as u64)).flatten().map(ShardTime)
}

/// `2015-05-17T10:05:03Z`; parts of a second are cut off.
#[must_use]
pub fn to_rfc3339(time: ShardTime) -> String {
    let seconds = i64::try_from(time.0 / NANOS_PER_SECOND.unsigned_abs()).unwrap_or(i64::MAX);
    let Date { year, month, day } = Date::from_days(seconds.div_euclid(SECONDS_PER_DAY));
    let of_day = seconds.rem_euclid(SECONDS_PER_DAY);
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

fn month_number(name: &[u8]) -> Option<i64> {
    const NAMES: [&[u8]; 12] =
        [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
    let index = NAMES.iter().position(|known| *known == name)?;
    i64::try_from(index).ok().map(|index| index + 1)
}

impl<'a> Text<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn expect(&mut self, any_of: &[u8]) -> Option<u8> {
        self.take(1).map(|byte| byte[0]).filter(|byte| any_of.contains(byte))
    }

    fn digits(&mut self, count: usize) -> Option<i64> {
        self.take(count)?
            .iter()
            .try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0')))
    }

    /// `10:05:03` or `10:05:03.25`, in nanoseconds. A leap second (`:60`) is the first second of the next minute.
    fn time_of_day(&mut self) -> Option<i64> {
        let hour = self.digits(2)?;
        self.expect(b":")?;
        let minute = self.digits(2)?;
        self.expect(b":")?;
        let second = self.digits(2)?;
        let exists = hour < 24 && minute < 60 && second <= 60;
        let fraction = if self.0.first() == Some(&b'.') { self.fraction()? } else { 0 };
        exists.then_some(((hour * 60 + minute) * 60 + second) * NANOS_PER_SECOND + fraction)
    }

    /// `.25`: any number of digits but none; those behind the ninth are below a nanosecond.
    fn fraction(&mut self) -> Option<i64> {
        self.take(1)?;
        let count = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let digits = self.take(count).filter(|digits| !digits.is_empty())?;
        let padded = digits.iter().chain(std::iter::repeat(&b'0')).take(9);
        Some(padded.fold(0, |number, byte| number * 10 + i64::from(byte - b'0')))
    }

    /// The zone, which must be all that is left, and with it the moment.
    fn zoned(&mut self, date: Date, nanos_of_day: i64) -> Option<ShardTime> {
        let east_seconds = match self.expect(b"Zz+-")? {
            b'Z' | b'z' => 0,
            sign => {
                let hours = self.digits(2)?;
                if self.0.first() == Some(&b':') {
                    self.take(1)?;
                }
                let minutes = self.digits(2)?;
                let seconds = (hours * 60 + minutes) * 60;
                let seconds = if sign == b'-' { -seconds } else { seconds };
                Some(seconds).filter(|_| hours < 24 && minutes < 60)?
            }
        };
        let day_seconds = date.days() * SECONDS_PER_DAY - east_seconds;
        let nanos = i128::from(day_seconds) * i128::from(NANOS_PER_SECOND) + i128::from(nanos_of_day);
        u64::try_from(nanos).ok().filter(|_| self.0.is_empty()).map(ShardTime)
    }
}

#[cfg(test)]
mod tests;
