//! A folder, a home of its own, and the binary.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A project's folder and a user's home, both gone at the end.
pub struct Stage {
    root: TempDir,
    env: Vec<(&'static str, String)>,
}

/// What a command said.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Stage {
    /// A folder with nothing in it.
    pub fn empty() -> Stage {
        let root = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir_all(root.path().join("work")).expect("a folder in it");
        Stage { root, env: Vec::new() }
    }

    /// A local project, started by `someone`.
    pub fn local() -> Stage {
        let stage = Stage::empty();
        stage.run("someone", &["init", "--project", "stage"]).ok();
        stage
    }

    /// Every command hears this as well.
    pub fn with_env(mut self, name: &'static str, value: &str) -> Stage {
        self.env.push((name, value.to_owned()));
        self
    }

    /// A project of its own on each store there is: a folder always, and the servers that the
    /// environment names. What is skipped is said.
    pub fn on_every_store() -> Vec<(String, Stage)> {
        let mut stages = vec![("folder".to_owned(), Stage::local())];
        for variable in ["BRIGADE_TEST_S3", "BRIGADE_TEST_S3_ALSO"] {
            match std::env::var(variable) {
                Ok(endpoint) if !endpoint.is_empty() => {
                    let stage = Stage::empty();
                    let project = format!("p{}", stage.name());
                    stage
                        .run(
                            "someone",
                            &[
                                "init",
                                "--project",
                                &project,
                                "--endpoint",
                                &endpoint,
                                "--bucket",
                                "brigade-cli",
                                "--access-key",
                                "AKIALOCALTEST",
                                "--secret-key",
                                "SKSKSKSKSKSK",
                            ],
                        )
                        .ok();
                    stages.push((endpoint, stage));
                }
                _ => eprintln!("skipped: no server, because {variable} is not set (see .ci/run)"),
            }
        }
        stages
    }

    pub fn work(&self) -> PathBuf {
        self.root.path().join("work")
    }

    pub fn home(&self) -> PathBuf {
        self.root.path().join("home")
    }

    /// A name that no other test has.
    pub fn name(&self) -> String {
        let name = self.root.path().file_name().expect("it has a name").to_string_lossy();
        name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase()
    }

    /// The binary, as an agent, with an environment of its own.
    pub fn command(&self, agent: &str, args: &[&str]) -> Command {
        // A long run is made with a release build.
        match std::env::var_os("BRIGADE_TEST_BINARY") {
            Some(program) => self.command_at(Path::new(&program), agent, args),
            None => self.command_at(Path::new(env!("CARGO_BIN_EXE_brigade")), agent, args),
        }
    }

    /// The same by another path, such as a symlink with another name.
    pub fn command_at(&self, program: &Path, agent: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", OsStr::new("/usr/local/bin:/usr/bin:/bin"))
            .env("HOME", self.home())
            .env("USER", "tester")
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .args(args)
            .current_dir(self.work())
            .stdin(Stdio::null());
        if !agent.is_empty() {
            command.env("BRIGADE_AGENT", agent);
        }
        command
    }

    pub fn run(&self, agent: &str, args: &[&str]) -> Said {
        Said::of(self.command(agent, args).output().expect("the binary runs"))
    }

    /// Runs with `--json` and reads the document.
    pub fn json(&self, agent: &str, args: &[&str]) -> Value {
        let mut args = args.to_vec();
        args.push("--json");
        let said = self.run(agent, &args);
        serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("no JSON: {said:?}"))
    }

    pub fn spawn(&self, agent: &str, args: &[&str]) -> Child {
        self.command(agent, args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs")
    }
}

impl Said {
    pub fn of(output: Output) -> Said {
        Said {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    #[track_caller]
    pub fn ok(self) -> Said {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }

    #[track_caller]
    pub fn exits(self, code: i32) -> Said {
        assert_eq!(self.code, code, "{self:?}");
        self
    }
}
