//! Days since 1970 and calendar dates, both ways, in the proleptic Gregorian calendar. It knows no time of day and no zone.
//!
//! Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms" (`days_from_civil`, `civil_from_days`). Years start in March
//! there, so that the leap day is the last day of a year.

/// Days of 400 years: the calendar repeats after them.
const DAYS_PER_ERA: i64 = 146_097;

/// From 1 March of year 0 to 1 January 1970.
const DAYS_TO_1970: i64 = 719_468;

/// A date that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Date {
    pub(crate) year: i64,
    /// 1 to 12.
    pub(crate) month: i64,
    /// 1 to 31.
    pub(crate) day: i64,
}

impl Date {
    /// `None` when there is no such day, like 30 February. Years 0 to 9999.
    pub(crate) fn new(year: i64, month: i64, day: i64) -> Option<Self> {
        let last = match month {
            4 | 6 | 9 | 11 => 30,
            2 if is_leap(year) => 29,
            2 => 28,
            _ => 31,
        };
        let exists = (0..=9_999).contains(&year) && (1..=12).contains(&month) && (1..=last).contains(&day);
        exists.then_some(Self { year, month, day })
    }

    /// Days since 1 January 1970; negative before it.
    pub(crate) fn days(self) -> i64 {
        let year = if self.month <= 2 { self.year - 1 } else { self.year };
        let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let day_of_year = (153 * ((self.month + 9) % 12) + 2) / 5 + self.day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        era * DAYS_PER_ERA + day_of_era - DAYS_TO_1970
    }

    pub(crate) fn from_days(days: i64) -> Self {
        let shifted = days.saturating_add(DAYS_TO_1970);
        let (era, day_of_era) = (shifted.div_euclid(DAYS_PER_ERA), shifted.rem_euclid(DAYS_PER_ERA));
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        Self { year, month, day }
    }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_eight_centuries_follows_the_day_before_it() {
        let mut expected = -135_140; // 1 January 1600
        for year in 1600..2400 {
            for month in 1..=12 {
                for day in 1..=31 {
                    let Some(date) = Date::new(year, month, day) else { continue };
                    assert_eq!(date.days(), expected, "{date:?}");
                    assert_eq!(Date::from_days(expected), date);
                    expected += 1;
                }
            }
        }
        assert_eq!(Date::new(1970, 1, 1).unwrap().days(), 0);
    }

    #[test]
    fn leap_days_exist_only_in_leap_years() {
        for (year, exists) in [(2000, true), (2016, true), (2015, false), (1900, false), (2100, false)] {
            assert_eq!(Date::new(year, 2, 29).is_some(), exists, "{year}");
        }
        for (month, day) in [(0, 1), (13, 1), (4, 31), (1, 0), (1, 32)] {
            assert_eq!(Date::new(2015, month, day), None);
        }
    }
}
