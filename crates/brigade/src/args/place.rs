//! Arguments: where a project is, and where it goes.

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
