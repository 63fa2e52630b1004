//! `serve` and `stop`: the dashboard's process, in front or in the background.

mod keeper;
mod port;

use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use brigade_core::error::{Error, Kind};
use brigade_core::key::Layout;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use self::keeper::{Keeper, Running};
use crate::args::serve as args;
use crate::context::{Context, Site};
use crate::report::Plain;
use crate::web::{App, Guard, Watch, keep_looking, router};

/// How long the one in the background has to come up: it looks at the whole project first.
const COMES_UP: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(50);
/// How long browsers have to hear that the server ends.
const FAREWELL: Duration = Duration::from_secs(2);

pub async fn serve(ctx: &Context, args: args::Serve) -> Result<(), Error> {
    let site = ctx.site()?;
    let keeper = Keeper::new(&ctx.env.state_home());
    if args.detach {
        return detach(ctx, &site, &keeper, &args).await;
    }
    if args.in_background {
        // The terminal that started it may close.
        let _ = rustix::process::setsid();
    }
    let listener = listen(ctx, &keeper, &args).await?;
    let address = listener
        .local_addr()
        .map_err(|source| Error::File { doing: "listening".into(), source })?;
    let (stop, stopping) = tokio::sync::watch::channel(());
    let (app, guard) = app(ctx, &site, &args, address, stopping).await?;
    let running = Running::here(ctx, &site, address, link(address, &guard));
    let note = keeper.note(&running)?;
    if args.in_background {
        ctx.report.note(&running.words());
    } else {
        ctx.report.answer(&Served(running.clone()))?;
        if args.open {
            open(ctx, &running.url);
        }
    }
    let outcome = run(app, listener, stop, ctx).await;
    drop(note);
    outcome
}

pub async fn stop(ctx: &Context, args: args::Stop) -> Result<(), Error> {
    let keeper = Keeper::new(&ctx.env.state_home());
    let running = match args.port {
        Some(port) => keeper.on_port(port),
        None => {
            let site = ctx.site()?;
            keeper.of_project(&ctx.site_name(&site))?
        }
    };
    let Some(running) = running else {
        return Err(Error::Face {
            kind: Kind::NotFound,
            message: "no dashboard of this project is running".into(),
            hint: Some("start one with 'brigade serve', or name another one's --port".into()),
        });
    };
    keeper.end(&running, &*ctx.world.clock).await?;
    ctx.report.answer(&Stopped { port: running.port, pid: running.pid })
}

/// The port, or who has it.
async fn listen(ctx: &Context, keeper: &Keeper, args: &args::Serve) -> Result<TcpListener, Error> {
    match TcpListener::bind(SocketAddr::new(args.host, args.port)).await {
        Ok(listener) => Ok(listener),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            Err(port::taken(args.port, keeper.on_port(args.port).as_ref(), ctx.report.program()))
        }
        Err(source) => {
            let doing = format!("listening on {}", SocketAddr::new(args.host, args.port));
            Err(Error::File { doing, source })
        }
    }
}

async fn app(
    ctx: &Context,
    site: &Site,
    args: &args::Serve,
    address: SocketAddr,
    stopping: tokio::sync::watch::Receiver<()>,
) -> Result<(App, Guard), Error> {
    let identity = ctx.identity(site)?;
    let store = ctx.store(site)?;
    let layout = Layout::new(site.project.clone());
    let watch =
        Watch::new(store, layout, ctx.world.clone(), |still| ctx.looker(site, &identity, still))?;
    // Whoever has no project here hears of it now, and not in the browser.
    watch.now().await?;
    let actor = match args.allow_writes {
        true => Some(ctx.open_as(site, &identity)?),
        false => None,
    };
    let entropy = &*ctx.world.entropy;
    let guard =
        Guard::new(args.host, address.port(), &args.allowed_hosts, args.allow_writes, entropy);
    Ok((App::new(Arc::new(watch), guard.clone(), actor, stopping), guard))
}

async fn run(
    app: App,
    listener: TcpListener,
    stop: tokio::sync::watch::Sender<()>,
    ctx: &Context,
) -> Result<(), Error> {
    let failed = |source| Error::File { doing: "serving".into(), source };
    let mut ends = signal(SignalKind::terminate()).map_err(failed)?;
    let (watch, clock) = (app.watch.clone(), ctx.world.clock.clone());
    let looking = tokio::spawn(async move { keep_looking(&watch, &*clock).await });
    let (told, ended) = tokio::sync::oneshot::channel();
    let server = axum::serve(listener, router(app)).with_graceful_shutdown(async {
        // An error would say that nobody tells any more, which is the end as well.
        let _ = ended.await;
    });
    let server = tokio::spawn(server.into_future());
    tokio::select! {
        _ = ends.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    let _ = stop.send(());
    let _ = told.send(());
    tokio::select! {
        _ = server => {}
        // A browser that does not hang up is no reason to stay.
        () = ctx.world.clock.sleep(FAREWELL) => {}
    }
    looking.abort();
    Ok(())
}

/// Starts the same again, with no terminal, and waits until it says where it is.
async fn detach(
    ctx: &Context,
    site: &Site,
    keeper: &Keeper,
    args: &args::Serve,
) -> Result<(), Error> {
    if let Some(running) = keeper.of_project(&ctx.site_name(site))?
        && (args.port == running.port || args.port == args::PORT)
    {
        return Err(Error::Face {
            kind: Kind::Held,
            message: format!("{} already", running.words()),
            hint: Some("'brigade stop' ends it".into()),
        });
    }
    // Found out here, where somebody reads it.
    drop(listen(ctx, keeper, args).await?);
    let (log, path) = keeper.log()?;
    let failed = |source| Error::File { doing: "starting the dashboard".into(), source };
    let again = log.try_clone().map_err(failed)?;
    let words = ctx
        .env
        .args
        .iter()
        .skip(1)
        .filter(|word| !matches!(word.to_str(), Some("-d" | "--detach" | "--open" | "--json")));
    let mut child = std::process::Command::new(&ctx.env.exe)
        .args(words)
        .arg("--in-background")
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(again)
        .spawn()
        .map_err(failed)?;
    let pid = child.id();
    let mut waited = Duration::ZERO;
    while waited < COMES_UP {
        if let Some(running) = keeper.of_pid(pid) {
            ctx.report.answer(&Served(running.clone()))?;
            if args.open {
                open(ctx, &running.url);
            }
            return Ok(());
        }
        if child.try_wait().map_err(failed)?.is_some() {
            break;
        }
        ctx.world.clock.sleep(LOOK).await;
        waited += LOOK;
    }
    let _ = child.kill();
    let _ = child.wait();
    let said = std::fs::read_to_string(&path).unwrap_or_default();
    let last = said.lines().rev().find(|line| line.starts_with("error:")).unwrap_or_default();
    Err(Error::Face {
        kind: Kind::Unexpected,
        message: format!("the dashboard did not come up: {}", last.trim_start_matches("error: ")),
        hint: Some(format!("what it said is in {}", path.display())),
    })
}

fn link(address: SocketAddr, guard: &Guard) -> String {
    let host = match address {
        SocketAddr::V4(address) if address.ip().is_unspecified() => "127.0.0.1".to_owned(),
        SocketAddr::V4(address) => address.ip().to_string(),
        SocketAddr::V6(address) => format!("[{}]", address.ip()),
    };
    let query = guard.query().map(|query| format!("?{query}")).unwrap_or_default();
    format!("http://{host}:{}/{query}", address.port())
}

/// A browser, if this machine has a way to say so. That it has none is no failure.
fn open(ctx: &Context, url: &str) {
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let quiet = || Stdio::null();
    let started = std::process::Command::new(opener)
        .arg(url)
        .stdin(quiet())
        .stdout(quiet())
        .stderr(quiet())
        .spawn();
    if started.is_err() {
        ctx.report.note(&format!("there is no {opener} here to open a browser with"));
    }
}

#[derive(Serialize)]
struct Served(Running);

impl Plain for Served {
    fn plain(&self) -> String {
        let Served(running) = self;
        format!("Serving {} at {}\n'brigade stop' ends it", running.project, running.url)
    }
}

#[derive(Serialize)]
struct Stopped {
    port: u16,
    pid: u32,
}

impl Plain for Stopped {
    fn plain(&self) -> String {
        format!("Stopped the dashboard on port {} (process {})", self.port, self.pid)
    }
}
