//! A page that falls: whoever asked for it is told, and the server goes on.

use std::panic::AssertUnwindSafe;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use brigade_core::clock::Clock;
use brigade_core::error::{Error, Kind};
use futures::FutureExt;

use super::answer::{ApiFault, Fault};
use super::watch::Watch;

/// How long is waited before it is looked again.
const REST: std::time::Duration = std::time::Duration::from_secs(5);

/// Answers a panic with 500. What it said went to where the server writes. Nothing is left half done
/// by it: pages only read, and an act that was cut short is settled like one of a killed process.
pub async fn caught(request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(_) => {
            let error = Error::Face {
                kind: Kind::Unexpected,
                message: format!("{path} could not be answered: a fault of brigade"),
                hint: Some("what happened is told where 'brigade serve' writes".into()),
            };
            match path.starts_with("/api/") {
                true => ApiFault(error).into_response(),
                false => Fault(error).into_response(),
            }
        }
    }
}

/// Keeps the one who looks at it, also when a look falls.
pub async fn keep_looking(watch: &Watch, clock: &dyn Clock) {
    while AssertUnwindSafe(watch.keep_looking()).catch_unwind().await.is_err() {
        clock.sleep(REST).await;
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::http::StatusCode;
    use axum::routing::get;
    use tower::ServiceExt;

    use super::*;

    async fn falls() -> &'static str {
        panic!("thrown by a test")
    }

    #[tokio::test]
    async fn a_page_that_panics_is_a_500_and_the_next_one_is_answered() {
        let router = Router::new()
            .route("/falls", get(falls))
            .route("/stands", get(async || "here"))
            .layer(axum::middleware::from_fn(caught));
        let ask = async |path: &str| {
            let request = Request::get(path).body(Body::empty()).unwrap();
            router.clone().oneshot(request).await.unwrap().status()
        };
        assert_eq!(ask("/falls").await, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(ask("/stands").await, StatusCode::OK);
    }
}
