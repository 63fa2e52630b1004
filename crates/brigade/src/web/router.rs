//! Every address there is.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware;
use axum::response::IntoResponse;
use axum::routing::{get, post};

use super::app::App;
use super::pages::{
    agents, artifacts, board, events, files, graph, mail, memory, now, replay, sessions, task,
};
use super::{acts, api, fall, files as embedded, guard, stream};

/// Longest form that is read: a message's limit and what is around it, spelled for a form.
const MOST_READ: usize = 256 * 1024;

pub fn router(app: App) -> Router {
    Router::new()
        .merge(pages())
        .merge(writes())
        .nest("/api", answers())
        .route("/static/{name}", get(embedded::file))
        .fallback(missing)
        .layer(middleware::from_fn(fall::caught))
        .layer(DefaultBodyLimit::max(MOST_READ))
        .layer(middleware::from_fn_with_state(app.clone(), guard::watch_over))
        .with_state(app)
}

fn pages() -> Router<App> {
    Router::new()
        .route("/", get(now::now))
        .route("/board", get(board::board))
        .route("/task/{id}", get(task::task))
        .route("/graph", get(graph::graph))
        .route("/agents", get(agents::agents))
        .route("/agent/{name}", get(agents::agent))
        .route("/files", get(files::files))
        .route("/mail", get(mail::mail))
        .route("/memory", get(memory::memory))
        .route("/memory/{key}", get(memory::key))
        .route("/artifacts", get(artifacts::artifacts))
        .route("/artifact", get(artifacts::artifact))
        .route("/artifact/raw", get(artifacts::raw))
        .route("/events", get(events::events))
        .route("/replay", get(replay::replay))
        .route("/sessions", get(sessions::sessions))
        .route("/session/{harness}/{id}", get(sessions::session))
}

fn writes() -> Router<App> {
    Router::new()
        .route("/task/{id}/comment", post(acts::comment))
        .route("/task/{id}/answer", post(acts::answer))
        .route("/task/{id}/assign", post(acts::assign))
        .route("/task/{id}/release", post(acts::release))
        .route("/mail/send", post(acts::send))
}

fn answers() -> Router<App> {
    Router::new()
        .route("/now", get(api::now))
        .route("/tasks", get(api::tasks))
        .route("/tasks/{id}", get(task::api))
        .route("/graph", get(graph::api))
        .route("/agents", get(agents::api_all))
        .route("/agents/{name}", get(agents::api))
        .route("/files", get(files::api))
        .route("/mail", get(mail::api))
        .route("/memory", get(memory::api_all))
        .route("/memory/{key}", get(memory::api))
        .route("/artifacts", get(artifacts::api))
        .route("/events", get(events::api))
        .route("/replay", get(replay::api))
        .route("/replay/{n}", get(replay::event))
        .route("/sessions", get(sessions::api_all))
        .route("/sessions/{harness}/{id}", get(sessions::api))
        .route("/sessions/{harness}/{id}/at", get(sessions::api_at))
        .route("/health", get(api::health))
        .route("/stream", get(stream::stream))
}

async fn missing() -> impl IntoResponse {
    (StatusCode::NOT_FOUND, "there is no such page; / leads to all of them\n")
}
