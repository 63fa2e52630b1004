//! A session as one page of HTML that loads nothing, runs nothing and needs no network.
//!
//! Every text of others goes through [`escaped`], and stands between tags only, never in one. The page
//! says so to the browser as well: its policy allows one style sheet, by hash, and nothing else.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::about::{About, Voice};
use super::entry::{Entry, Pairs};
use super::gist::gist;
use super::retelling::Form;
use super::tally::Tally;
use super::words;
use crate::text::{harmless, one_line};
use crate::transcript::redact::marks;
use crate::transcript::turn::{Body, Turn};

/// Longest gist of a call in its line.
const GIST: usize = 160;

const STYLE: &str = "\
:root{color-scheme:light dark;--line:#8884;--dim:#888}\
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}\
h1{font-size:1.4rem;overflow-wrap:anywhere}h2{font-size:1.1rem;border-top:2px solid var(--line);padding-top:1rem}\
h3{font-size:.85rem;margin:0 0 .25rem;color:var(--dim);font-weight:600}\
dl{display:grid;grid-template-columns:max-content 1fr;gap:0 1rem;font-size:.85rem}\
dt{color:var(--dim)}dd{margin:0;overflow-wrap:anywhere}\
article,details{margin:.6rem 0;padding:.5rem .8rem;border-left:3px solid var(--line)}\
p,pre{white-space:pre-wrap;overflow-wrap:anywhere;margin:.2rem 0}\
pre,code{font:13px/1.45 ui-monospace,monospace}pre{background:#8881;padding:.5rem;border-radius:4px}\
summary{cursor:pointer;font-size:.85rem;overflow-wrap:anywhere}\
.user{border-color:#2a7de1;background:#2a7de111}.assistant{border-color:#2e9e5b}\
.failed{border-color:#d33}.raw{border-color:#c80}.withdrawn{opacity:.55}\
mark{background:#fc06;border-radius:3px}";

#[derive(Default)]
pub struct Html {
    pairs: Pairs,
}

impl Form for Html {
    fn begin(&mut self, about: &About, out: &mut String) {
        let name = escaped(&one_line(&about.name(), 300));
        out.push_str(&format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"{}\">\n\
             <meta name=\"referrer\" content=\"no-referrer\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n\
             <title>{name}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{name}</h1>\n",
            policy(),
        ));
        let facts = words::facts(about);
        list(facts.iter().map(|(name, value)| (*name, value.as_str())), out);
        out.push_str("<main>\n");
    }

    fn voice(&mut self, voice: &Voice, out: &mut String) {
        self.drain(true, out);
        let name = voice.agent.as_deref().unwrap_or(&voice.source);
        out.push_str(&format!("<h2>Subagent {}</h2>\n", escaped(&one_line(name, 300))));
    }

    fn turn(&mut self, turn: Turn, out: &mut String) {
        self.pairs.push(turn);
        self.drain(false, out);
    }

    fn end(&mut self, tally: &Tally, out: &mut String) {
        self.drain(true, out);
        out.push_str("</main>\n<h2>Sums</h2>\n");
        let sums = words::sums(tally);
        list(sums.iter().map(|(name, value)| (name.as_str(), value.as_str())), out);
        out.push_str("</body>\n</html>\n");
    }
}

impl Html {
    fn drain(&mut self, as_it_is: bool, out: &mut String) {
        while let Some(entry) = self.pairs.next(as_it_is) {
            tell(&entry, out);
        }
    }
}

/// Nothing but our own style, which is known by its hash.
fn policy() -> String {
    let hash = base64(&Sha256::digest(STYLE.as_bytes()));
    format!("default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'")
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let byte = |at: usize| u32::from(three.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * place)) as usize & 63];
            text.push(if place <= three.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

fn list<'a>(rows: impl Iterator<Item = (&'a str, &'a str)>, out: &mut String) {
    out.push_str("<dl>\n");
    for (name, value) in rows {
        let (name, value) = (escaped(&one_line(name, 100)), escaped(&one_line(value, 1_000)));
        out.push_str(&format!("<dt>{name}</dt><dd>{value}</dd>\n"));
    }
    out.push_str("</dl>\n");
}

fn tell(entry: &Entry, out: &mut String) {
    match entry {
        Entry::Turn(turn) => said(turn, out),
        Entry::Tool { call, result } => tool(call, result.as_deref(), out),
    }
}

fn said(turn: &Turn, out: &mut String) {
    let joined = |one: &Option<String>, other: &Option<String>| {
        [one, other].into_iter().flatten().cloned().collect::<Vec<_>>().join(": ")
    };
    match &turn.body {
        Body::User { text } => article("user", turn, text, out),
        Body::Assistant { text } => article("assistant", turn, text, out),
        Body::Compaction { summary, .. } => {
            article("system", turn, summary.as_deref().unwrap_or_default(), out);
        }
        Body::SubagentStart { name, task, .. } => article("system", turn, &joined(name, task), out),
        Body::SubagentEnd { name, outcome } => {
            article("system", turn, &joined(name, outcome), out);
        }
        Body::Retract(retract) => article("system", turn, &words::retracted(retract), out),
        Body::Session { title: Some(title), .. } => article("system", turn, title, out),
        Body::Thinking { text } | Body::System { text } => folded("system", turn, "", text, out),
        Body::ToolResult { output, .. } => {
            folded("system", turn, &words::outcome(turn), output, out);
        }
        Body::Raw { what, text } => folded("raw", turn, what, text, out),
        Body::Session { .. } | Body::Usage(_) | Body::Note { .. } | Body::ToolCall { .. } => {}
    }
}

fn article(class: &'static str, turn: &Turn, text: &str, out: &mut String) {
    let (class, head) = (classes(class, turn), head(turn));
    out.push_str(&format!("<article class=\"{class}\"><h3>{head}</h3><p>"));
    text_of_others(text, out);
    out.push_str("</p></article>\n");
}

fn folded(class: &'static str, turn: &Turn, what: &str, text: &str, out: &mut String) {
    let (class, head) = (classes(class, turn), head(turn));
    let what = escaped(&one_line(what, GIST));
    out.push_str(&format!("<details class=\"{class}\"><summary>{head} {what}</summary><pre>"));
    text_of_others(text, out);
    out.push_str("</pre></details>\n");
}

fn tool(call: &Turn, result: Option<&Turn>, out: &mut String) {
    let Body::ToolCall { tool, input, .. } = &call.body else { return };
    let class = if result.is_some_and(words::is_failed) { "failed" } else { "system" };
    let outcome = result.map(words::outcome).unwrap_or_default();
    let _ = write!(
        out,
        "<details class=\"{}\"><summary>{} <b>{}</b> <code>{}</code> {}</summary><pre>",
        classes(class, call),
        head(call),
        escaped(&one_line(tool, 100)),
        escaped(&gist(input, GIST)),
        escaped(&outcome),
    );
    text_of_others(&serde_json::to_string_pretty(input).unwrap_or_default(), out);
    out.push_str("</pre>");
    if let Some(Body::ToolResult { output, .. }) = result.map(|result| &result.body) {
        out.push_str("<pre>");
        text_of_others(output, out);
        out.push_str("</pre>");
    }
    out.push_str("</details>\n");
}

/// Of our own words only.
fn classes(class: &'static str, turn: &Turn) -> String {
    match turn.withdrawn {
        Some(_) => format!("{class} withdrawn"),
        None => class.to_owned(),
    }
}

fn head(turn: &Turn) -> String {
    let mut head = words::speaker(turn);
    if let Some(agent) = &turn.agent {
        let _ = write!(head, " · {}", escaped(&one_line(agent, 100)));
    }
    if let Some(at) = turn.at {
        let _ = write!(head, " · {}", words::time(at));
    }
    head
}

/// A text with its lines; what was redacted is marked.
fn text_of_others(text: &str, out: &mut String) {
    let text = harmless(text);
    let mut from = 0;
    for (range, _) in marks(text.as_bytes()) {
        out.push_str(&escaped(&text[from..range.start]));
        out.push_str("<mark>");
        out.push_str(&escaped(&text[range.clone()]));
        out.push_str("</mark>");
        from = range.end;
    }
    out.push_str(&escaped(&text[from..]));
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in harmless(text).chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            letter => safe.push(letter),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_what_everybody_writes() {
        let pairs =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")];
        for (text, encoded) in pairs {
            assert_eq!(base64(text.as_bytes()), encoded);
        }
    }

    #[test]
    fn no_text_makes_a_tag_an_attribute_or_an_entity() {
        let text = "<script>\"'&amp;\u{202e}\u{0}";
        assert_eq!(escaped(text), "&lt;script&gt;&quot;&#39;&amp;amp;");
        let mut out = String::new();
        text_of_others("a <b>[REDACTED:jwt:00112233]</b>", &mut out);
        assert_eq!(out, "a &lt;b&gt;<mark>[REDACTED:jwt:00112233]</mark>&lt;/b&gt;");
    }
}
