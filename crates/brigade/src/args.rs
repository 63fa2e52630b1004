//! The command line as clap reads it: every verb, its arguments as users type them.

use std::time::Duration;

use brigade_core::id::{AgentId, ProjectName};
use brigade_core::store::open::Place;
use clap::{Args, Parser, Subcommand};

mod agents;
pub mod issues;
mod place;
pub mod replay;
pub mod serve;
pub mod session;
pub mod session_read;
mod span;
mod start;
mod talk;
mod transfer;
mod work;

pub use agents::*;
pub use place::*;
pub use span::parse_span;
pub use start::*;
pub use talk::*;
pub use transfer::*;
pub use work::*;

/// The verbs by what one wants to do. A test holds this list against the commands there are.
pub const GROUPS: &str = "\
Start:
  init          Set up a project here: a folder by default, any bucket if you say so
  demo          Watch three agents work together, in a folder made for it
  status        Where everything stands, on one screen
  top           The same on a screen that follows what happens
  prime         What an agent starts with: who it is, what it has, what waits for it
  learn         The commands that an agent needs, by what it wants to do
  doctor        Prove the store, check the logs, mend what can be mended

Work:
  claim         Take a task; exactly one agent can
  complete      Finish a task and hand it off, or mark it blocked or for review
  release       Let go of a task without finishing it
  reopen        Open a closed or blocked task again
  handoff       What the last agent left for the next one
  step-status   Where one task stands
  wait-for      Wait until tasks are complete
  barrier       Wait until so many agents have arrived
  run           Run a command as an agent, and keep its tasks while it runs
  files         Who may edit which files

Plan:
  create        Make a task, or all the tasks of a file
  update        Change tasks: status, fields, labels
  list          The tasks that are not closed, by priority
  show          All there is about a task
  ready         What can be begun now, the best first
  next          The best of it; --claim takes it in one act
  blocked       What cannot be begun, and what it waits for
  close         Close tasks (also 'done')
  review        Put tasks up for review
  comment       Say something about a task
  log           Write a line into a task's work log, or show it
  dep           Who waits for whom
  label         Labels of a task, and all there are
  epic          How far each epic is
  search        Find words in tasks and comments
  history       Every version of a task
  stats         The sums of the project
  ask-human     Turn a task to a person
  approve       A person's yes
  reject        A person's no

Talk:
  send          Send a message to an agent, or to _broadcast
  inbox         Read your messages
  board         Write to everybody, or read what was written to everybody
  memory        Values that all agents share, with their history
  artifact      Files that agents pass on

Agents:
  agents        Who is here, and what they hold
  register      Say who you are and what you can do
  deregister    Sign off
  heartbeat     Say that you are alive (every command does this by itself)
  stale         Find agents that are gone, and take back what they held

Look back:
  events        The journal: every act, refusals included
  replay        The run as a story; --html makes a file to look at
  session       Transcripts of agents' sessions, mirrored into the project
  serve         The run in your browser: what needs you, the board, mail, files, memory
  stop          End the dashboard that runs in the background

In and out:
  export        Tasks as issues, one a line, as beads and Tracer read them
  import        Work from beads, Tracer, .track or tracecraft
  archive       Put what closed tasks no longer need at hand into few objects
  bundle        The whole project in one file
  restore       A project out of such a file
  copy          The project again in another place, as one of its own
  move          The project goes to another place for good, and everybody follows

Set-up:
  store         Where everything is, how large it is, and what it costs
  keys          Sign what you write, and say whose signatures count
  trust         Allow the place that this project's config names
  completions   Completions for your shell
  man           Manual pages
";

const TEMPLATE: &str =
    "{about}\n\n{usage-heading} {usage}\n\n{before-help}Options:\n{options}{after-help}";

#[derive(Debug, Parser)]
#[command(
    name = "brigade",
    version,
    about = "Coordinates many agents through storage that you own: a folder or a bucket, no server.",
    help_template = TEMPLATE,
    before_help = GROUPS,
    after_help = "\n'brigade' alone shows where you stand and what to do next. 'brigade help <command>' has more.\nExit codes: 0 done, 2 usage, 3 not found, 4 held by somebody else, 5 outcome unknown, 6 blocked, 7 timed out, 8 store, 9 data, 10 not set up.",
    subcommand_required = false,
    arg_required_else_help = false,
    disable_help_subcommand = false,
    max_term_width = 100
)]
pub struct Cli {
    #[command(flatten)]
    pub globals: Globals,
    #[command(subcommand)]
    pub command: Option<Command>,
}

#[derive(Clone, Debug, Default, Args)]
pub struct Globals {
    /// Who acts (else BRIGADE_AGENT, TRACECRAFT_AGENT, TRACE_ACTOR, the harness, init, $USER)
    #[arg(long, global = true, visible_alias = "actor", value_name = "NAME")]
    pub agent: Option<AgentId>,
    /// Answer with one JSON document
    #[arg(long, global = true)]
    pub json: bool,
    /// Another store than the project's: a path, s3://, gs:// or az:// address
    #[arg(long, global = true, value_name = "ADDRESS")]
    pub store: Option<String>,
    /// Where the bucket's server is, when it is not the cloud's own
    #[arg(long, global = true, value_name = "URL")]
    pub endpoint: Option<String>,
    /// Another project than the config's
    #[arg(long, global = true, value_name = "NAME")]
    pub project: Option<ProjectName>,
    /// Filled by the commands that know it.
    #[arg(skip)]
    pub lease_ttl: Option<Duration>,
    /// Filled by the commands that know it.
    #[arg(skip)]
    pub capabilities: Vec<String>,
    /// Filled when the project was found to have moved there, for the rest of this run.
    #[arg(skip)]
    pub moved_to: Option<Place>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Set up a project here: a folder by default, any bucket if you say so
    Init(Init),
    /// Watch three agents work together, in a folder made for it
    Demo(Demo),
    /// Where everything stands, on one screen
    Status(Status),
    /// The same on a screen that follows what happens
    Top(replay::Top),
    /// What an agent starts with: who it is, what it has, what waits for it
    Prime(Prime),
    /// The commands that an agent needs, by what it wants to do
    Learn,
    /// Prove the store, check the logs, mend what can be mended
    Doctor(Doctor),
    /// Take a task; exactly one agent can
    Claim(Claim),
    /// Finish a task and hand it off, or mark it blocked or for review
    Complete(Complete),
    /// Let go of a task without finishing it
    Release(Release),
    /// Open a closed or blocked task again
    Reopen(Reopen),
    /// What the last agent left for the next one
    Handoff(OneTask),
    /// Where one task stands
    StepStatus(OneTask),
    /// Wait until tasks are complete
    WaitFor(WaitFor),
    /// Wait until so many agents have arrived
    Barrier(Barrier),
    /// Run a command as an agent, and keep its tasks while it runs
    Run(Run),
    /// Who may edit which files
    Files(Files),
    /// Make a task, or all the tasks of a file
    Create(Box<issues::Create>),
    /// Change tasks: status, fields, labels
    Update(Box<issues::Update>),
    /// The tasks that are not closed, by priority
    List(issues::ListTasks),
    /// All there is about a task
    Show(issues::Show),
    /// What can be begun now, the best first
    Ready(issues::Ready),
    /// The best of it; --claim takes it in one act
    Next(issues::Next),
    /// What cannot be begun, and what it waits for
    Blocked(issues::Ready),
    /// Close tasks (also 'done')
    #[command(alias = "done")]
    Close(issues::Close),
    /// Put tasks up for review
    Review(issues::Review),
    /// Say something about a task
    Comment(issues::CommentOn),
    /// Write a line into a task's work log, or show it
    Log(issues::LogLine),
    /// Who waits for whom
    #[command(subcommand)]
    Dep(issues::Dep),
    /// Labels of a task, and all there are
    #[command(subcommand)]
    Label(issues::LabelVerb),
    /// How far each epic is
    Epic(issues::Epic),
    /// Find words in tasks and comments
    Search(issues::Search),
    /// Every version of a task
    History(OneTask),
    /// The sums of the project
    Stats,
    /// Turn a task to a person
    AskHuman(issues::Ask),
    /// A person's yes
    Approve(issues::Answer),
    /// A person's no
    Reject(issues::Answer),
    /// Send a message to an agent, or to _broadcast
    Send(Send),
    /// Read your messages
    Inbox(Inbox),
    /// Write to everybody, or read what was written to everybody
    Board(Board),
    /// Values that all agents share, with their history
    #[command(subcommand)]
    Memory(Memory),
    /// Files that agents pass on
    #[command(subcommand)]
    Artifact(Artifact),
    /// Who is here, and what they hold
    Agents(Agents),
    /// Say who you are and what you can do
    Register(Register),
    /// Sign off
    Deregister(Deregister),
    /// Say that you are alive (every command does this by itself)
    Heartbeat(Heartbeat),
    /// Find agents that are gone, and take back what they held
    Stale(Stale),
    /// The journal: every act, refusals included
    Events(Events),
    /// The run as a story; --html makes a file to look at
    Replay(replay::Replay),
    /// Transcripts of agents' sessions, mirrored into the project
    #[command(subcommand)]
    Session(session::Session),
    /// The run in your browser: what needs you, the board, mail, files, memory
    Serve(serve::Serve),
    /// End the dashboard that runs in the background
    Stop(serve::Stop),
    /// Sign what you write, and say whose signatures count
    #[command(subcommand)]
    Keys(Keys),
    /// Tasks as issues, one a line, as beads and Tracer read them
    Export(Export),
    /// Work from beads, Tracer, .track or tracecraft
    Import(Import),
    /// Put what closed tasks no longer need at hand into few objects
    Archive(Archive),
    /// The whole project in one file
    Bundle(Bundle),
    /// A project out of such a file
    Restore(Restore),
    /// The project again in another place, as one of its own
    Copy(Copied),
    /// The project goes to another place for good, and everybody follows
    Move(Moved),
    /// Where everything is, how large it is, and what it costs
    Store(Store),
    /// Allow the place that this project's config names
    Trust,
    /// Completions for your shell
    Completions(Completions),
    /// Manual pages
    Man(Man),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_groups_name_every_command() {
        for command in Cli::command().get_subcommands().filter(|command| !command.is_hide_set()) {
            let line = format!("  {:<13} {}", command.get_name(), command.get_about().unwrap());
            assert!(GROUPS.lines().any(|row| row == line), "{line}");
        }
    }
}
