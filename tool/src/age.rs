//! A length of time, as arguments have it.

use std::{str::FromStr, time::Duration};

/// Such as `90`, `90s`, `5m`, `1h` or `30d`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Age(pub(crate) Duration);

impl FromStr for Age {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "it has to be a number with s, m, h or d behind it, such as 30s or 7d".to_owned();
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit = match &text[digits.len()..] {
            "ms" => 0.001,
            "" | "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            _ => return Err(wrong()),
        };
        let number: f64 = digits.parse().map_err(|_| wrong())?;
        // Longer than anything is kept, and short enough to be counted with.
        if !(0.0..=1e9).contains(&(number * unit)) {
            return Err(wrong());
        }
        Ok(Self(Duration::from_secs_f64(number * unit)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_the_usual_units() {
        let age = |text: &str| text.parse::<Age>().map(|Age(age)| age.as_secs_f64());
        assert_eq!(age("90"), Ok(90.0));
        assert_eq!(age("1.5m"), Ok(90.0));
        assert_eq!(age("2h"), Ok(7200.0));
        assert_eq!(age("30d"), Ok(2_592_000.0));
        assert_eq!(age("250ms"), Ok(0.25));
        for wrong in ["", "h", "5w", "-1s", "1e300d", "NaN"] {
            assert!(age(wrong).is_err(), "{wrong}");
        }
    }
}
