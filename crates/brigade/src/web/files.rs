//! What never changes while the program runs: styles and modules, part of the binary.

use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

/// Name, type and content. Whoever adds a module to the pages adds it here.
const FILES: &[(&str, &str, &str)] = &[
    ("style.css", "text/css; charset=utf-8", include_str!("../../static/style.css")),
    ("app.js", SCRIPT, include_str!("../../static/app.js")),
    ("live.js", SCRIPT, include_str!("../../static/live.js")),
    ("keys.js", SCRIPT, include_str!("../../static/keys.js")),
    ("session.js", SCRIPT, include_str!("../../static/session.js")),
    ("graph.js", SCRIPT, include_str!("../../static/graph.js")),
    ("replay.css", "text/css; charset=utf-8", include_str!("../../static/replay.css")),
    ("replay-model.js", SCRIPT, include_str!("../../static/replay-model.js")),
    ("replay-draw.js", SCRIPT, include_str!("../../static/replay-draw.js")),
    ("replay-map.js", SCRIPT, include_str!("../../static/replay-map.js")),
    ("replay-panels.js", SCRIPT, include_str!("../../static/replay-panels.js")),
    ("replay-view.js", SCRIPT, include_str!("../../static/replay-view.js")),
    ("replay-beside.js", SCRIPT, include_str!("../../static/replay-beside.js")),
    ("replay-page.js", SCRIPT, include_str!("../../static/replay-page.js")),
    // Idiomorph 0.8.0, 0BSD (static/idiomorph.LICENSE), as it is published.
    ("idiomorph.js", SCRIPT, include_str!("../../static/idiomorph.js")),
    ("icon.svg", "image/svg+xml", include_str!("../../static/icon.svg")),
];
const SCRIPT: &str = "text/javascript; charset=utf-8";

pub async fn file(Path(name): Path<String>, headers: HeaderMap) -> Response {
    let Some((_, kind, text)) = FILES.iter().find(|(known, ..)| *known == name) else {
        return (StatusCode::NOT_FOUND, "there is no such file\n").into_response();
    };
    let tag = tag(text);
    let caching = [(header::CACHE_CONTROL, "no-cache".to_owned()), (header::ETAG, tag.clone())];
    if headers.get(header::IF_NONE_MATCH).is_some_and(|known| *known == *tag) {
        return (StatusCode::NOT_MODIFIED, caching).into_response();
    }
    (caching, [(header::CONTENT_TYPE, *kind)], *text).into_response()
}

fn tag(text: &str) -> String {
    let hash = Sha256::digest(text);
    let hex: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hex}\"")
}
