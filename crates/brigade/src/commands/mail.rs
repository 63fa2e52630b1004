//! `send` and `inbox`.

use std::collections::BTreeSet;
use std::time::Duration;

use brigade_core::Project;
use brigade_core::error::Error;
use brigade_core::id::Mailbox;
use brigade_core::mail::{Delivery, Draft, Message, Reading, Sent};
use brigade_core::text::{counted, indented, one_line};
use serde::Serialize;

use super::{input, secrets};
use crate::args;
use crate::context::Context;
use crate::report::Plain;

/// How long a following reader waits between two looks at a store that cannot tell it.
const FOLLOW_PAUSE: Duration = Duration::from_secs(2);

pub async fn send(ctx: &Context, args: args::Send) -> Result<(), Error> {
    let message = secrets::message(ctx, &args.secrets, input::text(&args.message)?)?;
    let draft = Draft { to: args.to, message, task: args.step, tag: None, urgent: args.urgent };
    let sent = ctx.with_project(async |p| p.mail().send(draft).await).await?;
    ctx.report.answer(&sent)
}

pub async fn inbox(ctx: &Context, args: args::Inbox) -> Result<(), Error> {
    if let Some(id) = &args.acked_by {
        let by = ctx.with_project(async |p| p.mail().acknowledged_by(id).await).await?;
        return ctx.report.answer(&AckedBy { id: id.clone(), acknowledged_by: by });
    }
    if let Some(id) = &args.ack {
        let ids = ctx.with_project(async |p| acknowledge(p, id).await).await?;
        return ctx.report.answer(&Acked { acknowledged: ids });
    }
    ctx.with_project(async |project| {
        if args.follow {
            follow(ctx, project, &args).await
        } else {
            once(ctx, project, &args).await
        }
    })
    .await
}

async fn once(ctx: &Context, project: &Project, args: &args::Inbox) -> Result<(), Error> {
    let mail = project.mail();
    let reading = if args.new || args.peek { Reading::New } else { Reading::All };
    let delivery = mail.read(reading, args.step.as_ref()).await?;
    let shown = shown(&delivery, args);
    let left_out = wanted(&delivery, args).count() - shown.len();
    let mut answer = Inbox { messages: shown, left_out, new: args.new || args.peek, deleted: None };
    // Shown first, marked or deleted second: whoever dies in between is shown it again. So the answer
    // says how many are about to go, and one that could not be deleted is an error after it.
    if args.delete && ctx.report.is_json() {
        let is_direct = |message: &&Message| matches!(message.to, Mailbox::Agent(_));
        answer.deleted = Some(delivery.messages.iter().filter(is_direct).count());
        ctx.report.document(&answer)?;
    } else if args.delete {
        let all = answer.messages.clone();
        quoting(ctx, all.len(), || ctx.report.lines(&lines(&all)))?;
    } else {
        quoting(ctx, answer.messages.len(), || ctx.report.answer(&answer))?;
    }
    if args.new && shows_all(args) {
        mail.delivered(&delivery).await?;
    }
    if args.delete {
        let gone = mail.delete(&delivery).await?;
        if !ctx.report.is_json() {
            let words = format!("Deleted {gone} direct message(s); broadcasts left in place.");
            ctx.report.lines(&words)?;
        }
    }
    Ok(())
}

async fn follow(ctx: &Context, project: &Project, args: &args::Inbox) -> Result<(), Error> {
    let mail = project.mail();
    let mut told = BTreeSet::new();
    loop {
        let delivery = mail.read(Reading::New, args.step.as_ref()).await?;
        let fresh: Vec<&Message> =
            wanted(&delivery, args).filter(|message| told.insert(message.id.clone())).collect();
        quoting(ctx, fresh.len(), || {
            fresh.iter().try_for_each(|message| match ctx.report.is_json() {
                true => ctx.report.row(message),
                false => ctx.report.lines(&line(message)),
            })
        })?;
        if shows_all(args) {
            mail.delivered(&delivery).await?;
            told.clear();
        }
        ctx.tell_notices(project);
        mail.wait(FOLLOW_PAUSE).await;
    }
}

/// Shows messages as what they are. Who a message says it is from proves nothing, so one that seems
/// to be the reader's own is no exception.
pub(super) fn quoting(
    ctx: &Context,
    count: usize,
    say: impl FnOnce() -> Result<(), Error>,
) -> Result<(), Error> {
    let what = match count {
        0 => return say(),
        count => counted(count, "message"),
    };
    ctx.report.quoting(&what, &*ctx.world.entropy, say)
}

/// Whoever was shown a part has not read the rest: nothing is marked as read then.
fn shows_all(args: &args::Inbox) -> bool {
    args.step.is_none() && !args.urgent
}

async fn acknowledge(project: &Project, id: &str) -> Result<Vec<String>, Error> {
    let mail = project.mail();
    if id != "all" {
        mail.acknowledge(id).await?;
        return Ok(vec![id.into()]);
    }
    let delivery = mail.read(Reading::New, None).await?;
    let mut ids = Vec::new();
    for message in &delivery.messages {
        mail.acknowledge(&message.id).await?;
        ids.push(message.id.clone());
    }
    mail.delivered(&delivery).await?;
    Ok(ids)
}

fn wanted<'a>(delivery: &'a Delivery, args: &args::Inbox) -> impl Iterator<Item = &'a Message> {
    let urgent_only = args.urgent;
    delivery.messages.iter().filter(move |message| !urgent_only || message.urgent)
}

/// The newest ones, urgent news first.
fn shown(delivery: &Delivery, args: &args::Inbox) -> Vec<Message> {
    let all: Vec<&Message> = wanted(delivery, args).collect();
    // What is marked as read or deleted is shown whole, however much it is.
    let from = if args.new || args.delete { 0 } else { all.len().saturating_sub(args.limit) };
    let mut shown: Vec<Message> = all[from..].iter().map(|message| (*message).clone()).collect();
    shown.sort_by_key(|message| !(message.urgent && message.new));
    shown
}

fn lines(messages: &[Message]) -> String {
    messages.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// One message; its text is somebody else's.
pub(super) fn line(message: &Message) -> String {
    let kind = match message.to {
        Mailbox::Broadcast => "broadcast",
        Mailbox::Agent(_) => "direct",
    };
    let urgent = if message.urgent { ", urgent" } else { "" };
    let task = message.task.as_ref().map_or(String::new(), |task| format!(" [{task}]"));
    let tag = message.tag.as_ref().map_or(String::new(), |tag| format!(" #{}", tag.as_str()));
    let mark = message.origin.mark().map_or(String::new(), |mark| format!(", {mark}"));
    let text = indented(message.origin.quote(&message.message), "    ");
    let at = message.at.strftime("%Y-%m-%dT%H:%M:%SZ");
    format!("[{at}] ({kind}{urgent}{mark}) {}{task}{tag}: {text}", message.from)
}

#[derive(Serialize)]
struct Inbox {
    messages: Vec<Message>,
    /// Older ones that --limit left out.
    left_out: usize,
    #[serde(skip)]
    new: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted: Option<usize>,
}

impl Plain for Inbox {
    fn plain(&self) -> String {
        if self.messages.is_empty() {
            return if self.new { "No new messages." } else { "No messages." }.into();
        }
        let older = match self.left_out {
            0 => String::new(),
            n => format!("({n} older messages are not shown; --limit shows more)\n"),
        };
        format!("{older}{}", lines(&self.messages))
    }
}

#[derive(Serialize)]
struct Acked {
    acknowledged: Vec<String>,
}

impl Plain for Acked {
    fn plain(&self) -> String {
        match self.acknowledged.as_slice() {
            [] => "Nothing to acknowledge.".into(),
            [id] => format!("Acknowledged {id}"),
            ids => format!("Acknowledged {} messages", ids.len()),
        }
    }
}

#[derive(Serialize)]
struct AckedBy {
    id: String,
    acknowledged_by: Vec<brigade_core::id::AgentId>,
}

impl Plain for AckedBy {
    fn plain(&self) -> String {
        let names: Vec<&str> = self.acknowledged_by.iter().map(|agent| agent.as_str()).collect();
        if names.is_empty() {
            "Nobody has acknowledged it yet.".into()
        } else {
            format!("Acknowledged by {}", names.join(", "))
        }
    }
}

impl Plain for Sent {
    fn plain(&self) -> String {
        format!("Sent to {}: {}", self.to, one_line(&self.message, 200))
    }
}
