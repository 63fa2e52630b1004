//! Records in, entries out, in order and within bounded memory.

use super::about::Voice;
use super::entry::{Entry, Pairs};
use super::tally::Tally;
use crate::transcript::adapter::{self, Adapter};
use crate::transcript::reader::Part;
use crate::transcript::timeline::Timeline;
use crate::transcript::turn::Turn;

/// Turns that are held back because a later record may still change them. Sessions are rarely
/// larger than this; of a larger one the beginning is told before its end is known.
pub const WINDOW: usize = 32 * 1024 * 1024;

/// Folds the records of one session, source by source.
pub struct Conversation {
    turns: Turns,
    pairs: Pairs,
}

/// Records in, turns out: what both the conversation and the documents are made of.
pub struct Turns {
    adapter: &'static dyn Adapter,
    window: usize,
    voice: Option<Voice>,
    timeline: Timeline,
    tally: Tally,
}

impl Conversation {
    pub fn new(adapter: &'static dyn Adapter) -> Conversation {
        Conversation { turns: Turns::new(adapter, WINDOW), pairs: Pairs::default() }
    }

    /// The records that follow are this one's. Gives what was left of the voice before.
    pub fn voice(&mut self, voice: Voice) -> Vec<Entry> {
        let last = self.turns.voice(voice);
        if last.is_empty() { Vec::new() } else { self.told(last, true) }
    }

    /// Gives the entries that nothing can change any more.
    pub fn record(&mut self, part: Part, bytes: &[u8]) -> Vec<Entry> {
        self.turns.record(part, bytes);
        let settled = self.turns.settled();
        self.told(settled, false)
    }

    /// Everything that was held back, as it is now.
    pub fn flush(&mut self) -> Vec<Entry> {
        let rest = self.turns.flush();
        self.told(rest, true)
    }

    /// The sums of all entries that were given.
    pub fn tally(&self) -> &Tally {
        &self.turns.tally
    }

    fn told(&mut self, turns: Vec<Turn>, as_it_is: bool) -> Vec<Entry> {
        let mut entries = Vec::new();
        for turn in turns {
            self.pairs.push(turn);
            while let Some(entry) = self.pairs.next(false) {
                entries.push(entry);
            }
        }
        while as_it_is && let Some(entry) = self.pairs.next(true) {
            entries.push(entry);
        }
        entries
    }
}

impl Turns {
    pub fn new(adapter: &'static dyn Adapter, window: usize) -> Turns {
        Turns {
            adapter,
            window,
            voice: None,
            timeline: Timeline::default(),
            tally: Tally::default(),
        }
    }

    /// Whether another one speaks from here on, and not only another source of the same one.
    pub fn is_another(&self, voice: &Voice) -> bool {
        self.voice.as_ref().is_some_and(|known| known.agent != voice.agent)
    }

    pub fn voice(&mut self, voice: Voice) -> Vec<Turn> {
        let rest = if self.is_another(&voice) { self.flush() } else { Vec::new() };
        self.voice = Some(voice);
        rest
    }

    pub fn record(&mut self, part: Part, bytes: &[u8]) {
        let agent = self.voice.as_ref().and_then(|voice| voice.agent.as_deref());
        for turn in adapter::turns_of(self.adapter, agent, part, bytes) {
            self.timeline.push(turn);
        }
    }

    pub fn settled(&mut self) -> Vec<Turn> {
        let settled = self.timeline.settled(self.window);
        settled.iter().for_each(|turn| self.tally.add(turn));
        settled
    }

    pub fn flush(&mut self) -> Vec<Turn> {
        let rest = self.timeline.settled(0);
        rest.iter().for_each(|turn| self.tally.add(turn));
        self.tally.source_ended();
        rest
    }

    pub fn tally(&self) -> &Tally {
        &self.tally
    }
}
