//! Small pieces of wording that several rooms share.

use jiff::{SignedDuration, Timestamp};

use crate::id::is_invisible;

/// `1 task`, `2 tasks`: a count and what is counted, whose plural takes an s.
pub fn counted(count: impl TryInto<u64>, one: &str) -> String {
    match count.try_into().unwrap_or(u64::MAX) {
        1 => format!("1 {one}"),
        count => format!("{count} {one}s"),
    }
}

/// `14:32:05Z (in 11 min)`, or `(3 min ago)`.
pub fn clock_and_distance(time: Timestamp, now: Timestamp) -> String {
    let away = time.duration_since(now);
    let words = match away.is_negative() {
        true => format!("{} ago", span(away)),
        false => format!("in {}", span(away)),
    };
    format!("{} ({words})", time.strftime("%H:%M:%SZ"))
}

/// How long, in the one unit that a person would use: `40 s`, `11 min`, `3 h`, `2 d`.
pub fn span(time: SignedDuration) -> String {
    let seconds = time.as_secs().unsigned_abs();
    match seconds {
        0..90 => format!("{seconds} s"),
        90..5_400 => format!("{} min", (seconds + 30) / 60),
        5_400..172_800 => format!("{} h", (seconds + 1_800) / 3_600),
        _ => format!("{} d", (seconds + 43_200) / 86_400),
    }
}

/// Somebody's text on one line: cut, and without anything that moves a cursor or turns a line.
pub fn one_line(text: &str, most: usize) -> String {
    let mut line = String::new();
    let mut count = 0;
    for letter in text.chars() {
        if count == most {
            line.push('…');
            break;
        }
        match letter {
            '\t' => line.push(' '),
            letter if is_line_break(letter) => line.push(' '),
            letter if is_active(letter) => continue,
            letter => line.push(letter),
        }
        count += 1;
    }
    line.trim().to_owned()
}

/// Somebody's text with its lines kept, without anything that moves a cursor or turns a line. What
/// is left of control characters is `\n` and `\t`.
pub fn harmless(text: &str) -> String {
    text.replace("\r\n", "\n")
        .chars()
        .filter_map(|letter| match letter {
            '\t' => Some(letter),
            letter if is_line_break(letter) => Some('\n'),
            letter if is_active(letter) => None,
            letter => Some(letter),
        })
        .collect()
}

/// [`harmless`], for text that goes on behind words of ours: whatever it says, none of its lines
/// starts where our own lines start.
pub fn indented(text: &str, indent: &str) -> String {
    harmless(text).replace('\n', &format!("\n{indent}"))
}

/// The same JSON with every character escaped that would do something to a terminal. Such a one
/// stands inside a string only, where an escape is the same text.
pub fn inert_json(json: &str) -> String {
    let mut inert = String::with_capacity(json.len());
    for letter in json.chars() {
        if letter != '\n' && is_active(letter) {
            for unit in letter.encode_utf16(&mut [0; 2]) {
                inert.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            inert.push(letter);
        }
    }
    inert
}

/// All that some terminal, editor or language takes for the end of a line (Unicode's UAX 14, and the
/// separators that Python splits at).
fn is_line_break(letter: char) -> bool {
    matches!(letter, '\n'..='\r' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// C0 and C1 controls, and what is not seen but works.
fn is_active(letter: char) -> bool {
    letter.is_control() || is_invisible(letter)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_span_has_the_unit_that_a_person_would_use() {
        let words = |seconds| span(SignedDuration::from_secs(seconds));
        assert_eq!(
            [words(40), words(-660), words(10_800), words(200_000)],
            ["40 s", "11 min", "3 h", "2 d"]
        );
    }

    #[test]
    fn hostile_text_does_not_move_the_cursor() {
        assert_eq!(one_line("a\u{1b}[2J\nb\u{202e}c", 80), "a[2J bc");
        assert_eq!(one_line("abcdef", 3), "abc…");
        assert_eq!(harmless("a\r\nb\u{7}\u{200b}"), "a\nb");
        assert_eq!(harmless("a\tb\u{9b}2J\u{9d}0;x\u{7}"), "a\tb2J0;x");
    }

    #[test]
    fn every_line_break_that_anybody_knows_is_one_of_ours() {
        let text = "a\rb\u{b}c\u{c}d\u{85}e\u{2028}f\u{2029}g\u{1c}h\u{1e}i";
        assert_eq!(harmless(text), "a\nb\nc\nd\ne\nf\ng\nh\ni");
        assert_eq!(one_line(text, 80), "a b c d e f g h i");
        assert_eq!(indented("a\r\nhint: b\u{2028}c", "  "), "a\n  hint: b\n  c");
    }

    /// Text as an attacker would mix it: any characters, and the dangerous ones often.
    fn hostile() -> impl Strategy<Value = String> {
        let active = prop::sample::select(vec![
            '\0',
            '\u{7}',
            '\u{8}',
            '\t',
            '\n',
            '\u{b}',
            '\u{c}',
            '\r',
            '\u{1b}',
            '\u{1d}',
            '\u{7f}',
            '\u{85}',
            '\u{9b}',
            '\u{9d}',
            '\u{200b}',
            '\u{200e}',
            '\u{2028}',
            '\u{2029}',
            '\u{202e}',
            '\u{2066}',
            '\u{feff}',
            '\u{e0041}',
            '"',
            '\\',
            '[',
        ]);
        prop::collection::vec(prop_oneof![active, any::<char>()], 0..60)
            .prop_map(|letters| letters.into_iter().collect())
    }

    fn is_inert(text: &str, kept: &[char]) -> bool {
        text.chars()
            .all(|letter| kept.contains(&letter) || !(letter.is_control() || is_invisible(letter)))
    }

    proptest! {
        #[test]
        fn nothing_active_is_left(text in hostile(), most in 0..80_usize) {
            prop_assert!(is_inert(&harmless(&text), &['\n', '\t']));
            prop_assert_eq!(harmless(&harmless(&text)), harmless(&text));
            let line = one_line(&text, most);
            prop_assert!(is_inert(&line, &[]), "{line:?}");
            prop_assert!(line.chars().count() <= most + 1);
        }

        #[test]
        fn no_text_makes_a_line_that_starts_where_ours_do(text in hostile()) {
            let shown = format!("[time] (direct) designer: {}", indented(&text, "    "));
            // By the widest idea of a line that there is.
            let lines = shown.split(is_line_break);
            prop_assert!(lines.skip(1).all(|line| line.starts_with("    ")), "{shown:?}");
        }

        #[test]
        fn json_says_the_same_without_anything_active(text in hostile()) {
            let value = serde_json::json!({ &text: [&text, 1] });
            let json = serde_json::to_string_pretty(&value).unwrap();
            let inert = inert_json(&json);
            prop_assert!(is_inert(&inert, &['\n']), "{inert:?}");
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&inert).unwrap(), value);
        }

        #[test]
        fn plain_text_is_left_as_it_is(text in "[ -~äöß漢字🙂\n\t]{0,60}") {
            prop_assert_eq!(harmless(&text), text);
        }
    }
}
