//! brigade: the command line over the library.

use std::process::ExitCode;

use brigade_core::error::{Error, Kind};
use brigade_core::text;
use clap::{CommandFactory, FromArgMatches};

mod agents_md;
mod args;
mod aws;
mod commands;
mod config;
mod context;
mod env;
mod follow;
mod git;
mod identity;
mod place;
mod replica;
mod report;
mod signing;
mod system;
mod top;
mod tree;
mod web;

use args::Cli;
use context::Context;
use env::Env;
use report::Report;

/// Names under which the program is also known, by a symlink.
const ALIASES: [&str; 3] = ["tracecraft", "tracer", "track"];

fn main() -> ExitCode {
    let env = Env::of_this_process();
    let program = called_as(&env);
    let command = Cli::command().name(program).bin_name(program);
    let cli = match command.try_get_matches_from(&env.args).and_then(|m| Cli::from_arg_matches(&m))
    {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => {
            let json = env.args.iter().any(|arg| arg == "--json");
            let report = Report::new(json, program, &env);
            return ExitCode::from(report.failure(&usage_error(&error)));
        }
        Err(help) => {
            // Help that nobody reads to the end (`| head`) is no failure.
            let _ = help.print();
            return ExitCode::SUCCESS;
        }
    };
    let report = Report::new(cli.globals.json, program, &env);
    let again = || {
        let command = Cli::command().name(program).bin_name(program);
        let matches = command.try_get_matches_from(&env.args).ok()?;
        Cli::from_arg_matches(&matches).ok()
    };
    let context = Context {
        env: env.clone(),
        globals: cli.globals,
        report: report.clone(),
        world: system::world(),
        opened: context::Opened::default(),
    };
    let outcome = run(context.clone(), cli.command, &again);
    // The answer is out: what follows delays nobody.
    replica::flush_later(&context);
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(error) => ExitCode::from(report.failure(&error)),
    }
}

fn run(
    context: Context,
    command: Option<args::Command>,
    again: &dyn Fn() -> Option<Cli>,
) -> Result<u8, Error> {
    // One thread: a command waits for one store, and starting more costs more than they save.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| Error::File { doing: "starting".into(), source })?;
    runtime.block_on(follow::wherever_it_is(context, command, again))
}

/// What clap found wrong, without the hostile or endless text that it quotes.
fn usage_error(error: &clap::Error) -> Error {
    let reason = std::error::Error::source(error).map(ToString::to_string);
    let words = reason.unwrap_or_else(|| {
        let rendered = error.render().to_string();
        let end =
            rendered.find("\n\nUsage:").or(rendered.find("\n\nFor more")).unwrap_or(rendered.len());
        rendered[..end].trim_start_matches("error: ").to_owned()
    });
    let lines: Vec<String> = words.lines().map(|line| text::one_line(line, 300)).collect();
    Error::Face {
        kind: Kind::Usage,
        message: lines.join(" ").trim().to_owned(),
        hint: Some("'brigade help <command>' shows how it is typed".into()),
    }
}

/// The last piece of the path by which we were called, when it is one of our names.
fn called_as(env: &Env) -> &'static str {
    let name = env.args.first().and_then(|arg| std::path::Path::new(arg).file_name());
    let name = name.and_then(|name| name.to_str()).unwrap_or_default();
    ALIASES.iter().find(|alias| **alias == name).map_or("brigade", |alias| alias)
}
