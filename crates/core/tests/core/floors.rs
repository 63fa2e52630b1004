//! The plan of the house as a test: who may import whom in core. `ARCHITECTURE.md` draws it.
//!
//! It sees imports and paths in code. A method that one file adds to another one's type needs no
//! import, so what calls what inside one type is not seen.

mod house;
mod proof;
mod source;

use std::path::Path;

use house::{Exception, Fault, House, Plan};

/// From the ground up. A room imports from its own floor and from those below it.
const PLAN: Plan<'_> = &[
    ("words", &["clock", "codec", "glob", "hlc", "id", "testing", "text", "transcript::redact"]),
    ("transcripts of other programs", &["transcript"]),
    ("the store's contract", &["store::api"]),
    ("what is kept", &["cache"]),
    (
        "stores",
        &[
            "store::address",
            "store::cached",
            "store::cloud",
            "store::contract",
            "store::counted",
            "store::credentials",
            "store::dir",
            "store::faulty",
            "store::following",
            "store::hub",
            "store::open",
            "store::place",
            "store::presets",
            "store::prices",
            "store::probe",
            "store::ram",
            "store::still",
            "store::sweep",
        ],
    ),
    ("keys and documents", &["key", "record", "signature"]),
    (
        "rules",
        &[
            "event",
            "files::model",
            "project::document",
            "project::moved",
            "session::lease",
            "session::state",
            "task::fields",
            "task::graph",
            "task::layers",
            "task::model",
            "task::rules",
            "task::segment",
        ],
    ),
    ("the append, and what can go wrong", &["error", "log"]),
    (
        "sessions",
        &[
            "artifact::model",
            "roster",
            "session::act",
            "session::again",
            "session::handle",
            "session::past",
            "session::settle",
            "session::trail",
            "session::whereabouts",
            "session::write",
        ],
    ),
    ("heads", &["survey", "task::hold"]),
    (
        "verbs",
        &[
            "artifact",
            "barrier",
            "board",
            "files",
            "mail",
            "memory",
            "mirror",
            "reclaim",
            "task::archive",
            "task::claim",
            "task::comment",
            "task::create",
            "task::edit",
            "task::finish",
            "task::lifecycle",
            "task::query",
            "task::restate",
            "task::verbs",
            "task::wait",
        ],
    ),
    (
        "looks",
        &[
            "doctor", "history", "linking", "policy", "prime", "readback", "replay", "status",
            "usage",
        ],
    ),
    ("in and out", &["house", "transfer"]),
    ("the handle", &["project"]),
];

/// What the plan forbids and the code does all the same, with what would end it. New ones are not
/// welcome.
const EXCEPTIONS: &[Exception<'_>] = &[];

#[test]
fn imports_in_core_run_downward_and_in_no_circle() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let house = House::read(&|file| std::fs::read_to_string(src.join(file)).ok());
    let faults: Vec<String> = house.faults(PLAN, EXCEPTIONS).iter().map(Fault::to_string).collect();
    assert!(faults.is_empty(), "{faults:#?}");
}
