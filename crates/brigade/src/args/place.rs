//! Arguments: where a project is, and where it goes.

use std::time::Duration;

use clap::{Args, Subcommand};

/// Where a project is to go. `--endpoint` is the server of this place.
#[derive(Debug, Args)]
pub struct Destination {
    #[arg(long, value_name = "REGION")]
    pub region: Option<String>,
    /// Key for the bucket; kept in your own config folder, never in the project
    #[arg(long, value_name = "KEY", requires = "secret_key")]
    pub access_key: Option<String>,
    #[arg(long, value_name = "SECRET", requires = "access_key")]
    pub secret_key: Option<String>,
    /// Use the keys now and keep them nowhere
    #[arg(long)]
    pub no_save_keys: bool,
    /// Say what would go there, and write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Go on with a store that lost races in the proof; every claim then says that it is best effort
    #[arg(long)]
    pub allow_racy_store: bool,
}

#[derive(Debug, Args)]
pub struct Copied {
    /// A folder, s3://, gs:// or az:// address, or 'local' for a free folder in .brigade
    #[arg(value_name = "DEST")]
    pub to: String,
    #[command(flatten)]
    pub destination: Destination,
}

#[derive(Debug, Args)]
pub struct Moved {
    /// A folder, s3://, gs:// or az:// address, or 'local' for a free folder in .brigade
    #[arg(value_name = "DEST", required_unless_present = "follow", conflicts_with = "follow")]
    pub to: Option<String>,
    /// Go where somebody else has moved the project to
    #[arg(long)]
    pub follow: bool,
    #[command(flatten)]
    pub destination: Destination,
}

#[derive(Debug, Args)]
pub struct Store {
    #[command(subcommand)]
    pub verb: Option<StoreVerb>,
}

#[derive(Debug, Subcommand)]
pub enum StoreVerb {
    /// Print a policy for this project's bucket: least rights for an agent, or one of these
    Policy(Policy),
    /// A copy of this project in a bucket or another folder, carried on in the background
    Replica(Replica),
    /// Carry the copy on now
    Replicate(Replicate),
}

/// One side is the truth, and the copy says so: it is looked at, and nobody acts there.
#[derive(Debug, Args)]
pub struct Replica {
    /// Where the copy is to be: a folder, s3://, gs:// or az:// address. Without it: how it stands
    #[arg(value_name = "ADDRESS")]
    pub to: Option<String>,
    /// Carry no copy on any more; what is there stays there
    #[arg(long, conflicts_with_all = ["to", "promote"])]
    pub off: bool,
    /// The project is lost: make a new one here out of the copy
    #[arg(long)]
    pub promote: bool,
    #[arg(long, value_name = "REGION", requires = "to")]
    pub region: Option<String>,
    /// Key for the bucket; kept in your own config folder, never in the project
    #[arg(long, value_name = "KEY", requires = "secret_key", requires = "to")]
    pub access_key: Option<String>,
    #[arg(long, value_name = "SECRET", requires = "access_key")]
    pub secret_key: Option<String>,
}

#[derive(Debug, Args)]
pub struct Replicate {
    /// Stay, and carry on whatever is put
    #[arg(long)]
    pub follow: bool,
    /// With --follow: look at least this often
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = super::parse_span, requires = "follow")]
    pub interval: Duration,
    /// Read both, and compare each object by its hash
    #[arg(long, conflicts_with = "follow")]
    pub verify: bool,
    /// How an act starts this behind itself.
    #[arg(long, hide = true, conflicts_with_all = ["follow", "verify"])]
    pub in_background: bool,
}

#[derive(Debug, Args)]
pub struct Policy {
    /// For somebody who reads everything and writes nothing
    #[arg(long)]
    pub reader: bool,
    /// For the bucket itself: what is written once is never written again
    #[arg(long, conflicts_with = "reader")]
    pub write_once: bool,
}
