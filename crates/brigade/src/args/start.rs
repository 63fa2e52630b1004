//! Arguments: what begins a project and what looks at all of it.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueHint};

use super::parse_span;

#[derive(Debug, Args)]
pub struct Init {
    /// Which store: aws, r2, b2, wasabi, tigris, digitalocean, scaleway, minio, ceph, seaweedfs,
    /// garage, rustfs, gcs, azure, hf, or dir; told by the other options when left out
    #[arg(long, value_name = "STORE")]
    pub backend: Option<String>,
    /// The bucket, with a prefix if you like: team/agents; at Hugging Face user/name. Made when it is
    /// not there
    #[arg(long, value_name = "NAME")]
    pub bucket: Option<String>,
    /// R2's account id, or Azure's storage account
    #[arg(long, value_name = "ACCOUNT", requires = "backend")]
    pub account: Option<String>,
    /// At Hugging Face: a bucket that everybody can read. Without it a private one is made
    #[arg(long, requires = "backend")]
    pub public: bool,
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
    /// Carry a copy on in a bucket, in the background: s3://, gs://, az:// or a folder. With a local
    /// project --endpoint, --region and the keys are the copy's
    #[arg(long, value_name = "ADDRESS")]
    pub replica: Option<String>,
    /// How long a lease lasts: 90s, 15m, 2h (1m to 24h)
    #[arg(long, value_name = "TIME", value_parser = parse_span)]
    pub ttl: Option<Duration>,
    /// Number tasks with this prefix: myapp makes myapp-1, myapp-2, …
    #[arg(long, value_name = "PREFIX", conflicts_with = "id")]
    pub prefix: Option<String>,
    /// Number tasks like this one: T-0001
    #[arg(long, value_name = "EXAMPLE")]
    pub id: Option<String>,
    /// From so many reviews on a task is turned to a person (0: never)
    #[arg(long, value_name = "N")]
    pub review_limit: Option<u32>,
    /// Keep the project where git sees it, so that it is committed with the code
    #[arg(long, conflicts_with = "bucket")]
    pub git: bool,
    /// Go on with a store that lost races in the proof; every claim then says that it is best effort
    #[arg(long)]
    pub allow_racy_store: bool,
    /// Sign all that you write; makes a key for it when you have none (see 'keys')
    #[arg(long)]
    pub sign: bool,
    /// Have everything marked that is not signed; a new project asks this of all its readers
    #[arg(long, requires = "sign")]
    pub require_signatures: bool,
    /// Also write the block for agents into AGENTS.md or CLAUDE.md, or into this file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub agents_md: Option<Option<PathBuf>>,
    /// With --agents-md: take the block away again, and do nothing else
    #[arg(long, requires = "agents_md")]
    pub remove: bool,
}

#[derive(Debug, Args)]
pub struct Prime {
    /// About how many tokens it may take, at four bytes each
    #[arg(long, value_name = "TOKENS", default_value_t = 2000)]
    pub budget: u32,
}

#[derive(Debug, Args)]
pub struct Demo {
    /// Where to leave the run; a new folder in the temporary folder when left out
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub dir: Option<PathBuf>,
    /// Do not pause between the acts
    #[arg(long)]
    pub fast: bool,
    /// Play one part; this is how the demo starts its agents.
    #[arg(long, hide = true, value_name = "AGENT")]
    pub role: Option<String>,
}

#[derive(Debug, Args)]
pub struct Status {
    /// Stay, and show it again when something has changed
    #[arg(long)]
    pub watch: bool,
    /// With --watch: look at least this often
    #[arg(long, value_name = "TIME", default_value = "5", value_parser = parse_span, requires = "watch")]
    pub interval: Duration,
}

#[derive(Debug, Args)]
pub struct Doctor {
    /// Mend what can be mended safely
    #[arg(long)]
    pub fix: bool,
    /// Leave out the race
    #[arg(long)]
    pub quick: bool,
    /// Read every artifact and check its hash
    #[arg(long)]
    pub deep: bool,
}

#[derive(Debug, Args)]
pub struct Completions {
    pub shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub struct Man {
    /// Write one page per command into this folder
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub dir: Option<PathBuf>,
}
