//! `session compact`: many parts of a session become few objects.

use brigade_core::error::Error;
use brigade_core::mirror::Compacted;
use brigade_core::text::counted;

use crate::args;
use crate::context::Context;
use crate::report::Plain;

pub async fn compact(ctx: &Context, args: args::session::Compact) -> Result<(), Error> {
    let compacted = ctx
        .with_project(async |project| {
            let id = project.sessions().find(args.harness.as_ref(), &args.id).await?;
            project.sessions().compact(&id, args.keep_tail).await
        })
        .await?;
    ctx.report.answer(&compacted)
}

impl Plain for Compacted {
    fn plain(&self) -> String {
        let mut words = match self.merged_parts {
            0 => "nothing was left to merge".to_owned(),
            parts => {
                format!(
                    "merged {}: {}, {}",
                    counted(parts, "part"),
                    counted(self.records, "record"),
                    counted(self.bytes, "byte")
                )
            }
        };
        if self.deleted > 0 {
            words += &format!("; {} taken away", counted(self.deleted, "object"));
        }
        if let Some(path) = &self.transcript {
            words += &format!("\nthe transcript as one file: {path}");
        }
        words
    }
}
