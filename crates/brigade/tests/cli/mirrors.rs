//! Several mirrors of one session, as processes that are killed: none doubles what another has stored.

use std::io::{BufRead, BufReader};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::sessions::{SECRET, SESSION, say, stored};
use super::support::Stage;

/// How often each mirror is started, and killed once it has stored something.
const LIVES: u64 = 6;
const FOLLOW: &[&str] = &["session", "mirror", "--follow", "--interval", "0s"];

/// Starts a mirror again and again. It has lived long enough when it has stored something, and dies
/// some moment after, in whatever it does then.
fn lives_and_dies(stage: &Stage, agent: &str) -> u64 {
    let mut flushes = 0;
    for life in 0..LIVES {
        let mut mirror = stage.spawn(agent, FOLLOW);
        let told = BufReader::new(mirror.stderr.take().expect("it is piped"));
        let mut lines = told.lines().map_while(Result::ok);
        let wanted = 1 + life % 3;
        flushes += lines
            .by_ref()
            .filter(|line| line.contains("stored "))
            .take(usize::try_from(wanted).expect("it is small"))
            .count() as u64;
        std::thread::sleep(Duration::from_millis(7 * life));
        mirror.kill().expect("it is killed");
        mirror.wait().expect("it ends");
    }
    flushes
}

#[test]
fn two_mirrors_of_one_session_that_are_killed_again_and_again_double_nothing() {
    for (place, stage) in Stage::on_every_store() {
        let (done, mut lines) = (AtomicBool::new(false), 0);
        let flushes: Vec<u64> = std::thread::scope(|scope| {
            let stage = &stage;
            let mirrors: Vec<_> = ["first", "second"]
                .map(|agent| scope.spawn(move || lives_and_dies(stage, agent)))
                .into();
            let done = &done;
            let writer = scope.spawn(move || {
                let mut lines = 0_u64;
                while !done.load(Ordering::Relaxed) {
                    say(stage, SESSION, &format!("n{lines} {SECRET}"));
                    lines += 1;
                    std::thread::sleep(Duration::from_millis(4));
                }
                lines
            });
            let flushes = mirrors.into_iter().map(|mirror| mirror.join());
            let flushes = flushes.map(|ended| ended.expect("it does not panic")).collect();
            done.store(true, Ordering::Relaxed);
            lines = writer.join().expect("it does not panic");
            flushes
        });
        assert_eq!(flushes, [12, 12], "{place}: a mirror has ended by itself");
        stage.run("first", &["session", "mirror"]).ok();
        let proof = stage.json("first", &["session", "verify", SESSION]);
        let source = &proof["sources"][0];
        assert_eq!(source["disk"], "same", "{place}: {proof}");
        assert_eq!(source["not_mirrored"], 0, "{place}: {proof}");
        // Nothing was taken back to be stored anew, so what is stored is there once.
        assert_eq!(source["live_records"], lines, "{place}: {proof}");
        assert_eq!(source["stored_records"], lines, "{place}: {proof}");
        assert!(!stored(&stage).contains(SECRET));
        eprintln!("{place}: {lines} lines, each stored once");
    }
}
