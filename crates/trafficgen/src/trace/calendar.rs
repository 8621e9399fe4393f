//! Dates as protocols write them, from the trace's own clock.

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];

/// A moment in UTC, Gregorian calendar.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Moment {
    year: u64,
    /// 1 to 12.
    month: u64,
    day: u64,
    second_of_day: u64,
    weekday: u64,
}

impl Moment {
    /// From nanoseconds since 1970-01-01 UTC.
    pub(crate) const fn from_ns(at_ns: u64) -> Self {
        let seconds = at_ns / 1_000_000_000;
        let days = seconds / 86_400;
        // Years that begin in March put the leap day last; 719,468 days lie between 0000-03-01 and 1970-01-01.
        let shifted = days + 719_468;
        let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march_month = (5 * day_of_year + 2) / 153;
        let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
        Self {
            year: year_of_era + era * 400 + if month <= 2 { 1 } else { 0 },
            month,
            day: day_of_year - (153 * march_month + 2) / 5 + 1,
            second_of_day: seconds % 86_400,
            weekday: days % 7,
        }
    }

    fn names(&self) -> (&'static str, &'static str) {
        let name = |list: &[&'static str], index: u64| list.get(index as usize).copied().unwrap_or("Jan");
        (name(&WEEKDAYS, self.weekday), name(&MONTHS, self.month - 1))
    }

    const fn clock(&self) -> (u64, u64, u64) {
        (self.second_of_day / 3600, self.second_of_day / 60 % 60, self.second_of_day % 60)
    }

    /// `Tue, 14 Nov 2023 22:13:20 GMT` (RFC 9110 5.6.7).
    pub(crate) fn http(&self) -> String {
        let ((weekday, month), (hour, minute, second)) = (self.names(), self.clock());
        format!("{weekday}, {:02} {month} {} {hour:02}:{minute:02}:{second:02} GMT", self.day, self.year)
    }

    /// `Tue, 14 Nov 2023 22:13:20 +0000` (RFC 5322 3.3).
    pub(crate) fn mail(&self) -> String {
        self.http().replace("GMT", "+0000")
    }

    /// `231114221320Z`, a `UTCTime` (RFC 5280 4.1.2.5.1).
    pub(crate) fn utc_time(&self) -> String {
        let (hour, minute, second) = self.clock();
        format!("{:02}{:02}{:02}{hour:02}{minute:02}{second:02}Z", self.year % 100, self.month, self.day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments() {
        // What `date -u -d @SECONDS` says.
        for (seconds, expected) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (1_700_000_000, "Tue, 14 Nov 2023 22:13:20 GMT"),
            (1_709_164_799, "Wed, 28 Feb 2024 23:59:59 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
        ] {
            assert_eq!(Moment::from_ns(seconds * 1_000_000_000).http(), expected);
        }
        assert_eq!(Moment::from_ns(1_700_000_000_000_000_000).utc_time(), "231114221320Z");
        assert!(Moment::from_ns(0).mail().ends_with("00:00:00 +0000"));
    }
}
