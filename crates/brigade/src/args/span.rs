//! How long: the spans of time that options take.

use std::time::Duration;

/// A span of time: plain seconds, or with `s`, `m`, `h`, `d`.
pub fn parse_span(text: &str) -> Result<Duration, String> {
    let (digits, unit) = match text.find(|letter: char| !letter.is_ascii_digit()) {
        Some(at) => text.split_at(at),
        None => (text, "s"),
    };
    let count: u64 = digits.parse().map_err(|_| "give a time such as 90s, 15m or 2h")?;
    let seconds = match unit.trim() {
        "s" | "sec" => Some(count),
        "m" | "min" => count.checked_mul(60),
        "h" => count.checked_mul(3_600),
        "d" => count.checked_mul(86_400),
        _ => return Err("give a time such as 90s, 15m or 2h".into()),
    };
    seconds
        .filter(|seconds| *seconds <= 366 * 86_400)
        .map(Duration::from_secs)
        .ok_or_else(|| "that is longer than a year".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_has_a_unit_or_is_in_seconds() {
        let seconds = |text| parse_span(text).map(|span| span.as_secs());
        assert_eq!(seconds("300"), Ok(300));
        assert_eq!(seconds("15m"), Ok(900));
        assert_eq!(seconds("2h"), Ok(7_200));
        for bad in ["", "m", "-5", "5x", "99999999999999999999", "18446744073709551615h"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }
}
