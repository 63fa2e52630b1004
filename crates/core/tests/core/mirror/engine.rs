//! The mirror at work: whatever happens to a file, the store holds what it holds, once.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use brigade_core::mirror::{Mirror, RamCursors, Setup};
use brigade_core::store::counted::{Counted, Counts};
use brigade_core::testing::TestEntropy;
use brigade_core::transcript::adapter::Filter;
use brigade_core::transcript::registry;

use super::machine::{Machine, SECRET, fresh, line, live, setup, stored};
use crate::transcripts::support::{copy_tree, fixtures, places};
use crate::verbs_support::{House, ram_state};

#[tokio::test(start_paused = true)]
async fn what_is_new_is_stored_without_its_secrets_and_the_receipt_says_so() {
    let (house, machine) = (House::new().await, Machine::new());
    let mirror = house.agent("mirror");
    machine.append(line(0) + &line(1) + "{\"type\":\"user\",\"torn");
    let round = machine.mirror(&mirror).await;
    let receipt = &round.sessions[0].sources[0];
    assert_eq!((receipt.records, receipt.parts, receipt.held_back_bytes), (2, 1, 20));
    assert_eq!(receipt.bytes, (line(0) + &line(1)).len() as u64 - 2);
    assert_eq!(receipt.redactions.of("aws-access-key-id"), 2);
    let records = live(&mirror, &machine.id(), "main").await;
    assert_eq!(records.len(), 2);
    for path in house.keys(&brigade_core::key::Room::Transcripts).await {
        let object = house.store.get(&path).await.unwrap().value.unwrap();
        assert!(!String::from_utf8_lossy(&object.bytes).contains(SECRET), "{path}");
    }
    // The torn line goes when it is whole, and as it is when the session has ended.
    machine.append("\"}\n{\"never");
    machine.mirror(&mirror).await;
    assert_eq!(live(&mirror, &machine.id(), "main").await.len(), 3);
    let last = machine.finish(&mirror).await;
    assert_eq!(last.sessions[0].sources[0].records, 1);
    let records = stored(&mirror, &machine.id(), "main").await;
    assert_eq!(records[3].bytes, b"{\"never");
    assert_eq!(records[3].part, brigade_core::transcript::reader::Part::Torn);
}

#[tokio::test(start_paused = true)]
async fn a_title_is_redacted_as_the_records_are() {
    let (house, machine) = (House::new().await, Machine::new());
    let mirror = house.agent("mirror");
    let titled = format!("{{\"type\":\"summary\",\"summary\":\"rotate {SECRET} now\"}}\n");
    machine.append(line(0) + &titled);
    let round = machine.mirror(&mirror).await;
    let title = round.sessions[0].title.as_ref().unwrap();
    assert!(title.starts_with("rotate [REDACTED:aws-access-key-id:"), "{title}");
    for path in house.keys(&brigade_core::key::Room::Transcripts).await {
        let object = house.store.get(&path).await.unwrap().value.unwrap();
        assert!(!String::from_utf8_lossy(&object.bytes).contains(SECRET), "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_without_a_title_is_called_by_what_its_user_said_first() {
    let (house, machine) = (House::new().await, Machine::new());
    let mirror = house.agent("mirror");
    let command = "{\"type\":\"user\",\"cwd\":\"/work\",\"message\":{\"role\":\"user\",\"content\":\
                   \"<command-name>/clear</command-name>\"}}\n";
    machine.append(command.to_owned() + &line(1) + &line(2));
    machine.mirror(&mirror).await;
    let sessions = brigade_core::mirror::Sessions::new(mirror.session()).list(None).await.unwrap();
    let title = sessions[0].head.as_ref().unwrap().title.clone().unwrap();
    assert!(title.starts_with("line 1 with [REDACTED:aws-access-key-id:"), "{title}");
}

#[tokio::test(start_paused = true)]
async fn whatever_happens_to_a_file_the_store_holds_what_it_holds() {
    let chance = TestEntropy::new(11);
    let mut revisions = 0;
    for case in 0..12 {
        let (house, mut machine) = (House::seeded(case).await, Machine::new());
        machine.part_bytes = [1, 300, 4096][chance.below(3) as usize];
        let mirror = house.agent("mirror");
        for step in 0..30 {
            let now = fs::read(machine.path()).unwrap_or_default();
            match chance.below(9) {
                0..=4 => {
                    let text = line(step);
                    // Cut anywhere: the rest comes with a later step, or never.
                    let cut = chance.below(text.len() as u64 * 2) as usize;
                    machine.append(&text[..cut.min(text.len())]);
                }
                5 => fs::write(machine.path(), &now[..now.len() * 2 / 3]).unwrap(),
                6 => {
                    let mut text = now.clone();
                    text.drain(now.len() / 3..now.len() / 2);
                    fs::write(machine.path(), text).unwrap();
                }
                7 => {
                    let aside = machine.path().with_extension("tmp");
                    fs::write(&aside, line(1000 + step)).unwrap();
                    fs::rename(aside, machine.path()).unwrap();
                }
                _ => machine.forget(),
            }
            if chance.below(3) > 0 {
                let round = machine.mirror(&mirror).await;
                let sources = round.sessions.iter().flat_map(|session| &session.sources);
                revisions += sources.filter(|source| source.kept.is_some()).count();
            }
        }
        machine.append("\n");
        machine.finish(&mirror).await;
        assert_eq!(live(&mirror, &machine.id(), "main").await, machine.on_disk(), "case {case}");
    }
    assert!(revisions > 10, "only {revisions} revisions were tried");
}

#[tokio::test(start_paused = true)]
async fn every_source_of_every_harness_is_stored_as_it_is_read() {
    let house = House::new().await;
    let mirror = house.agent("mirror");
    let mut sources = BTreeMap::new();
    for (fixture, folder) in [
        ("claude-code/1.0", ".claude"),
        ("claude-code/2.0", ".claude"),
        ("claude-code/2.1", ".claude"),
        ("codex", ".codex"),
        ("copilot-cli", ".copilot"),
        ("gemini-cli", ".gemini"),
        ("kimi", ".kimi-code"),
        ("openclaw", ".openclaw"),
        ("opencode", ".local/share/opencode"),
        ("pi", ".pi"),
        ("qwen-code", ".qwen"),
    ] {
        let home = tempfile::tempdir().unwrap();
        if !fixtures(fixture).is_dir() {
            continue;
        }
        copy_tree(&fixtures(fixture), &home.path().join(folder));
        let setup = setup(home.path(), Arc::new(RamCursors::default()));
        let round = Mirror::new(mirror.sessions(), setup).round().await;
        assert!(round.stopped.is_none(), "{round:?}");
        let found = registry::discover(&places(home.path(), &[]), &Filter::everything());
        for session in &found.sessions {
            let id = brigade_core::id::TranscriptId::parse(session.harness, &session.id).unwrap();
            for source in &session.sources {
                assert_eq!(
                    live(&mirror, &id, &source.name).await,
                    fresh(source),
                    "{id} {source:?}"
                );
                *sources.entry(session.harness).or_insert(0) += 1;
            }
        }
    }
    assert!(sources.len() >= 6, "{sources:?}");
}

#[tokio::test(start_paused = true)]
async fn two_mirrors_of_one_session_double_nothing() {
    let (house, one) = (House::new().await, Machine::new());
    let other = Setup { local: Arc::new(RamCursors::default()), ..one.setup() };
    let (first, second) = (house.agent("first"), house.agent("second"));
    let mut mirrors =
        [Mirror::new(first.sessions(), one.setup()), Mirror::new(second.sessions(), other)];
    let chance = TestEntropy::new(3);
    let mut lost = 0;
    for step in 0..60 {
        one.append(line(step));
        let [here, there] = &mut mirrors;
        match chance.below(3) {
            0 => drop(here.round().await),
            1 => drop(there.round().await),
            _ => {
                let (one, two) = tokio::join!(here.round(), there.round());
                for round in [one, two] {
                    assert!(round.stopped.is_none());
                    lost += round.sessions[0].sources[0].lost;
                }
            }
        }
    }
    mirrors[0].round().await;
    assert_eq!(live(&first, &one.id(), "main").await, one.on_disk());
    assert!(lost > 5, "they met {lost} times only");
}

#[tokio::test(start_paused = true)]
async fn a_flush_costs_two_requests_and_an_idle_round_none() {
    let (house, machine) = (House::new().await, Machine::new());
    let store = Counted::new(house.store.clone());
    let who = house.through(Arc::new(store.clone()), "mirror", &ram_state());
    let mut mirror = Mirror::new(who.sessions(), machine.setup());
    machine.append(line(0));
    mirror.round().await;
    let mut before = store.counts();
    for _ in 0..5 {
        mirror.round().await;
    }
    let none = before - before;
    assert_eq!(store.counts() - before, none);
    for many in [1, 100] {
        before = store.counts();
        (0..many).for_each(|n| machine.append(line(n)));
        mirror.round().await;
        assert_eq!(store.counts() - before, Counts { put_absent: 1, get: 1, ..none });
    }
    // A new process that finds nothing new asks nothing, either.
    before = store.counts();
    machine.mirror(&who).await;
    assert_eq!(store.counts() - before, none);
}

#[tokio::test(start_paused = true)]
async fn few_bytes_wait_for_more_and_a_dry_run_stores_nothing() {
    let (house, machine) = (House::new().await, Machine::new());
    let who = house.agent("mirror");
    machine.append(line(0));
    let waiting = machine.mirror_with(&who, Setup { min_bytes: 10_000, ..machine.setup() }).await;
    assert_eq!(waiting.sum().waiting_bytes, line(0).len() as u64 - 1);
    let dry = machine.mirror_with(&who, Setup { dry_run: true, ..machine.setup() }).await;
    let source = &dry.sessions[0].sources[0];
    assert_eq!((source.records, source.stored_bytes, source.findings.len()), (1, 0, 1));
    assert!(!format!("{dry:?}").contains(SECRET));
    assert!(house.keys(&brigade_core::key::Room::Transcripts).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_lean_mirror_keeps_the_place_of_what_it_leaves_out() {
    let (house, machine) = (House::new().await, Machine::new());
    let who = house.agent("mirror");
    machine.append(line(0) + "{\"type\":\"attachment\",\"x\":\"" + &"y".repeat(500) + "\"}\n");
    machine.append(line(1));
    let round = machine.mirror_with(&who, Setup { lean: true, ..machine.setup() }).await;
    assert!(round.sum().left_out_bytes > 500);
    let records = live(&who, &machine.id(), "main").await;
    assert_eq!(records.len(), 3);
    assert_eq!(records[1], b"{\"left_out_bytes\":528,\"type\":\"attachment\"}");
}
