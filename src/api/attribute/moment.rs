//! Times as text.

use std::fmt;
use weir_model::Timestamp;

/// A time to the second, as Neutron shows it.
pub(super) struct Moment(pub(super) Timestamp);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.0 / 1_000_000;
        let (days, second) = (seconds / 86_400, seconds % 86_400);
        let (year, month, day) = civil(days);
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

/// Year, month and day of a day counted from 1970-01-01, in the Gregorian calendar.
///
/// Years are counted from March so that the leap day is the last; 146,097 days make an era of 400 years, and
/// 719,468 days lie between 0000-03-01 and 1970-01-01.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

/// The day counted from 1970-01-01, the other way round.
fn days(year: u64, month: u64, day: u64) -> u64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year / 400, year % 400);
    let month_from_march = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Reads `YYYY-MM-DDTHH:MM:SSZ`, from 1970 on; the Z may be absent.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    let text = text.strip_suffix('Z').unwrap_or(text);
    let bytes = text.as_bytes();
    let shape = |at: usize, byte: u8| bytes.get(at) == Some(&byte);
    let shaped = bytes.len() == 19
        && shape(4, b'-')
        && shape(7, b'-')
        && (shape(10, b'T') || shape(10, b' '))
        && shape(13, b':')
        && shape(16, b':');
    if !shaped {
        return None;
    }
    let number = |at: std::ops::Range<usize>| -> Option<u64> {
        let digits = text.get(at)?;
        digits.bytes().all(|digit| digit.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    let fits = year >= 1970 && (1..=12).contains(&month) && hour < 24 && minute < 60 && second < 61;
    let date = days(year.max(1970), month.clamp(1, 12), day.clamp(1, 31));
    let exists = fits && civil(date) == (year, month, day);
    exists.then(|| Timestamp((date * 86_400 + hour * 3_600 + minute * 60 + second) * 1_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_to_the_second() {
        let at = |micros| Moment(Timestamp(micros)).to_string();
        assert_eq!(at(0), "1970-01-01T00:00:00Z");
        assert_eq!(at(951_782_400_000_000), "2000-02-29T00:00:00Z");
        assert_eq!(at(1_767_225_599_999_999), "2025-12-31T23:59:59Z");
        assert_eq!(at(1_767_225_600_000_000), "2026-01-01T00:00:00Z");
        assert_eq!(at(4_107_542_400_000_000), "2100-03-01T00:00:00Z");
    }

    #[test]
    fn times_are_read_back() {
        for day in (0..60_000).step_by(7) {
            let time = Timestamp((day * 86_400 + 3_661) * 1_000_000);
            assert_eq!(parse(&Moment(time).to_string()), Some(time));
        }
        for wrong in [
            "",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-01-01",
            "1969-12-31T23:59:59Z",
            "2026-01-01T24:00:00Z",
            "+026-01-01T00:00:00Z",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
