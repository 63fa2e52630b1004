//! The board: the broadcasts, newest last, for whoever comes by. Reading it leaves every cursor alone.

use serde::Serialize;

use crate::error::Error;
use crate::id::{Mailbox, TaskId};
use crate::key::{Key, Room};
use crate::mail::{Draft, Letter, Mail, Message, Sent, in_order};
use crate::session::Session;
use crate::store::{Depth, Listed};
use crate::task::Word;

/// How many messages are fetched at a time, from the newest back.
const BATCH: usize = 50;
/// Most messages that one look fetches in search of a tag or a task.
const MAX_READ: usize = 5_000;

/// What a reader of the board wants to see.
#[derive(Clone, Debug, Default)]
pub struct Look {
    /// At most so many, the newest.
    pub last: usize,
    pub tag: Option<Word>,
    pub task: Option<TaskId>,
}

/// What stands on the board.
#[derive(Clone, Debug, Serialize)]
pub struct Notes {
    pub messages: Vec<Message>,
    /// There are older ones that were not looked into.
    pub cut: bool,
}

/// The verbs about the board.
#[derive(Debug)]
pub struct Board<'a> {
    session: &'a Session,
}

impl<'a> Board<'a> {
    pub fn new(session: &'a Session) -> Board<'a> {
        Board { session }
    }

    /// Writes on the board: a broadcast, which everybody's inbox has as well.
    pub async fn post(
        &self,
        message: String,
        task: Option<TaskId>,
        tag: Option<Word>,
    ) -> Result<Sent, Error> {
        let draft = Draft { to: Mailbox::Broadcast, message, task, tag, urgent: false };
        Mail::new(self.session).send(draft).await
    }

    /// The newest notes, oldest of them first: a listing, and a request for each note looked into.
    pub async fn read(&self, look: &Look) -> Result<Notes, Error> {
        self.session.touch().await?;
        let listing = self.session.list(&Room::Mailbox(Mailbox::Broadcast), Depth::All).await?;
        let told = listing.store_time;
        let is_note = |row: &Listed| {
            matches!(self.session.layout.parse(&row.path), Some(Key::Message { .. }))
        };
        let mut rows: Vec<Listed> = listing.objects.into_iter().filter(is_note).collect();
        // By the store's clock; which of them are the newest is told by their own stamps then.
        rows.sort_by(|a, b| (b.modified, &b.path).cmp(&(a.modified, &a.path)));
        let mail = Mail::new(self.session);
        let mut messages: Vec<Message> = Vec::new();
        let mut from = 0;
        while from < rows.len().min(MAX_READ) && messages.len() < look.last {
            // A second has many notes: all of one are looked into together.
            let mut to = (from + look.last.clamp(1, BATCH)).min(rows.len());
            while to < rows.len() && rows[to].modified == rows[to - 1].modified {
                to += 1;
            }
            let some = rows[from..to].to_vec();
            let letters = self.session.read_listed::<Letter>(some, told).await?;
            messages.extend(
                letters
                    .into_iter()
                    .filter(|(_, found)| wanted(&found.record.body, look))
                    .filter_map(|(path, found)| mail.message(&path, found, false)),
            );
            from = to;
        }
        let mut messages = in_order(messages);
        let older = messages.len().saturating_sub(look.last);
        messages.drain(..older);
        Ok(Notes { messages, cut: older > 0 || from < rows.len() })
    }
}

fn wanted(letter: &Letter, look: &Look) -> bool {
    (look.tag.is_none() || letter.tag == look.tag)
        && (look.task.is_none() || letter.task == look.task)
}
