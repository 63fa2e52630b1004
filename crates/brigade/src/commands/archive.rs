//! `archive`.

use std::fmt::Write;

use brigade_core::error::Error;
use brigade_core::task::{Archive, Archiving};
use brigade_core::text::counted;

use crate::args;
use crate::context::Context;
use crate::report::Plain;

/// How many tasks are told in words; `--json` has all.
const TOLD: usize = 20;

pub async fn archive(ctx: &Context, args: args::Archive) -> Result<(), Error> {
    let wish = Archive { older_than: args.older_than, dry_run: args.dry_run };
    let done = ctx.with_project(async |project| project.tasks().archive(&wish).await).await?;
    ctx.report.answer(&done)
}

impl Plain for Archiving {
    fn plain(&self) -> String {
        let mut out = match (self.archived.len(), self.dry_run) {
            (0, _) => "Nothing to archive".to_owned(),
            (tasks, true) => format!("Would archive {}", counted(tasks, "task")),
            (tasks, false) => format!("Archived {}", counted(tasks, "task")),
        };
        if !self.archived.is_empty() {
            let _ = write!(
                out,
                ": {}, {}",
                counted(self.objects, "object"),
                counted(self.bytes, "byte")
            );
            if !self.dry_run {
                let _ = write!(out, ", in {}", counted(self.segments.len(), "segment"));
            }
            for id in self.archived.iter().take(TOLD) {
                let _ = write!(out, "\n  {id}");
            }
            if let Some(more @ 1..) = self.archived.len().checked_sub(TOLD) {
                let _ = write!(out, "\n  … and {more} more");
            }
        }
        if self.swept > 0 {
            let _ = write!(
                out,
                "\nTook away {} that an earlier run had left",
                counted(self.swept, "object")
            );
        }
        for skipped in &self.skipped {
            let _ = write!(out, "\nNot {}: {}", skipped.id, skipped.why);
        }
        out
    }
}
