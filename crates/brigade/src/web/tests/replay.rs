//! The run as the viewer is sent it.

use axum::http::StatusCode;
use serde_json::Value;

use super::stage::{Stage, create};

async fn json(stage: &Stage, path: &str) -> Value {
    let said = stage.get(path).await;
    assert_eq!(said.status, StatusCode::OK, "{path}: {}", said.body);
    serde_json::from_str(&said.body).unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_the_viewer_is_sent_says_the_same_and_the_rest_is_asked_for() {
    let stage = Stage::reading().await;
    stage.run().await;
    let whole = json(&stage, "/api/replay").await;
    let lean = json(&stage, "/api/replay?lean=1").await;
    let name = |at: &Value| -> Value {
        match at.as_u64().unwrap() {
            0 => Value::Null,
            at => lean["names"][usize::try_from(at).unwrap()].clone(),
        }
    };
    let events = whole["events"].as_array().unwrap();
    assert_eq!(lean["events"].as_array().unwrap().len(), events.len());
    let mut at = 0;
    for (n, (event, row)) in events.iter().zip(lean["events"].as_array().unwrap()).enumerate() {
        at += row[0].as_i64().unwrap();
        let moment: jiff::Timestamp = event["at"].as_str().unwrap().parse().unwrap();
        assert_eq!(moment.as_millisecond(), at);
        let fields = ["agent", "sid", "group", "act", "task", "to", "by", "name"];
        for (place, field) in fields.iter().enumerate() {
            assert_eq!(name(&row[1][place]), event[field], "{field} of {event}");
        }
        assert_eq!((&row[2], &row[3]), (&event["words"], &event["problem"]));
        if !event["change"].is_null() {
            assert_eq!(name(&row[4][0]), event["change"]["status"]);
            assert_eq!(name(&row[4][5]), event["change"]["note"]);
        }
        assert_eq!(json(&stage, &format!("/api/replay/{n}")).await, *event);
    }
    assert!(!lean.to_string().contains("/steps/"), "no event names its object");
    assert_eq!(stage.get("/api/replay/9999").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_was_folded_is_folded_anew_when_something_happens() {
    let stage = Stage::reading().await;
    stage.run().await;
    let before = json(&stage, "/api/replay?lean=1").await["events"].as_array().unwrap().len();
    create(&stage.agent("designer"), "more", "One more", &[]).await;
    stage.clock.advance(std::time::Duration::from_secs(60));
    let after = json(&stage, "/api/replay?lean=1").await["events"].as_array().unwrap().len();
    assert!(after > before, "{after} events, and {before} before");
}
