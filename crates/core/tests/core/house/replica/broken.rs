//! What may stop, double or deceive those who carry a copy on.

use std::sync::Arc;

use async_trait::async_trait;
use brigade_core::Project;
use brigade_core::error::{Error, Kind};
use brigade_core::house::{Cursor, Flush, Flushed};
use brigade_core::store::{
    Answer, Body, If, List, Object, ObjectPath, Page, Put, Store, StoreError,
};
use bytes::Bytes;

use super::{assert_equal, flush, scene};
use crate::crash::life::{Counted, End, Life, Mortal, MortalState};
use crate::house::destination_called;
use crate::verbs_support::{Gate, House, Puts, claim, complete, ram_state, refusal, send};

/// Carries until it is stopped; whether it came through.
async fn until(
    house: &House,
    to: &Arc<dyn Store>,
    end: End,
    saved: &std::sync::Mutex<Cursor>,
) -> (bool, usize) {
    let life = Life::until(end, Counted::Requests);
    let mortal = |inner: &Arc<dyn Store>| -> Arc<dyn Store> {
        Arc::new(Mortal { inner: inner.clone(), life: life.clone() })
    };
    let state = Arc::new(MortalState { inner: ram_state(), life: life.clone() });
    let session = house.session(mortal(&house.store), "carrier", &(state as _));
    let (carrier, there) = (Project::new(session), mortal(to));
    let mut cursor = saved.lock().unwrap().clone();
    let save = |cursor: &Cursor| {
        *saved.lock().unwrap() = cursor.clone();
        Ok(())
    };
    let errand = Flush {
        to: there,
        truth: destination_called("/home/ann/project/.brigade"),
        look: true,
        is_over: &|| false,
        save: &save,
    };
    let act = carrier.replica();
    let done: Option<Result<Flushed, Error>> = life.lived(act.flush(&mut cursor, &errand)).await;
    (done.map(Result::unwrap).is_some(), life.calls())
}

#[tokio::test(start_paused = true)]
async fn a_flush_that_is_stopped_at_any_request_is_finished_by_the_next() {
    let (house, to) = scene().await;
    let (through, calls) = until(&house, &to, End::Never, &Default::default()).await;
    assert!(through && calls > 20, "{calls} calls");
    for keeps_cursor in [true, false] {
        for end in (0..calls).map(End::Before).chain([End::After(calls - 1)]) {
            let ((house, to), saved) = (scene().await, Default::default());
            assert!(!until(&house, &to, end, &saved).await.0, "{end:?}");
            // The agents never hear of it.
            send(&house.agent("designer"), "developer", "two").await.unwrap();
            let mut cursor = match keeps_cursor {
                true => saved.into_inner().unwrap(),
                false => Cursor::default(),
            };
            let done = flush(&house.agent("heir"), &to, &mut cursor, false).await;
            assert!(done.unwrap_or_else(|error| panic!("{end:?}: {error}")).is_whole, "{end:?}");
            assert_equal(&house, &to).await;
        }
    }
    eprintln!("stopped {} times", 2 * (calls + 1));
}

#[tokio::test(start_paused = true)]
async fn two_that_carry_at_once_while_agents_work_leave_one_whole_copy() {
    for seed in 0..20 {
        let house = House::seeded(seed).await;
        let to = crate::house::new_place(&house);
        let slow = house.slow_to_answer("", std::time::Duration::from_millis(7 * (seed + 1)));
        let work = async {
            for n in 0..12 {
                let who = house.agent(["ada", "ben", "cyd"][n % 3]);
                claim(&who, &format!("t{n}")).await.unwrap();
                complete(&who, &format!("t{n}")).await.unwrap();
                send(&who, "reader", &format!("{n}")).await.unwrap();
            }
        };
        let carry = |store: Arc<dyn Store>| {
            let (house, to) = (&house, to.clone());
            async move {
                let carrier = house.through(store, "carrier", &ram_state());
                let mut cursor = Cursor::default();
                for _ in 0..4 {
                    flush(&carrier, &to, &mut cursor, false).await.unwrap();
                }
                cursor
            }
        };
        let ((), mut one, mut other) =
            futures::join!(work, carry(house.store.clone()), carry(slow as _));
        for cursor in [&mut one, &mut other] {
            let done = flush(&house.agent("carrier"), &to, cursor, true).await.unwrap();
            assert!(done.is_whole && done.kept == 0, "seed {seed}: {done:?}");
        }
        assert_equal(&house, &to).await;
    }
}

/// Says that it has stored what it has not.
#[derive(Debug)]
struct Liar {
    inner: Arc<dyn Store>,
    about: &'static str,
}

#[async_trait]
impl Store for Liar {
    async fn get(&self, path: &ObjectPath) -> Result<Answer<Option<Object>>, StoreError> {
        self.inner.get(path).await
    }

    async fn put(
        &self,
        path: &ObjectPath,
        body: Bytes,
        condition: If,
    ) -> Result<Answer<Put>, StoreError> {
        if path.as_str().contains(self.about) {
            return Ok(Answer::new(Put::Stored, None));
        }
        self.inner.put(path, body, condition).await
    }

    async fn list(&self, ask: &List) -> Result<Answer<Page>, StoreError> {
        self.inner.list(ask).await
    }

    async fn delete(&self, path: &ObjectPath) -> Result<Answer<()>, StoreError> {
        self.inner.delete(path).await
    }

    async fn put_body(&self, path: &ObjectPath, body: Body) -> Result<Answer<u64>, StoreError> {
        self.inner.put_body(path, body).await
    }

    async fn get_body(&self, path: &ObjectPath) -> Result<Answer<Option<Body>>, StoreError> {
        self.inner.get_body(path).await
    }

    fn place(&self) -> String {
        self.inner.place()
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_lies_is_found_out_and_what_it_lacks_is_sent_again() {
    let (house, to) = scene().await;
    let (carrier, mut cursor) = (house.agent("carrier"), Cursor::default());
    let liar: Arc<dyn Store> = Arc::new(Liar { inner: to.clone(), about: "/memory/" });
    let (kind, words) = refusal(flush(&carrier, &liar, &mut cursor, false).await);
    assert_eq!(kind, Kind::Store);
    assert!(words.contains("its listing lacks 1 object that it has just acknowledged"), "{words}");
    assert_eq!(cursor.as_of, None);
    let done = flush(&carrier, &to, &mut cursor, false).await.unwrap();
    assert_eq!((done.sent, done.is_whole), (1, true));
    assert_equal(&house, &to).await;
    // What is lost there later is seen when it is looked at.
    let memory = house.layout.folder(&brigade_core::key::Room::MemoryAll);
    to.delete(&memory.join("a/b/00000000.json").unwrap()).await.unwrap();
    assert_eq!(flush(&carrier, &to, &mut cursor, false).await.unwrap().lost_there, 0);
    let done = flush(&carrier, &to, &mut cursor, true).await.unwrap();
    assert_eq!((done.lost_there, done.sent), (1, 1));
    assert_equal(&house, &to).await;
    assert_eq!(carrier.replica().verify(&mut cursor, &to).await.unwrap().differing, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_answer_takes_nothing_and_loses_nothing() {
    let (house, to) = scene().await;
    let (carrier, mut cursor) = (house.agent("carrier"), Cursor::default());
    let gate = Gate::new(to.clone());
    let there: Arc<dyn Store> = gate.clone();
    for puts in [Puts::Dropped, Puts::Unreachable, Puts::Unanswered, Puts::LostToThemselves] {
        gate.shut_puts("/steps/", puts);
        let done = flush(&carrier, &there, &mut cursor, false).await;
        let kept = matches!(puts, Puts::LostToThemselves | Puts::Unanswered);
        assert!(done.is_ok() || !kept, "{puts:?}: {done:?}");
        gate.open();
        claim(&house.agent("designer"), &format!("{puts:?}").to_lowercase()).await.unwrap();
    }
    assert!(flush(&carrier, &there, &mut cursor, true).await.unwrap().is_whole);
    assert_equal(&house, &to).await;
}

#[tokio::test(start_paused = true)]
async fn objects_that_are_not_what_the_project_has_are_found_by_reading_both() {
    let (house, to) = scene().await;
    let (carrier, mut cursor) = (house.agent("carrier"), Cursor::default());
    flush(&carrier, &to, &mut cursor, false).await.unwrap();
    let memory = house.layout.folder(&brigade_core::key::Room::MemoryAll);
    let path = memory.join("a/b/00000000.json").unwrap();
    let was = to.get(&path).await.unwrap().value.unwrap().bytes;
    to.delete(&path).await.unwrap();
    // Of the same size: no listing tells.
    to.put(&path, Bytes::from(vec![b'x'; was.len()]), If::Absent).await.unwrap();
    let found = carrier.replica().verify(&mut cursor, &to).await.unwrap();
    assert_eq!(found.differing, [path.to_string()]);
    assert!(found.equal > 3 && found.behind.is_empty(), "{found:?}");
}
