//! The view on a terminal: keys in, looks at the store, a screen out, and the terminal as it was
//! whatever ends it.

use std::io::{self, stdout};
use std::time::Duration;

use brigade_core::Project;
use brigade_core::error::Error;
use brigade_core::history::{Entry, Filter, Seen};
use brigade_core::status::Snapshot;
use ratatui::DefaultTerminal;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::crossterm::execute;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use super::state::{EVENTS, Pane, Press, Then, Top};
use super::view::{self, Look};
use crate::context::Context;

/// However often somebody wants to look, a store is not asked more often than this.
const SHORTEST_LOOK: Duration = Duration::from_secs(1);
/// Writes come in bursts: after a sign of one, so long is waited for the rest of them.
const BURST: Duration = Duration::from_millis(250);
/// Ages on the screen are at most so old.
const TICK: Duration = Duration::from_secs(1);
/// Keys that wait to be read.
const KEYS: usize = 64;
const A_PAGE: u16 = 15;

/// What comes from outside while the view waits.
enum Came {
    Key(Press),
    /// Time has passed, or the terminal has another size.
    Redraw,
    Ended,
}

struct Inputs {
    keys: mpsc::Receiver<Press>,
    signals: [Option<Signal>; 3],
}

/// Follows the project until somebody quits. `essence` is the same for two snapshots without news
/// between them.
pub async fn run(
    ctx: &Context,
    project: &Project,
    interval: Duration,
    essence: impl Fn(&Snapshot) -> String,
) -> Result<(), Error> {
    let failed = |source| Error::File { doing: "drawing on the terminal".into(), source };
    let mut screen = OnScreen::start().map_err(failed)?;
    let mut inputs = Inputs::listen();
    let mut top = Top::new(interval.max(SHORTEST_LOOK));
    let (mut seen, mut shown) = (Seen::default(), String::new());
    loop {
        let found = examine(project, &mut seen);
        tokio::pin!(found);
        let outcome = loop {
            screen.draw(ctx, &mut top).map_err(failed)?;
            tokio::select! {
                outcome = &mut found => break outcome,
                came = inputs.next(ctx) => if came.then(&mut top) == Then::Quit { return Ok(()) },
            }
        };
        match outcome {
            Ok((snapshot, events)) => {
                let essence = essence(&snapshot);
                let has_changed = essence != shown;
                shown = essence;
                top.learn(snapshot, events, has_changed);
            }
            Err(error) => top.failed(error.to_string()),
        }
        let pause = top.pause();
        let rest = async {
            project.history().wait(pause).await;
            ctx.world.clock.sleep(BURST).await;
        };
        tokio::pin!(rest);
        loop {
            screen.draw(ctx, &mut top).map_err(failed)?;
            tokio::select! {
                () = &mut rest => break,
                came = inputs.next(ctx) => match came.then(&mut top) {
                    Then::Quit => return Ok(()),
                    Then::Look => break,
                    Then::Draw => {}
                },
            }
        }
    }
}

/// One look: how it stands, and what has happened since the last one.
async fn examine(project: &Project, seen: &mut Seen) -> Result<(Snapshot, Vec<Entry>), Error> {
    let filter = Filter { limit: Some(EVENTS), ..Filter::default() };
    let events = project.history().follow(seen, &filter).await?;
    Ok((project.status().snapshot().await?, events))
}

impl Came {
    fn then(self, top: &mut Top) -> Then {
        match self {
            Came::Key(press) => top.press(press),
            Came::Redraw => Then::Draw,
            Came::Ended => Then::Quit,
        }
    }
}

impl Inputs {
    fn listen() -> Inputs {
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        Inputs { keys: keys(), signals: kinds.map(|kind| signal(kind).ok()) }
    }

    async fn next(&mut self, ctx: &Context) -> Came {
        let [interrupt, terminate, hangup] = &mut self.signals;
        tokio::select! {
            key = self.keys.recv() => key.map_or(Came::Ended, |key| match key {
                Press::Other => Came::Redraw,
                key => Came::Key(key),
            }),
            () = arrives(interrupt) => Came::Ended,
            () = arrives(terminate) => Came::Ended,
            () = arrives(hangup) => Came::Ended,
            () = ctx.world.clock.sleep(TICK) => Came::Redraw,
        }
    }
}

async fn arrives(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// Keys as they are pressed. The thread waits in the terminal and ends with the program.
fn keys() -> mpsc::Receiver<Press> {
    let (give, take) = mpsc::channel(KEYS);
    std::thread::spawn(move || {
        while let Ok(event) = event::read() {
            let press = match event {
                Event::Key(key) if key.kind != KeyEventKind::Release => press(key),
                _ => Press::Other,
            };
            if give.blocking_send(press).is_err() {
                return;
            }
        }
    });
    take
}

fn press(key: KeyEvent) -> Press {
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return match key.code {
            KeyCode::Char('c' | 'd') => Press::Quit,
            _ => Press::Other,
        };
    }
    match key.code {
        KeyCode::Char('q') | KeyCode::Esc => Press::Quit,
        KeyCode::Char('r') => Press::Look,
        KeyCode::Tab => Press::NextPane,
        KeyCode::Char('1') => Press::Pane(Pane::Now),
        KeyCode::Char('2') => Press::Pane(Pane::Board),
        KeyCode::Char('3') => Press::Pane(Pane::Events),
        KeyCode::Up | KeyCode::Char('k') => Press::Up(1),
        KeyCode::Down | KeyCode::Char('j') => Press::Down(1),
        KeyCode::PageUp => Press::Up(A_PAGE),
        KeyCode::PageDown | KeyCode::Char(' ') => Press::Down(A_PAGE),
        KeyCode::Home | KeyCode::Char('g') => Press::Top,
        KeyCode::End | KeyCode::Char('G') => Press::Bottom,
        _ => Press::Other,
    }
}

/// The terminal while the view is on it. Dropped, it is as it was before; and a panic puts it back by
/// its hook, before it says what it has to say.
struct OnScreen(DefaultTerminal);

impl OnScreen {
    fn start() -> io::Result<OnScreen> {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            put_back();
            before(info);
        }));
        match ratatui::try_init() {
            Ok(terminal) => Ok(OnScreen(terminal)),
            Err(error) => {
                put_back();
                Err(error)
            }
        }
    }

    fn draw(&mut self, ctx: &Context, top: &mut Top) -> io::Result<()> {
        let colours = ctx.env.get("NO_COLOR").is_none();
        let look = Look { now: ctx.world.clock.now(), colours };
        self.0.draw(|frame| view::draw(frame, top, look)).map(|_| ())
    }
}

impl Drop for OnScreen {
    fn drop(&mut self) {
        put_back();
    }
}

/// Nothing more can be done where the terminal is gone.
fn put_back() {
    let _ = ratatui::try_restore();
    let _ = execute!(stdout(), Show);
}
