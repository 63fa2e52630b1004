//! Acting: the session introduces itself, keeps its lease alive, and commits documents.

use std::time::Duration;

use super::handle::{Beat, Hello, Session};
use super::lease::{self, Mine};
use super::state::{Claims, Facts, LeaseState, Purpose, State};
pub(crate) use super::write::Committed;
use crate::error::Error;
use crate::id::SessionId;
use crate::key::{Key, Room};
use crate::project::ProjectDocument;
use crate::session::handle::Listing;
use crate::store::{Depth, If, Listed, ObjectPath, StoreError, StoreErrorKind};

/// How many sessions of one's own name are looked at before a session starts: enough to say aloud
/// that one of them lives, and no more however many there were.
const NAMESAKES: usize = 8;

impl Session {
    /// What every act starts with: settle what is undecided, be introduced, renew the lease when a
    /// third of it is used up. Costs no request when there is nothing to do.
    pub(crate) async fn begin(&self) -> Result<State, Error> {
        let mut state = self.update(|_| {})?;
        if self.is_over(&state) {
            state = self.start_anew()?;
        }
        let _ = self.is_still_here().await?;
        if !state.undecided.is_empty() {
            state = self.settle(state).await?;
        }
        // What a place was proved to honour does not move along.
        let place = self.store.place();
        if state.facts.as_ref().is_none_or(|facts| facts.place.as_ref() != Some(&place)) {
            state = self.learn_facts().await?;
        }
        if !state.lease.introduced {
            return self.introduce(state).await.map_err(as_preliminary);
        }
        match self.lease_of(&state) {
            Mine::Fresh => Ok(state),
            // A lease that still holds does not stop the act; the next one renews it.
            Mine::Due => Ok(self.try_beat().await?.unwrap_or(state)),
            Mine::Lapsed => self.beat(None).await,
        }
    }

    /// What a command that only reads starts with: a running session stays alive, and nobody is
    /// introduced for having looked.
    pub(crate) async fn touch(&self) -> Result<(), Error> {
        self.can_be_looked_at().await?;
        let Some(state) = self.remembered()? else { return Ok(()) };
        if state.lease.introduced && !self.is_over(&state) && self.lease_of(&state) != Mine::Fresh {
            self.try_beat().await?;
        }
        Ok(())
    }

    /// Sends a sign of life now.
    pub async fn beat(&self, doing: Option<String>) -> Result<State, Error> {
        self.send_beat(doing, false).await
    }

    /// Says goodbye: the lease is over at once, and the next act is a new session's.
    pub(crate) async fn end(&self) -> Result<State, Error> {
        self.send_beat(None, true).await
    }

    /// Signed off, in another agent's name, or from before the machine was started again. The last
    /// because a power cut can throw a state file back by seconds: a number that is given out twice
    /// in one stream may land where its reader has read, and deleted, already.
    fn is_over(&self, state: &State) -> bool {
        let boot = lease::millis(self.world.clock.since_boot());
        state.lease.ended || state.agent != self.agent || boot < state.lease.sent_boot_ms
    }

    /// A new session id, with what does not belong to the old one: writes whose outcome is open
    /// are still settled, and an agent that goes on has uploaded what it has uploaded.
    fn start_anew(&self) -> Result<State, Error> {
        let entropy = self.world.entropy.clone();
        self.update(|state| {
            if !self.is_over(state) {
                return;
            }
            let old = std::mem::replace(
                state,
                State::fresh(SessionId::draw(&*entropy), self.agent.clone()),
            );
            state.hlc = old.hlc;
            state.facts = old.facts;
            state.next_numbers = old.next_numbers;
            state.undecided = old.undecided;
            if old.agent == self.agent {
                state.artifacts = old.artifacts;
                state.cursor = old.cursor;
            }
        })
    }

    async fn learn_facts(&self) -> Result<State, Error> {
        let Some(found) = self.read::<ProjectDocument>(&Key::Project).await? else {
            return Err(Error::NotSetUp(format!(
                "there is no project {} in {}",
                self.layout.project(),
                self.store.place()
            )));
        };
        let facts = Facts {
            place: Some(self.store.place()),
            claims: found.record.body.claims(),
            default_ttl_ms: found.record.body.default_ttl_ms,
            id_shape: found.record.body.id_shape.clone(),
            review_limit: found.record.body.review_limit,
            requires_signatures: found.record.body.requires_signatures,
        };
        self.update(|state| state.facts = Some(facts.clone()))
    }

    async fn introduce(&self, state: State) -> Result<State, Error> {
        if let Err(error) = self.warn_of_namesakes(&state).await {
            self.notice(format!("who else is called {} could not be seen: {error}", self.agent));
        }
        let facts_ttl =
            state.facts.as_ref().map(|facts| Duration::from_millis(facts.default_ttl_ms));
        let ttl = self.ttl.or(facts_ttl).unwrap_or(lease::DEFAULT_TTL);
        let (sent_at, sent_boot) = (self.now(), self.world.clock.since_boot());
        let hello = Hello { ttl_ms: lease::millis(ttl), profile: self.profile.clone() };
        let key = Key::Hello { agent: self.agent.clone(), sid: state.sid.clone() };
        let sid = state.sid.clone();
        let introduced = |state: &mut State| {
            if state.sid == sid {
                state.lease.introduced = true;
                if !self.profile.capabilities.is_empty() {
                    state.capabilities.clone_from(&self.profile.capabilities);
                }
                self.note_beat(&mut state.lease, sent_at, sent_boot, ttl);
            }
        };
        let what = "the session's introduction";
        match self.commit_as(&sid, &key, hello, Purpose::Other, what, introduced).await? {
            Committed::Won(_) => self.update(|_| {}),
            // It is there already: a sibling's of a moment ago, or one of ours of unknown outcome.
            // How old it is we do not know, so only a beat makes a lease that we may count on.
            Committed::Lost(_) => {
                self.update(|state| {
                    state.lease.introduced = true;
                    state.lease.ttl_ms = state.lease.ttl_ms.max(lease::millis(ttl));
                })?;
                self.beat(None).await
            }
        }
    }

    /// Two live sessions under one name are allowed, and said aloud. Only what the listing shows to
    /// be young enough to live is fetched, the youngest first.
    async fn warn_of_namesakes(&self, state: &State) -> Result<(), Error> {
        let listing = self.list(&Room::AgentSessions(self.agent.clone()), Depth::All).await?;
        let listing = self.youngest(listing, &state.sid);
        for session in crate::roster::sessions(self, &listing, None).await? {
            if session.is_alive() {
                self.notice(format!(
                    "another live session is called {}: {} (last seen {}). Give each agent a name of \
                     its own with --agent or BRIGADE_AGENT",
                    self.agent,
                    session.whereabouts(),
                    crate::text::clock_and_distance(session.last_seen, self.now()),
                ));
            }
        }
        Ok(())
    }

    fn youngest(&self, listing: Listing, but: &SessionId) -> Listing {
        // Without the store's time nobody is seen to live.
        let Some(now) = listing.store_time else { return Listing::default() };
        let sid_of = |path: &ObjectPath| match self.layout.parse(path) {
            Some(Key::Hello { sid, .. } | Key::Beat { sid, .. }) if sid != *but => Some(sid),
            _ => None,
        };
        let longest = lease::LONGEST_TTL + lease::grace(lease::LONGEST_TTL);
        let mut young: Vec<_> = listing
            .objects
            .iter()
            .filter(|row| lease::age(row.modified, now) < longest)
            .filter_map(|row| Some((row.modified, sid_of(&row.path)?)))
            .collect();
        young.sort_by(|a, b| b.cmp(a));
        let mut sids: Vec<SessionId> = Vec::new();
        for (_, sid) in young {
            if sids.len() < NAMESAKES && !sids.contains(&sid) {
                sids.push(sid);
            }
        }
        let is_young = |row: &Listed| sid_of(&row.path).is_some_and(|sid| sids.contains(&sid));
        let objects = listing.objects.into_iter().filter(is_young).collect();
        Listing { objects, ..listing }
    }

    /// What the lease is worth to us. One that was asked to last otherwise is due.
    fn lease_of(&self, state: &State) -> Mine {
        let seen = lease::mine(&state.lease, self.now(), self.world.clock.since_boot());
        let other_ttl = self.ttl.is_some_and(|ttl| lease::millis(ttl) != state.lease.ttl_ms);
        if seen == Mine::Fresh && other_ttl { Mine::Due } else { seen }
    }

    /// Renews the lease if the store lets us, and says so if not.
    async fn try_beat(&self) -> Result<Option<State>, Error> {
        match self.beat(None).await {
            Ok(state) => Ok(Some(state)),
            Err(error @ Error::State(_)) => Err(error),
            Err(error) => {
                self.notice(format!("the lease could not be renewed: {error}"));
                Ok(None)
            }
        }
    }

    async fn send_beat(&self, doing: Option<String>, ended: bool) -> Result<State, Error> {
        let (sent_at, sent_boot) = (self.now(), self.world.clock.since_boot());
        let said = &self.profile.capabilities;
        let state = self.tick()?;
        let state = match said.is_empty() {
            true => state,
            false => self.update(|state| state.capabilities.clone_from(said))?,
        };
        let ttl = self.ttl.unwrap_or(match state.lease.ttl_ms {
            0 => lease::DEFAULT_TTL,
            ms => Duration::from_millis(ms),
        });
        let beat = Beat {
            ttl_ms: lease::millis(ttl),
            tasks: state.holds.keys().map(ToString::to_string).collect(),
            doing,
            capabilities: state.capabilities.clone(),
            ended,
        };
        let key = Key::Beat { agent: self.agent.clone(), sid: state.sid.clone() };
        let path = self.layout.path(&key);
        let bytes = self.seal(&path, &self.stamp(&state, beat))?;
        // Always: only this session writes it, and a lost beat costs nothing but time.
        self.store.put(&path, bytes, If::Always).await?;
        let sid = state.sid;
        self.update(|state| {
            if state.sid == sid {
                self.note_beat(&mut state.lease, sent_at, sent_boot, ttl);
                // A sibling's beat that was under way does not take a goodbye back.
                state.lease.ended |= ended;
            }
        })
    }

    /// A renewal after a lapse starts a new epoch: whatever was held is taken anew before it is acted
    /// on, so that a takeover which was decided while we slept cannot land on a hold that we believe in.
    fn note_beat(
        &self,
        lease: &mut LeaseState,
        sent_at: jiff::Timestamp,
        sent_boot: Duration,
        ttl: Duration,
    ) {
        let (sent, now) = (lease::millis(sent_boot), lease::millis(self.world.clock.since_boot()));
        if sent < lease.sent_boot_ms && lease.sent_boot_ms <= now {
            // A sibling's, sent after ours, was acknowledged before: it stands, and nothing lapsed.
            return;
        }
        if lease::mine(lease, sent_at, sent_boot) == Mine::Lapsed {
            lease.epoch += 1;
        }
        lease.sent_at = Some(sent_at);
        lease.sent_boot_ms = sent;
        lease.ttl_ms = lease::millis(ttl);
    }
}

impl Facts {
    /// Whether claims may be made here, and whether they must be called best effort.
    pub fn allow_claims(&self) -> Result<bool, Error> {
        match self.claims {
            Claims::Atomic => Ok(true),
            Claims::BestEffort => Ok(false),
            Claims::Refused => Err(Error::RacyStore),
        }
    }
}

/// What comes before the act and failed. That its outcome is unknown must not be taken for the
/// act's own: the act was not tried, and nothing will do it later.
fn as_preliminary(error: Error) -> Error {
    match error {
        Error::Unknown { what } => StoreError::new(
            StoreErrorKind::Timeout,
            format!("putting {what}"),
            "nothing else was tried",
        )
        .into(),
        error => error,
    }
}
