//! What every harness wrote, stored and read back.

use brigade_core::error::Kind;
use brigade_core::readback::Place;
use brigade_core::transcript::reader::Part;
use brigade_core::transcript::registry;
use brigade_core::transcript::retell::{Entry, Finder, Format};
use brigade_core::transcript::turn::Body;

use super::{cursor_of, draft, put, store};
use crate::transcripts::retelling::{every_session, told, voices};
use crate::verbs_support::House;

#[tokio::test(start_paused = true)]
async fn every_session_reads_back_as_it_was_told_on_its_own_machine() {
    let kitchen = every_session();
    for (size, session) in [1, 3, 1_000].into_iter().cycle().zip(&kitchen.sessions) {
        let house = House::new().await;
        let who = house.agent("mirror");
        let id = store(&who, session, size).await;
        let back = house.agent("reader");
        let read = back.readback().open(&id).await.unwrap();
        for (voice, records) in voices(session) {
            let source = read.sources(Some(&voice.source)).unwrap()[0].clone();
            let mut raw = Vec::new();
            let written = read.write_raw(&source, &mut raw).await.unwrap();
            let mut disk = Vec::new();
            for (part, bytes) in &records {
                assert_eq!(*part, Part::Whole);
                disk.extend_from_slice(bytes);
                disk.push(b'\n');
            }
            assert_eq!(raw, disk, "{id} {}", voice.source);
            assert_eq!(written.records, records.len() as u64);
            assert_eq!(written.bytes, raw.len() as u64);
        }
        for format in [Format::Sts, Format::Atif, Format::Html, Format::Markdown] {
            let mut document = Vec::new();
            let (_, tally) = read.write(format, None, &mut document).await.unwrap();
            let (expected, sums) = told(session, format);
            // Told with an agent and a task, which this one has not.
            let strip = |text: &str| text.replace("cook", "").replace("bd-1", "").len();
            let text = String::from_utf8(document).unwrap();
            assert!(text.len() <= expected.len() && text.len() + 200 > strip(&expected), "{text}");
            let body = |text: &str| text.lines().skip(9).map(str::to_owned).collect::<Vec<_>>();
            let (text, expected) = (body(&text), body(&expected));
            let same = text.iter().rev().zip(expected.iter().rev()).take(text.len() / 2);
            for (one, other) in same {
                assert_eq!(one, other, "{id} {format:?}");
            }
            assert_eq!(tally, sums, "{id} {format:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_entries_are_those_of_the_whole() {
    let kitchen = every_session();
    for session in &kitchen.sessions {
        let house = House::new().await;
        let who = house.agent("mirror");
        let id = store(&who, session, 1).await;
        let told = who.readback().open(&id).await.unwrap();
        // Of a Hermes session that said nothing there is its own row, and no voice.
        let Some(own) = told.own().cloned() else { continue };
        let mut all = Vec::new();
        let only = Some(own.name.as_str());
        told.entries(only, &mut |entry| {
            all.extend(entry.is_told().then_some(entry));
            Ok(())
        })
        .await
        .unwrap();
        let plain = |entry: &Entry| match entry {
            Entry::Turn(turn) => format!("{:?}", turn.body),
            Entry::Tool { call, .. } => format!("{:?}", call.body),
        };
        for count in [0, 1, 2, all.len(), all.len() + 5] {
            let tail = told.tail(&own, count).await.unwrap();
            let expected = &all[all.len().saturating_sub(count)..];
            let last: Vec<String> = tail.iter().map(plain).collect();
            let known: Vec<String> = expected.iter().map(plain).collect();
            if count >= all.len() {
                assert_eq!(last, known, "{id}");
            } else {
                assert_eq!(last.last(), known.last(), "{id}");
                assert_eq!(last.len(), known.len(), "{id}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_revised_is_not_told_and_stays_out_of_the_bytes() {
    let kitchen = every_session();
    let session = kitchen.sessions.iter().find(|one| one.harness == "pi").unwrap();
    let house = House::new().await;
    let who = house.agent("mirror");
    let id = store(&who, session, 2).await;
    let source = &session.sources[0];
    let told = who.readback().open(&id).await.unwrap();
    let parts = told.opened.sources()[0].parts;
    let cursor = cursor_of(source);
    let row = br#"{"type":"message","message":{"role":"user","content":"Another story"}}"#;
    let records = vec![(Part::Whole, row.to_vec())];
    put(&who, &id, u32::try_from(parts).unwrap(), draft(source, 1, Some(1), records, cursor)).await;
    let told = who.readback().open(&id).await.unwrap();
    let mut raw = Vec::new();
    told.write_raw(told.own().unwrap(), &mut raw).await.unwrap();
    let raw = String::from_utf8(raw).unwrap();
    assert_eq!(raw.lines().count(), 2, "{raw}");
    assert!(raw.ends_with("Another story\"}}\n") && !raw.contains("Peel"), "{raw}");
    let mut entries = Vec::new();
    told.entries(None, &mut |entry| {
        entries.push(entry);
        Ok(())
    })
    .await
    .unwrap();
    let said: Vec<&Body> = entries.iter().map(|entry| &entry.turn().body).collect();
    assert!(said.contains(&&Body::User { text: "Another story".into() }), "{said:?}");
    assert!(!said.iter().any(|body| matches!(body, Body::Assistant { .. })), "{said:?}");
}

#[tokio::test(start_paused = true)]
async fn what_was_said_is_found_with_where_it_stands() {
    let kitchen = every_session();
    let house = House::new().await;
    let who = house.agent("mirror");
    let mut ids = Vec::new();
    for session in kitchen.sessions.iter().filter(|one| ["pi", "kimi"].contains(&one.harness)) {
        ids.push((store(&who, session, 3).await, session));
    }
    for (id, session) in ids {
        let told = who.readback().open_alone(&id).await.unwrap();
        for (voice, records) in voices(session) {
            let adapter = registry::named(session.harness).unwrap();
            for (at, (part, bytes)) in records.iter().enumerate() {
                let mut finder = Finder::regex("(?s)^.+").unwrap();
                let Some(hit) = finder.record(adapter, None, *part, bytes).into_iter().next()
                else {
                    continue;
                };
                let word = hit.text.split_whitespace().next().unwrap();
                let text = word.trim_end_matches('…');
                let mut finder = Finder::text(text).unwrap();
                let found = told.find(&mut finder, 100).await.unwrap();
                // What is said twice, one after the other, is found once.
                let is_it = |one: &Place| {
                    one.source == voice.source
                        && (one.record == at as u64 || one.hit.text == hit.text)
                };
                assert!(found.iter().any(is_it), "{text:?} in {id} {}: {found:?}", voice.source);
            }
        }
        let mut none = Finder::text("nobody says this").unwrap();
        assert!(told.find(&mut none, 100).await.unwrap().is_empty());
        let mut any = Finder::regex(".").unwrap();
        let all = told.find(&mut any, 100).await.unwrap().len();
        assert_eq!(told.find(&mut any, 2).await.unwrap().len(), all.min(2));
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_is_meant_by_its_beginning_and_by_its_harness() {
    let kitchen = every_session();
    let house = House::new().await;
    let who = house.agent("mirror");
    for session in kitchen.sessions.iter().filter(|one| ["pi", "codex"].contains(&one.harness)) {
        store(&who, session, 1_000).await;
    }
    let readback = who.readback();
    assert_eq!(readback.find(None, "p1").await.unwrap().to_string(), "pi/p1");
    assert_eq!(readback.find(None, "pi/p1").await.unwrap().to_string(), "pi/p1");
    assert_eq!(readback.find(None, "p").await.unwrap_err().kind(), Kind::Usage);
    for missing in ["nothing", "pi/nothing", "pi/", "no harness/p1", "claude-code/p1", "../p1"] {
        assert_eq!(
            readback.find(None, missing).await.unwrap_err().kind(),
            Kind::NotFound,
            "{missing}"
        );
    }
    let told = readback.open(&readback.find(None, "p1").await.unwrap()).await.unwrap();
    assert_eq!(told.sources(Some("x")).unwrap_err().kind(), Kind::NotFound);
}

#[tokio::test(start_paused = true)]
async fn a_harness_that_nobody_knows_is_told_raw() {
    let house = House::new().await;
    let who = house.agent("mirror");
    let kitchen = every_session();
    let mut session = kitchen.sessions[0].clone();
    session.harness = "tomorrow";
    let id = store(&who, &session, 5).await;
    let told = who.readback().open(&id).await.unwrap();
    let tally = told.tally().await.unwrap();
    assert!(tally.raw > 0 && tally.turns == 0, "{tally:?}");
}
