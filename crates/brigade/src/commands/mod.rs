//! The verbs as commands: each reads its arguments, calls core, and hands the answer to the report.

use brigade_core::error::Error;
use brigade_core::task::Verdict;

use crate::args::{Artifact, Command, Keys, Memory};
use crate::context::Context;

mod agents;
mod archive;
mod artifact;
mod barrier;
mod board;
mod demo;
mod doctor;
mod events;
mod files;
mod house;
mod hub;
mod init;
pub mod input;
mod issue_words;
mod issues;
mod keys;
mod learn;
mod lists;
mod mail;
mod memory;
mod pages;
mod prime;
mod replay;
mod replica;
mod run;
mod secrets;
mod serve;
mod session;
mod session_export;
mod session_read;
mod session_words;
mod status;
mod store;
mod task;
mod tasks_file;
mod transfer;
mod trust;
mod wait;

/// Runs one command; the number is the exit code.
pub async fn dispatch(mut context: Context, command: Option<Command>) -> Result<u8, Error> {
    let ctx = &mut context;
    match command {
        None => status::stand(ctx).await?,
        Some(command) => match command {
            Command::Init(args) => init::init(ctx, args).await?,
            Command::Demo(args) => demo::demo(ctx, args).await?,
            Command::Status(args) => status::status(ctx, args).await?,
            Command::Top(args) => status::top(ctx, args.interval).await?,
            Command::Prime(args) => prime::prime(ctx, args).await?,
            Command::Learn => learn::learn(ctx)?,
            Command::Doctor(args) => return doctor::doctor(ctx, args).await,
            Command::Claim(args) => task::claim(ctx, args).await?,
            Command::Complete(args) => task::complete(ctx, args).await?,
            Command::Release(args) => task::release(ctx, args).await?,
            Command::Reopen(args) => task::reopen(ctx, args).await?,
            Command::Handoff(args) => task::handoff(ctx, args).await?,
            Command::StepStatus(args) => task::step_status(ctx, args).await?,
            Command::WaitFor(args) => wait::wait_for(ctx, args).await?,
            Command::Barrier(args) => barrier::barrier(ctx, args).await?,
            Command::Run(args) => return run::run(ctx, args).await,
            Command::Files(args) => return files::files(ctx, args).await,
            Command::Create(args) => issues::create(ctx, *args).await?,
            Command::Update(args) => issues::update(ctx, *args).await?,
            Command::List(args) => lists::list(ctx, args).await?,
            Command::Show(args) => lists::show(ctx, args).await?,
            Command::Ready(args) => lists::ready(ctx, args).await?,
            Command::Next(args) => lists::next(ctx, args).await?,
            Command::Blocked(args) => lists::blocked(ctx, args).await?,
            Command::Close(args) => issues::close(ctx, args).await?,
            Command::Review(args) => issues::review(ctx, args).await?,
            Command::Comment(args) => issues::comment(ctx, args).await?,
            Command::Log(args) => issues::log(ctx, args).await?,
            Command::Dep(verb) => issues::dep(ctx, verb).await?,
            Command::Label(verb) => issues::label(ctx, verb).await?,
            Command::Epic(args) => lists::epic(ctx, args).await?,
            Command::Search(args) => lists::search(ctx, args).await?,
            Command::History(args) => lists::history(ctx, args).await?,
            Command::Stats => lists::stats(ctx).await?,
            Command::AskHuman(args) => issues::ask_human(ctx, args).await?,
            Command::Approve(args) => issues::answer(ctx, args, Verdict::Approved).await?,
            Command::Reject(args) => issues::answer(ctx, args, Verdict::Rejected).await?,
            Command::Send(args) => mail::send(ctx, args).await?,
            Command::Inbox(args) => mail::inbox(ctx, args).await?,
            Command::Board(args) => board::board(ctx, args).await?,
            Command::Memory(Memory::Set(args)) => memory::set(ctx, args).await?,
            Command::Memory(Memory::Get(args)) => memory::get(ctx, args).await?,
            Command::Memory(Memory::List(args)) => memory::list(ctx, args).await?,
            Command::Memory(Memory::History(args)) => memory::history(ctx, args).await?,
            Command::Artifact(Artifact::Upload(args)) => artifact::upload(ctx, args).await?,
            Command::Artifact(Artifact::Download(args)) => artifact::download(ctx, args).await?,
            Command::Artifact(Artifact::List(args)) => artifact::list(ctx, args).await?,
            Command::Agents(args) => agents::agents(ctx, args).await?,
            Command::Register(args) => agents::register(ctx, args).await?,
            Command::Deregister(args) => agents::deregister(ctx, args).await?,
            Command::Heartbeat(args) => agents::heartbeat(ctx, args).await?,
            Command::Stale(args) => agents::stale(ctx, args).await?,
            Command::Events(args) => events::events(ctx, args).await?,
            Command::Replay(args) => replay::replay(ctx, args).await?,
            Command::Session(verb) => return session::session(ctx, verb).await,
            Command::Keys(Keys::Generate(args)) => keys::generate(ctx, &args)?,
            Command::Keys(Keys::List) => keys::list(ctx).await?,
            Command::Keys(Keys::Trust(args)) => keys::trust(ctx, &args)?,
            Command::Keys(Keys::Revoke(args)) => keys::revoke(ctx, &args)?,
            Command::Keys(Keys::Require(args)) => keys::require(ctx, &args)?,
            Command::Serve(args) => serve::serve(ctx, args).await?,
            Command::Stop(args) => serve::stop(ctx, args).await?,
            Command::Export(args) => transfer::export(ctx, args).await?,
            Command::Import(args) => return transfer::import(ctx, args).await,
            Command::Archive(args) => archive::archive(ctx, args).await?,
            Command::Bundle(args) => transfer::bundle(ctx, args).await?,
            Command::Restore(args) => transfer::restore(ctx, args).await?,
            Command::Copy(args) => house::copy(ctx, args).await?,
            Command::Move(args) => house::depart(ctx, args).await?,
            Command::Store(args) => store::store(ctx, args).await?,
            Command::Trust => trust::trust(ctx)?,
            Command::Completions(args) => pages::completions(ctx, args)?,
            Command::Man(args) => pages::man(ctx, args)?,
        },
    }
    Ok(0)
}
