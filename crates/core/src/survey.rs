//! Looking at a whole project: its listing, the heads of its logs, and documents of every kind.

mod kept;

use std::collections::BTreeMap;
use std::num::NonZero;

use futures::future::try_join_all;
use futures::stream::{self, StreamExt};

use crate::error::Error;
use crate::id::TaskId;
use crate::key::transcript::Piece;
use crate::key::{Key, Number, Room};
use crate::record::{self, Document, Raw, Unreadable};
use crate::session::Session;
use crate::session::handle::{Beat, Hello, Listing};
use crate::session::past::Past;
use crate::signature::Origin;
use crate::store::{Answer, Depth, Folder, List, Listed, Object, ObjectPath, StoreError};
use crate::task::TaskVersion;
use crate::task::hold::{self, Head};

/// How many objects are fetched at once, as everywhere.
const FETCHES: usize = 16;
/// Mirrored transcripts: many objects, and none of them says who did what.
const TRANSCRIPTS: &str = "sessions";

/// What lies in these rooms. One request while the whole project fits one page, which then tells of
/// the other rooms, too; from then on one listing of each, at once. A folder is not asked for what
/// nobody wants: there a listing costs by what it finds.
pub(crate) async fn rooms(session: &Session, rooms: &[Room]) -> Result<Listing, Error> {
    if session.store.root().is_none()
        && let Some(all) = on_one_page(session).await?
    {
        return Ok(all);
    }
    let listings = rooms.iter().map(|room| session.list(room, Depth::All));
    Ok(joined(try_join_all(listings).await?))
}

/// What lies in some rooms, and then in others: what is moved from one of the first into one of the
/// others while it is listed is seen in one of them.
pub(crate) async fn rooms_in_turn(
    session: &Session,
    first: Room,
    then: Room,
) -> Result<Listing, Error> {
    if session.store.root().is_none()
        && let Some(all) = on_one_page(session).await?
    {
        return Ok(all);
    }
    let first = session.list(&first, Depth::All).await?;
    Ok(joined(vec![first, session.list(&then, Depth::All).await?]))
}

/// The same for every room there is, whatever later versions call theirs, but for transcripts.
pub(crate) async fn everything(session: &Session) -> Result<Listing, Error> {
    if let Some(all) = on_one_page(session).await? {
        return Ok(all);
    }
    let top = session.list(&Room::All, Depth::Children).await?;
    // In turn, so that what is archived meanwhile is seen where it was or where it is.
    let last = [Room::Steps, Room::Archive];
    let is_last = |folder: &Folder| last.iter().any(|room| session.layout.folder(room) == *folder);
    let folders = top.folders.iter().filter(|folder| folder.name() != TRANSCRIPTS);
    let first = folders.filter(|folder| !is_last(folder)).map(|folder| below(session, folder));
    let mut listings = try_join_all(first).await?;
    for room in &last {
        listings.push(session.list(room, Depth::All).await?);
    }
    let mut all = joined(listings);
    all.objects.extend(top.objects);
    Ok(all)
}

/// What of the tasks of a whole listing lies in segments: the versions below their floors, and their
/// comments. No request while nothing was ever archived.
pub(crate) async fn archived(
    session: &Session,
    listing: &Listing,
) -> Result<BTreeMap<ObjectPath, Object>, Error> {
    let mut all = BTreeMap::new();
    if listing.below(session.layout.folder(&Room::Archive)).next().is_none() {
        return Ok(all);
    }
    let mut past = Past::default();
    for head in heads(session, listing).await? {
        let task = &head.record.body.task;
        let Some(archived) = &task.fields.archive else { continue };
        past.load(session, archived).await;
        for room in [Room::StepLog(task.id.clone()), Room::CommentsOn(task.id.clone())] {
            all.extend(past.below(session, archived, &room));
        }
    }
    Ok(all)
}

/// The newest version of each task of a listing, by name. What this machine has kept of them is not
/// read again.
pub(crate) async fn heads(session: &Session, listing: &Listing) -> Result<Vec<Head>, Error> {
    let rows = newest(session, listing);
    let mut heads = kept_heads(session, &rows);
    let missing: Vec<usize> = (0..rows.len()).filter(|at| heads[*at].is_none()).collect();
    let wanted = missing.iter().map(|at| rows[*at].1.clone()).collect();
    let found = session.read_listed::<TaskVersion>(wanted, listing.store_time).await?;
    let mut found = found.into_iter().peekable();
    let mut gone = Vec::new();
    for at in &missing {
        let (version, row) = rows[*at];
        match found.next_if(|(path, _)| *path == row.path) {
            Some((_, found)) => heads[*at] = Some(Head::of(version, found)),
            None => gone.push(*at),
        }
    }
    if let Some(drawer) = &session.drawer {
        let known: Vec<(&Listed, &Head)> = rows
            .iter()
            .zip(&heads)
            .filter_map(|((_, row), head)| Some((*row, head.as_ref()?)))
            .collect();
        let entropy = &*session.world.entropy;
        kept::keep(drawer, entropy, &known, missing.len(), listing.store_time);
    }
    for at in gone {
        heads[at] = archived_meanwhile(session, rows[at].1).await;
    }
    let newest_at = listing.store_time;
    let seen = |head: Head| Head { newest_at: head.newest_at.or(newest_at), ..head };
    Ok(heads.into_iter().flatten().map(seen).collect())
}

/// A head that was listed and was not found: its log was archived in between, and has another one.
/// What cannot be read was told of, and is left out.
async fn archived_meanwhile(session: &Session, row: &Listed) -> Option<Head> {
    let Some(Key::Step { task, version }) = session.layout.parse(&row.path) else { return None };
    let head = hold::head(session, &task, None).await.ok()??;
    (head.version > version).then_some(head)
}

/// The row of each task's newest version, by the tasks' names.
fn newest<'l>(session: &Session, listing: &'l Listing) -> Vec<(Number, &'l Listed)> {
    let mut newest: BTreeMap<TaskId, (Number, &Listed)> = BTreeMap::new();
    for row in listing.below(session.layout.folder(&Room::Steps)) {
        if let Some(Key::Step { task, version }) = session.layout.parse(&row.path) {
            let head = newest.entry(task).or_insert((version, row));
            if head.0 < version {
                *head = (version, row);
            }
        }
    }
    newest.into_values().collect()
}

fn kept_heads(session: &Session, rows: &[(Number, &Listed)]) -> Vec<Option<Head>> {
    let bytes = session.drawer.as_ref().and_then(kept::load).unwrap_or_default();
    match kept::Kept::parse(&bytes) {
        Some(kept) => {
            let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
            kept.heads(rows, &unsigned(session), threads)
        }
        None => rows.iter().map(|_| None).collect(),
    }
}

/// What is known of who wrote a document without a signature; only such heads are kept.
fn unsigned(session: &Session) -> Origin {
    session.origin(&session.layout.path(&Key::Project), b"{}", &session.agent)
}

/// Objects as they are, in the order asked for; what happened to each one stays with it.
pub(crate) async fn fetch(
    session: &Session,
    paths: Vec<ObjectPath>,
) -> Vec<(ObjectPath, Result<Answer<Option<Object>>, StoreError>)> {
    let fetch = |path: ObjectPath| async move {
        let answer = session.store.get(&path).await;
        (path, answer)
    };
    stream::iter(paths.into_iter().map(fetch)).buffered(FETCHES).collect().await
}

/// The same for rows that a listing has just shown: what is never written again may come from this
/// machine.
pub(crate) async fn fetch_listed(
    session: &Session,
    rows: Vec<Listed>,
) -> Vec<(ObjectPath, Result<Answer<Option<Object>>, StoreError>)> {
    let fetch = |row: Listed| async move {
        let answer = session.get_listed(&row).await;
        (row.path, answer)
    };
    stream::iter(rows.into_iter().map(fetch)).buffered(FETCHES).collect().await
}

/// A document by what its key says that it is; `None` for a key that holds no document of ours.
pub(crate) fn decode(
    key: &Key,
    path: &ObjectPath,
    bytes: &[u8],
) -> Option<Result<Raw, Unreadable>> {
    Some(record::decode_raw(path, bytes, kind_of(key)?))
}

/// The kind of document that a key holds. Some rooms keep their document to themselves; a test
/// writes one of each and reads them all by these words.
pub(crate) fn kind_of(key: &Key) -> Option<&'static str> {
    Some(match key {
        Key::Project => crate::project::ProjectDocument::KIND,
        Key::Moved => crate::project::Moved::KIND,
        Key::Replica => crate::project::ReplicaState::KIND,
        Key::Hello { .. } => Hello::KIND,
        Key::Beat { .. } => Beat::KIND,
        Key::Name { .. } => "name",
        Key::Step { .. } => TaskVersion::KIND,
        Key::Comment { .. } => "comment",
        Key::File { .. } => crate::files::FileVersion::KIND,
        Key::Memory { .. } => "memory",
        Key::Message { .. } => "message",
        Key::Cursor { .. } => "cursor",
        Key::Ack { .. } => "ack",
        Key::Artifact { .. } => "artifact",
        Key::Barrier { .. } => "barrier",
        Key::Event { .. } => crate::event::Event::KIND,
        Key::Transcript { piece: Piece::Head, .. } => "transcript",
        Key::Transcript { piece: Piece::Compaction { .. }, .. } => "compaction",
        Key::ArtifactBody { .. } | Key::Transcript { .. } | Key::Segment { .. } => return None,
    })
}

async fn on_one_page(session: &Session) -> Result<Option<Listing>, Error> {
    let ask = List::all(session.layout.folder(&Room::All));
    let Answer { value: page, store_time } = session.store.list(&ask).await?;
    let all = Listing { objects: page.objects, folders: Vec::new(), store_time };
    Ok(page.next.is_none().then_some(all))
}

async fn below(session: &Session, folder: &Folder) -> Result<Listing, Error> {
    let mut ask = List::all(folder.clone());
    let mut all = Listing::default();
    loop {
        let Answer { value: page, store_time } = session.store.list(&ask).await?;
        all.objects.extend(page.objects);
        all.store_time = store_time;
        match page.next {
            Some(next) => ask.token = Some(next),
            None => return Ok(all),
        }
    }
}

fn joined(listings: Vec<Listing>) -> Listing {
    let mut all = Listing::default();
    for listing in listings {
        all.objects.extend(listing.objects);
        // The earliest answer's: whoever tells an age by it errs on the young side.
        all.store_time = match (all.store_time, listing.store_time) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }
    all
}
