//! What no harness should leave behind, and some do.

use std::fs;

use brigade_core::transcript::reader::Part;
use brigade_core::transcript::trouble::Hindrance;

use super::machine::{Machine, SECRET, line, live, stored};
use crate::verbs_support::House;

#[tokio::test(start_paused = true)]
async fn broken_bytes_are_stored_as_they_are_and_the_rest_goes_on() {
    let (house, machine) = (House::new().await, Machine::new());
    let who = house.agent("mirror");
    machine.append(line(0));
    machine.append(b"\0\0\0{\"type\":\"user\"}\n\xff\xfe no json \x01\n[1,2\n\n   \n");
    machine.append(line(1));
    machine.mirror(&who).await;
    let records = live(&who, &machine.id(), "main").await;
    assert_eq!(records, machine.on_disk());
    assert_eq!(records[1..4], [&b"{\"type\":\"user\"}"[..], b"\xff\xfe no json \x01", b"[1,2"]);
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_a_border_cuts_in_an_endless_line_is_found() {
    let (house, machine) = (House::new().await, Machine::new());
    let who = house.agent("mirror");
    machine.append(line(0));
    // Pieces are of one mebibyte; a secret lies over each border between them.
    let mut text = "{\"type\":\"user\",\"content\":\"".to_owned();
    while text.len() < 18 * 1024 * 1024 {
        let border = (text.len() / (1024 * 1024) + 1) * 1024 * 1024;
        text.push_str(&"word ".repeat((border - text.len() - 10) / 5));
        text.push_str(&format!(" {SECRET} "));
    }
    machine.append(text + "\"}\n" + &line(1));
    let round = machine.mirror(&who).await;
    assert!(round.sessions[0].sources[0].redactions.of("aws-access-key-id") >= 18);
    let records = stored(&who, &machine.id(), "main").await;
    let pieces = records.iter().filter(|one| matches!(one.part, Part::Chunk { .. })).count();
    assert!(pieces >= 18, "{pieces}");
    let whole: Vec<u8> = records.iter().flat_map(|one| one.bytes.clone()).collect();
    let whole = String::from_utf8(whole).unwrap();
    for cut in [SECRET, &SECRET[..10], &SECRET[12..]] {
        assert!(!whole.contains(cut), "{cut}");
    }
    assert!(whole.contains("line 1 with"));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_told_and_the_rest_goes_on() {
    use std::os::unix::fs::symlink;
    let (house, machine) = (House::new().await, Machine::new());
    let who = house.agent("mirror");
    machine.append(line(0));
    let folder = machine.path().parent().unwrap().to_owned();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("x.jsonl"), line(7)).unwrap();
    symlink(outside.path().join("x.jsonl"), folder.join("leads-out.jsonl")).unwrap();
    fs::write(folder.join("..%2F..%2Fx.jsonl"), line(3)).unwrap();
    fs::write(folder.join("two\nlines.jsonl"), line(4)).unwrap();
    let round = machine.mirror(&who).await;
    assert!(round.trouble.iter().any(|one| one.what == Hindrance::Outside), "{:?}", round.trouble);
    let named = round.trouble.iter().find(|one| one.what == Hindrance::BadName).unwrap();
    assert!(named.to_string().contains("/two lines.jsonl has a name that no session"), "{named}");
    let listed = who.sessions().list(None).await.unwrap();
    let ids: Vec<&str> = listed.iter().map(|session| session.id.as_str()).collect();
    assert_eq!(ids, ["..%2F..%2Fx", super::machine::SESSION]);
    for path in house.keys(&brigade_core::key::Room::Transcripts).await {
        assert!(path.as_str().starts_with("demo/sessions/claude-code/"), "{path}");
        assert!(path.as_str().split('/').all(|piece| piece != ".."), "{path}");
    }
}
