//! Private keys in their armour, whole or cut off: `-----BEGIN … PRIVATE KEY-----`.
//!
//! Programs wrap what they print: line numbers, quotes and `+`, marks of a diff. A key's lines are
//! known behind them by their length.

use std::ops::Range;

use super::shapes::is_base64;

/// How the armour starts, in lower case.
pub const STARTS: &[&str] = &["-----begin ", "---- begin "];

const LONGEST_LABEL: usize = 80;

/// A line of a key has 64 letters, or up to 76. The last one has fewer.
const SHORTEST_LINE: usize = 40;

/// A key as long as no real one: RSA with 16384 bits takes 13 kB.
const LONGEST: usize = 256 << 10;

/// Words that start the lines before the key itself.
const HEADERS: &[&[u8]] =
    &[b"Proc-Type", b"DEK-Info", b"Version", b"Comment", b"Hash", b"Charset", b"Subject", b"X-"];

/// A key's block.
pub struct Block {
    pub range: Range<usize>,
    /// The letters of the key alone: the same however it is wrapped.
    pub letters: Vec<u8>,
    /// It was still going on where the text ended.
    pub open: bool,
}

/// The block that starts with the hit of one of `STARTS`.
pub fn look(text: &[u8], hit: Range<usize>) -> Option<Block> {
    let header = header(text, hit)?;
    let mut block = Block { range: header.clone(), letters: Vec::new(), open: false };
    let mut at = header.end;
    while at - header.end < LONGEST {
        at += wrapping(text, at);
        if at == text.len() {
            block.open = true;
            break;
        }
        if let Some(end) = ending(text, at) {
            block.range.end = end;
            break;
        }
        let Some(piece) = piece(text, at, block.letters.is_empty()) else { break };
        if piece.is_key {
            block.letters.extend_from_slice(&text[at..piece.end]);
            block.range.end = piece.end;
        }
        at = piece.end;
    }
    Some(block)
}

/// Whether so much of a key stands there that it is one, and not only talked about.
pub fn is_key(block: &Block) -> bool {
    block.letters.len() >= SHORTEST_LINE
}

/// Where a key starts that goes on behind this line. No block reaches beyond the start of the next
/// one, so that this takes linear time.
pub fn opening(line: &[u8]) -> Option<usize> {
    memchr::memmem::find_iter(line, b"BEGIN ").find_map(|word| {
        let end = word + b"BEGIN ".len();
        let dashes = [&b"-----"[..], b"---- "].into_iter().find(|it| line[..word].ends_with(it))?;
        look(line, word - dashes.len()..end)
            .filter(|block| block.open)
            .map(|block| block.range.start)
    })
}

/// What one more line of text is, behind lines of an open key.
pub enum Line {
    /// All of it belongs to the key.
    Key(Range<usize>),
    /// The key ends in it.
    Last(Range<usize>),
    /// It does not belong to the key.
    Other,
}

pub fn line(text: &[u8]) -> Line {
    let start = wrapping(text, 0);
    let mut at = start;
    while at < text.len() {
        if let Some(end) = ending(text, at) {
            return Line::Last(start..end);
        }
        let is_header = || HEADERS.iter().any(|header| text[at..].starts_with(header));
        let letters = letters(text, at);
        match letters {
            0 => return Line::Other,
            _ if is_header() => at = text.len(),
            _ => at += letters + wrapping(text, at + letters),
        }
    }
    Line::Key(start.min(text.len())..text.trim_ascii_end().len().max(start))
}

fn header(text: &[u8], hit: Range<usize>) -> Option<Range<usize>> {
    let label = &text[hit.end..text.len().min(hit.end + LONGEST_LABEL)];
    let end = memchr::memmem::find(label, b"----")?;
    let is_private = memchr::memmem::find(&label[..end], b"PRIVATE KEY").is_some();
    let end = hit.end + end;
    let dashes = text[end..].iter().take(5).take_while(|byte| **byte == b'-').count();
    is_private.then_some(hit.start..end + dashes)
}

fn ending(text: &[u8], at: usize) -> Option<usize> {
    let rest = &text[at..text.len().min(at + LONGEST_LABEL)];
    let starts = [&b"-----END "[..], b"---- END "];
    let start = starts.iter().find(|start| rest.starts_with(start))?;
    let close = memchr::memmem::find(&rest[start.len()..], b"----")? + start.len();
    let dashes = rest[close..].iter().take(5).take_while(|byte| **byte == b'-').count();
    Some(at + close + dashes)
}

struct Piece {
    end: usize,
    is_key: bool,
}

/// The letters that start here, if they belong to a key.
fn piece(text: &[u8], at: usize, first: bool) -> Option<Piece> {
    let rest = &text[at..];
    if HEADERS.iter().any(|header| rest.starts_with(header)) {
        return Some(Piece { end: end_of_line(text, at), is_key: false });
    }
    let len = letters(text, at);
    let end = at + len;
    let behind = end + wrapping(text, end);
    let ends = behind == text.len() || ending(text, behind).is_some();
    let is_number = len <= 6 && rest[..len].iter().all(u8::is_ascii_digit);
    match len {
        0 => None,
        SHORTEST_LINE.. => Some(Piece { end, is_key: true }),
        _ if ends && !(first && behind == text.len()) => Some(Piece { end, is_key: true }),
        _ if is_number => Some(Piece { end, is_key: false }),
        // A padded end, or the checksum of a PGP block.
        _ if !first && (rest[len - 1] == b'=' || rest[0] == b'=') => {
            Some(Piece { end, is_key: true })
        }
        _ => None,
    }
}

fn letters(text: &[u8], at: usize) -> usize {
    text[at..].iter().take_while(|byte| is_base64(**byte)).count()
}

fn end_of_line(text: &[u8], at: usize) -> usize {
    let rest = &text[at..];
    let line = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
    at + memchr::memmem::find(&rest[..line], b"\\n").unwrap_or(line)
}

/// What stands between the lines of a key and is none of it.
fn wrapping(text: &[u8], at: usize) -> usize {
    let rest = &text[at..];
    let mut len = 0;
    while let Some(byte) = rest.get(len) {
        len += match byte {
            b' ' | b'\t' | b'\n' | b'\r' | b'"' | b'\'' | b',' | b'|' | b'>' | b':' | b';' => 1,
            b'\\' if matches!(rest.get(len + 1), Some(b'n' | b'r' | b't')) => 2,
            b'\\' => 1,
            // A mark of a diff, or the `+` between two strings; in a key it stands among letters.
            b'+' if rest.get(len + 1).is_none_or(|next| !is_base64(*next)) => 1,
            0xe2 if rest[len..].starts_with("→".as_bytes()) => 3,
            _ => break,
        };
    }
    len
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(lines: usize) -> Vec<String> {
        (0..lines).map(|n| format!("{n}aB3/+x").repeat(9)).collect()
    }

    fn armour(separator: &str) -> (String, String) {
        let label = format!("{}PRIVATE KEY-----", "RSA ");
        let (lines, dashes) = (key(4), "-----");
        let body = lines.join(separator);
        let text =
            format!("{dashes}BEGIN {label}{separator}{body}{separator}Q2==\n{dashes}END {label}");
        (text, lines.concat() + "Q2==")
    }

    #[test]
    fn a_key_is_found_whole_however_it_is_wrapped() {
        for separator in
            ["\n", "\r\n", "\\n", "\n    12→", "\n  7\t", "\\n\" +\n  \"", " ", "\n> ", "\n+ "]
        {
            let (text, letters) = armour(separator);
            let all = format!("{text} tail");
            let block = look(all.as_bytes(), 0..11).unwrap();
            assert_eq!(block.range, 0..text.len(), "{separator:?}");
            assert_eq!(String::from_utf8(block.letters).unwrap(), letters, "{separator:?}");
        }
    }

    #[test]
    fn a_key_that_is_cut_off_is_found_as_far_as_it_goes() {
        let (text, _) = armour("\n");
        let cut = &text[..200];
        assert_eq!(look(cut.as_bytes(), 0..11).unwrap().range, 0..200);
        let talk = format!("{}\nand so on, as the manual says", &text[..text.len() / 2]);
        let block = look(talk.as_bytes(), 0..11).unwrap();
        assert!(is_key(&block) && block.range.end <= text.len() / 2);
    }

    #[test]
    fn of_two_keys_on_a_line_the_first_that_goes_on_counts() {
        let start = format!("{}BEGIN {}KEY-----", "-----", "PRIVATE ");
        let two = format!("a {start}Version 1 {start}Version 2");
        assert_eq!(opening(two.as_bytes()), Some(2));
        let talk = format!("a {start} is how it begins: {start}");
        assert_eq!(opening(talk.as_bytes()), Some(talk.len() - start.len()));
        assert_eq!(opening(armour("\\n").0.as_bytes()), None);
    }

    #[test]
    fn an_armour_without_a_key_is_only_talk() {
        let talk = format!("look for {}BEGIN {}KEY----- and then", "-----", "PRIVATE ");
        assert!(look(talk.as_bytes(), 9..20).is_none_or(|block| !is_key(&block)));
    }
}
