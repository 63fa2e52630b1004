//! How a copy stands, from what this machine knows of it.

use brigade_core::doctor::Check;
use brigade_core::error::Error;
use brigade_core::house::{Behind, Flushed, Verified};
use brigade_core::store::open;
use brigade_core::text::counted;
use jiff::Timestamp;
use serde::Serialize;

use crate::config;
use crate::context::{Context, Site};
use crate::replica::Desk;
use crate::report::Plain;

/// How a copy stands.
#[derive(Debug, Serialize)]
pub struct Standing {
    /// `null` when there is none.
    pub replica: Option<String>,
    /// Where the project itself is: the truth.
    pub truth: String,
    pub trusted: bool,
    pub as_of: Option<Timestamp>,
    pub objects: u64,
    pub bytes: u64,
    pub behind: Option<Behind>,
    pub kept: u64,
    pub tried_at: Option<Timestamp>,
    pub failures: u32,
    pub error: Option<String>,
    /// Of this run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flushed: Option<Flushed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verified: Option<Verified>,
}

pub async fn standing(ctx: &Context, site: &Site) -> Result<Standing, Error> {
    let truth = config::place_name(&site.place);
    let named = match &site.folder {
        Some(folder) => site.config.replica_place(folder)?,
        None => None,
    };
    let mut standing = Standing {
        replica: named.as_ref().map(config::place_name),
        truth,
        trusted: true,
        as_of: None,
        objects: 0,
        bytes: 0,
        behind: None,
        kept: 0,
        tried_at: None,
        failures: 0,
        error: None,
        flushed: None,
        verified: None,
    };
    let Some(place) = named else { return Ok(standing) };
    standing.trusted = config::is_trusted(&ctx.env, &place)?;
    let desk = Desk::of(ctx, site, &place);
    let (cursor, last) = (desk.cursor(), desk.last());
    let identity = ctx.identity(site)?;
    let here = open::open(&site.place, &ctx.credentials(&site.place)?, ctx.world.clone())?;
    let project = ctx.looker(site, &identity, here)?;
    standing.behind = Some(project.replica().behind(&cursor).await?);
    standing.as_of = cursor.as_of;
    (standing.objects, standing.bytes, standing.kept) =
        (cursor.objects.len() as u64, cursor.bytes(), cursor.kept);
    (standing.tried_at, standing.failures, standing.error) =
        (last.tried_at, last.failures, last.error);
    Ok(standing)
}

/// What `doctor` says of the copy of the project that it examines.
pub async fn check(ctx: &Context, site: &Site) -> Option<Check> {
    site.config.replica.as_ref().filter(|_| !ctx.is_elsewhere())?;
    let standing = match standing(ctx, site).await {
        Ok(standing) => standing,
        Err(error) => return Some(Check::warn("replica", error.to_string())),
    };
    let words = standing.plain().replace('\n', "; ");
    let lacks = standing.behind.is_some_and(|behind| behind.objects + behind.deletions > 0);
    Some(if standing.failures > 0 || !standing.trusted || standing.kept > 0 || lacks {
        Check::warn("replica", words).hint("'brigade store replicate' carries it on now")
    } else {
        Check::ok("replica", words)
    })
}

impl Plain for Standing {
    fn plain(&self) -> String {
        let Some(replica) = &self.replica else {
            return format!("No copy is carried on; the project is in {}", self.truth);
        };
        let size = |bytes| indicatif::HumanBytes(bytes).to_string();
        let mut words =
            format!("The project is in {}, the truth; a copy is in {replica}", self.truth);
        if !self.trusted {
            words += "\nNothing goes there: the place is not trusted ('brigade trust')";
        }
        words += &match self.as_of {
            Some(at) => format!(
                "\nThe copy is as of {}: {}, {}",
                at.strftime("%Y-%m-%d %H:%M:%SZ"),
                counted(self.objects, "object"),
                size(self.bytes)
            ),
            None => "\nThe copy is not whole yet".to_owned(),
        };
        words += &match self.behind {
            Some(Behind { objects: 0, deletions: 0, .. }) => {
                ", and nothing is left to take there".into()
            }
            Some(Behind { objects, bytes, deletions }) => {
                format!(
                    "\nBehind by {}, {}, and {}",
                    counted(objects, "object"),
                    size(bytes),
                    counted(deletions, "deletion")
                )
            }
            None => String::new(),
        };
        if self.kept > 0 {
            words += &format!(
                "\nGone from the project, not deleted by brigade, and kept in the copy: {} ('brigade \
                 doctor')",
                counted(self.kept, "object")
            );
        }
        if let Some(error) = self.error.as_ref().filter(|_| self.failures > 0) {
            words += &format!(
                "\nIt could not be carried on, {} in a row: {error}",
                counted(self.failures, "time")
            );
        }
        if let Some(Flushed { sent, sent_bytes, deleted, lost_there, .. }) = &self.flushed {
            words += &format!(
                "\nNow: {} sent, {}; {deleted} deleted; {lost_there} found missing there",
                counted(*sent, "object"),
                size(*sent_bytes)
            );
        }
        if let Some(Verified { equal, differing, behind, only_there }) = &self.verified {
            words += &format!(
                "\nRead back: {equal} equal, {} differing, {} behind, {only_there} only there",
                differing.len(),
                behind.len()
            );
            for path in differing.iter().take(20) {
                words += &format!("\n  differs: {path}");
            }
        }
        words
    }
}
