//! A session as Markdown: what was said in quotes, so that nothing said can pass for a part of the
//! document, and what tools got and gave in code blocks.

use super::about::{About, Voice};
use super::entry::{Entry, Pairs};
use super::gist::gist;
use super::retelling::Form;
use super::tally::Tally;
use super::words;
use crate::text::{harmless, one_line};
use crate::transcript::turn::{Body, Turn};

/// Longest gist of a call in its heading.
const GIST: usize = 100;

#[derive(Default)]
pub struct Markdown {
    pairs: Pairs,
}

impl Form for Markdown {
    fn begin(&mut self, about: &About, out: &mut String) {
        out.push_str(&format!("# {}\n\n", inline(&about.name())));
        for (name, value) in words::facts(about) {
            out.push_str(&format!("- {name}: {}\n", inline(&value)));
        }
    }

    fn voice(&mut self, voice: &Voice, out: &mut String) {
        self.drain(true, out);
        let name = voice.agent.as_deref().unwrap_or(&voice.source);
        out.push_str(&format!("\n## Subagent {}\n", inline(name)));
    }

    fn turn(&mut self, turn: Turn, out: &mut String) {
        self.pairs.push(turn);
        self.drain(false, out);
    }

    fn end(&mut self, tally: &Tally, out: &mut String) {
        self.drain(true, out);
        out.push_str("\n## Sums\n\n");
        for (name, value) in words::sums(tally) {
            out.push_str(&format!("- {}: {}\n", inline(&name), inline(&value)));
        }
    }
}

impl Markdown {
    fn drain(&mut self, as_it_is: bool, out: &mut String) {
        while let Some(entry) = self.pairs.next(as_it_is) {
            tell(&entry, out);
        }
    }
}

fn tell(entry: &Entry, out: &mut String) {
    match entry {
        Entry::Turn(turn) => said(turn, out),
        Entry::Tool { call, result } => tool(call, result.as_deref(), out),
    }
}

fn said(turn: &Turn, out: &mut String) {
    let text = match &turn.body {
        Body::User { text }
        | Body::Assistant { text }
        | Body::Thinking { text }
        | Body::System { text } => quote(text),
        Body::Compaction { summary, .. } => quote(summary.as_deref().unwrap_or_default()),
        Body::SubagentStart { name, task, .. } => {
            quote(&[name, task].into_iter().flatten().cloned().collect::<Vec<_>>().join(": "))
        }
        Body::SubagentEnd { name, outcome } => {
            quote(&[name, outcome].into_iter().flatten().cloned().collect::<Vec<_>>().join(": "))
        }
        Body::Retract(retract) => quote(&words::retracted(retract)),
        Body::ToolResult { output, .. } => fence(output, ""),
        Body::Raw { what, text } => format!("{}\n\n{}", inline(what), fence(text, "")),
        Body::Session { title: Some(title), .. } => format!("{}\n", inline(title)),
        Body::Session { .. } | Body::Usage(_) | Body::Note { .. } | Body::ToolCall { .. } => return,
    };
    heading(turn, "", out);
    out.push_str(&text);
}

fn tool(call: &Turn, result: Option<&Turn>, out: &mut String) {
    let Body::ToolCall { tool, input, .. } = &call.body else { return };
    let mut what = format!(" {}", inline(tool));
    let gist = gist(input, GIST);
    if !gist.is_empty() {
        what.push_str(&format!(": {}", inline(&gist)));
    }
    let outcome = result.map(words::outcome).filter(|outcome| !outcome.is_empty());
    what.push_str(&outcome.map_or(String::new(), |outcome| format!(" ({outcome})")));
    heading(call, &what, out);
    let input = serde_json::to_string_pretty(input).unwrap_or_default();
    out.push_str(&fence(&input, "json"));
    if let Some(Body::ToolResult { output, .. }) = result.map(|result| &result.body) {
        out.push('\n');
        out.push_str(&fence(output, ""));
    }
}

fn heading(turn: &Turn, what: &str, out: &mut String) {
    let at = turn.at.map_or(String::new(), |at| format!(" · {}", words::time(at)));
    let agent = turn.agent.as_ref();
    let agent = agent.map_or(String::new(), |agent| format!(" · {}", inline(agent)));
    out.push_str(&format!("\n### {}{what}{agent}{at}\n\n", words::speaker(turn)));
}

/// Words on a line of ours, with nothing in them that Markdown acts on.
fn inline(text: &str) -> String {
    let mut safe = String::new();
    for letter in one_line(text, 300).chars() {
        match letter {
            '<' => safe.push_str("&lt;"),
            '&' => safe.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '!' | '|' | '#' | '~' => {
                safe.push('\\');
                safe.push(letter);
            }
            letter => safe.push(letter),
        }
    }
    safe
}

/// What somebody said, as a quote: headings and rules in it stay inside. Markup that would load or
/// run something is defused.
fn quote(text: &str) -> String {
    let mut quote = String::new();
    for line in harmless(text).lines() {
        let line = defused(line);
        quote.push_str(if line.is_empty() { ">" } else { "> " });
        quote.push_str(&line);
        quote.push('\n');
    }
    quote
}

/// Without tags and pictures. A link is only followed by who clicks it.
fn defused(line: &str) -> String {
    let mut safe = String::with_capacity(line.len());
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        let next = letters.peek().copied().unwrap_or(' ');
        match letter {
            '<' if next.is_ascii_alphabetic() || "/!?".contains(next) => safe.push_str("&lt;"),
            '!' if next == '[' => safe.push_str("!\\"),
            letter => safe.push(letter),
        }
    }
    safe
}

/// Text as it is, in a block that it cannot end.
fn fence(text: &str, language: &str) -> String {
    let text = harmless(text);
    let ticks = "`".repeat((longest_run(&text, '`') + 1).max(3));
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    format!("{ticks}{language}\n{text}{end}{ticks}\n")
}

fn longest_run(text: &str, of: char) -> usize {
    let mut longest = 0;
    let mut run = 0;
    for letter in text.chars() {
        run = if letter == of { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_stays_in_its_quote_and_loads_nothing() {
        let said = "hi\n\n# Sums\n<img src=x onerror=y> ![p](http://x) a < b\n</details>\r\n---";
        let quoted = quote(said);
        assert!(quoted.lines().all(|line| line.starts_with('>')), "{quoted}");
        assert!(quoted.contains("> # Sums\n> &lt;img src=x onerror=y> !\\[p](http://x) a < b"));
    }

    #[test]
    fn no_text_ends_its_block() {
        let block = fence("a\n```\n````\nb", "");
        assert!(block.starts_with("`````\n") && block.ends_with("\nb\n`````\n"), "{block}");
        assert_eq!(inline("a<b>\n[x](y) *z* &lt;"), "a&lt;b> \\[x\\](y) \\*z\\* &amp;lt;");
    }
}
