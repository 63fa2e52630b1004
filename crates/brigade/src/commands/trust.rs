//! `trust`: the user's word that a project's data may go where its config says.

use brigade_core::error::{Error, Kind};
use brigade_core::store::address::Address;
use brigade_core::store::open::Place;

use crate::config::{self, Config};
use crate::context::Context;
use crate::place;

pub fn trust(ctx: &Context) -> Result<(), Error> {
    let folder = place::find(&ctx.env).ok_or_else(|| Error::Face {
        kind: Kind::NotSetUp,
        message: "there is no brigade project here or above".into(),
        hint: None,
    })?;
    let mut names = Vec::new();
    if let Some(real) = place::behind_link(&ctx.env, &folder) {
        names.push(config::trust(&ctx.env, &Place::new(Address::Dir(real)))?);
    }
    if let Some(place) = Config::read(&folder)?.place(&folder)? {
        names.push(config::trust(&ctx.env, &place)?);
    }
    if let Some(place) = Config::read(&folder)?.replica_place(&folder)? {
        names.push(config::trust(&ctx.env, &place)?);
    }
    if ctx.report.is_json() {
        return ctx
            .report
            .document(&serde_json::json!({ "trusted": names.last(), "places": names }));
    }
    match names.as_slice() {
        [] => ctx.report.lines("This project stays in its own folder; nothing needs your trust."),
        names => ctx
            .report
            .lines(&format!("From now on this project's data goes to {}", names.join(" and to "))),
    }
}
