//! Real servers, named by the environment: `.ci/run` starts them.

use std::collections::BTreeSet;
use std::sync::Arc;

use brigade_core::store::address::Address;
use brigade_core::store::open::{Created, Credentials, Place, create_place, open};
use brigade_core::store::probe::{self, Verdict};
use brigade_core::store::{Folder, If, List, Store, StoreErrorKind};
use brigade_core::testing;
use bytes::Bytes;
use futures::{StreamExt, stream};
use object_store::aws::{AwsAuthorizer, AwsCredential};
use object_store::client::{HttpRequest, HttpRequestBody};

use crate::support::{fresh_folder, keeps_the_contract, path};

/// The account and key that every Azurite has, printed in its documentation.
const AZURITE_ACCOUNT: &str = "devstoreaccount1";
const AZURITE_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

pub struct Server {
    place: Place,
    keys: Credentials,
    wrong_keys: Credentials,
}

#[allow(clippy::disallowed_methods, reason = "which servers there are is told by the environment")]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

/// The server behind a variable; says aloud when there is none.
pub fn server(name: &str, address: &str) -> Option<Server> {
    let Some(endpoint) = variable(name) else {
        eprintln!("skipped: no real server, because {name} is not set (see .ci/run)");
        return None;
    };
    let address: Address = address.parse().unwrap();
    let place = Place { endpoint: Some(endpoint), ..Place::new(address) };
    let or = |name, default: &str| variable(name).unwrap_or(default.to_owned());
    let key = or("BRIGADE_TEST_S3_KEY", "AKIALOCALTEST");
    let secret = or("BRIGADE_TEST_S3_SECRET", "SKSKSKSKSKSK");
    Some(match name {
        "BRIGADE_TEST_AZURE" => Server {
            place,
            keys: Credentials::azure_key(AZURITE_ACCOUNT, AZURITE_KEY),
            wrong_keys: Credentials::azure_key(
                AZURITE_ACCOUNT,
                AZURITE_KEY.replace("Eby8", "AAAA"),
            ),
        },
        _ => Server {
            place,
            keys: Credentials::s3_keys(&key, secret, None),
            wrong_keys: Credentials::s3_keys(key, "wrong", None),
        },
    })
}

impl Server {
    pub fn address(&self) -> String {
        self.place.address.to_string()
    }

    pub fn store(&self) -> Arc<dyn Store> {
        open(&self.place, &self.keys, testing::real_world()).unwrap()
    }

    pub async fn make(&self) -> Created {
        create_place(&self.place, &self.keys, testing::real_world()).await.unwrap()
    }

    /// The same server, another bucket.
    pub fn elsewhere(&self, address: &str) -> Server {
        let place = Place { address: address.parse().unwrap(), ..self.place.clone() };
        Server { place, keys: self.keys.clone(), wrong_keys: self.wrong_keys.clone() }
    }
}

/// One test for each server, so that each is told as passed or skipped by its own name.
macro_rules! on_each_server {
    ($($check:ident),* $(,)?) => {
        mod s3 { $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $check() {
                if let Some(server) = super::server("BRIGADE_TEST_S3", "s3://brigade-test/pre.fix") {
                    super::$check(server).await;
                }
            }
        )* }
        mod s3_also { $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $check() {
                if let Some(server) = super::server("BRIGADE_TEST_S3_ALSO", "s3://brigade-test") {
                    super::$check(server).await;
                }
            }
        )* }
        mod azure { $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $check() {
                if let Some(server) = super::server("BRIGADE_TEST_AZURE", "az://brigade-test/team") {
                    super::$check(server).await;
                }
            }
        )* }
    };
}

on_each_server!(
    the_contract_is_kept,
    the_probe_finds_that_claims_are_safe,
    a_bucket_is_made_once,
    wrong_keys_are_denied,
    a_missing_bucket_is_no_place,
    pages_go_past_a_thousand,
);

async fn the_contract_is_kept(server: Server) {
    server.make().await;
    keeps_the_contract(server.store(), &testing::real_world()).await;
}

async fn the_probe_finds_that_claims_are_safe(server: Server) {
    server.make().await;
    let (store, world) = (server.store(), testing::real_world());
    let under = fresh_folder(&world);
    for full in [false, true] {
        let started = world.clock.since_boot();
        let proof = match full {
            false => probe::short(&*store, &world, &under).await.unwrap(),
            true => probe::full(&*store, &world, &under).await.unwrap(),
        };
        eprintln!("full: {full}, took {:.1?}", world.clock.since_boot() - started);
        assert!(proof.carries_claims(), "{:#?}", proof.explain());
        assert_eq!((&proof.date_present, proof.left_behind), (&Verdict::Proved, 0));
        let left = store.list(&List::all(under.clone())).await.unwrap().value.objects;
        assert_eq!(left, []);
    }
}

async fn a_bucket_is_made_once(server: Server) {
    let name = fresh_folder(&testing::real_world());
    let scheme = server.place.address.to_string().split_once("://").unwrap().0.to_owned();
    let fresh = server.elsewhere(&format!("{scheme}://{}", name.name()));
    assert_eq!(fresh.make().await, Created::Made);
    assert_eq!(fresh.make().await, Created::WasThere);
    let put = fresh.store().put(&path("a"), Bytes::from_static(b"x"), If::Absent).await;
    put.unwrap();
    assert_eq!(fresh.make().await, Created::WasThere);
    assert!(fresh.store().get(&path("a")).await.unwrap().value.is_some());
}

async fn wrong_keys_are_denied(server: Server) {
    server.make().await;
    let key = path("denied");
    server.store().put(&key, Bytes::from_static(b"secret"), If::Always).await.unwrap();
    if checks_no_keys(&server.place).await {
        eprintln!("skipped: {:?} checks no keys (it is moto)", server.place.endpoint);
        return;
    }
    let world = testing::real_world();
    let store = open(&server.place, &server.wrong_keys, world.clone()).unwrap();
    let kinds = [
        store.get(&key).await.map(drop).unwrap_err().kind,
        store.get(&path("not-there")).await.map(drop).unwrap_err().kind,
        store.get_body(&key).await.map(drop).unwrap_err().kind,
        store.list(&List::all(Folder::root())).await.map(drop).unwrap_err().kind,
        store.put(&key, Bytes::new(), If::Absent).await.map(drop).unwrap_err().kind,
        store.put(&key, Bytes::new(), If::Always).await.map(drop).unwrap_err().kind,
        store.put_body(&key, stream::empty().boxed()).await.map(drop).unwrap_err().kind,
        store.delete(&key).await.map(drop).unwrap_err().kind,
        create_place(&server.place, &server.wrong_keys, world).await.unwrap_err().kind,
    ];
    assert_eq!(kinds, [StoreErrorKind::Denied; 9]);
    let object = server.store().get(&key).await.unwrap().value.unwrap();
    assert_eq!(&object.bytes[..], b"secret");
}

/// moto has a page of its own that no S3 has.
async fn checks_no_keys(place: &Place) -> bool {
    let client = reqwest_client();
    let url = format!("{}/moto-api/config", place.endpoint.as_deref().unwrap());
    client.get(url).send().await.is_ok_and(|answer| answer.status().is_success())
}

async fn a_missing_bucket_is_no_place(server: Server) {
    let scheme = server.place.address.to_string().split_once("://").unwrap().0.to_owned();
    let missing = server.elsewhere(&format!("{scheme}://brigade-never-made/team")).store();
    let key = path("a");
    let kinds = [
        missing.get(&key).await.map(drop).unwrap_err().kind,
        missing.get_body(&key).await.map(drop).unwrap_err().kind,
        missing.list(&List::all(Folder::root())).await.map(drop).unwrap_err().kind,
        missing.put(&key, Bytes::new(), If::Absent).await.map(drop).unwrap_err().kind,
        missing.put_body(&key, stream::empty().boxed()).await.map(drop).unwrap_err().kind,
        missing.delete(&key).await.map(drop).unwrap_err().kind,
    ];
    assert_eq!(kinds, [StoreErrorKind::NoPlace; 6]);
}

async fn pages_go_past_a_thousand(server: Server) {
    server.make().await;
    let (store, under) = (server.store(), fresh_folder(&testing::real_world()));
    let name = |number: usize| under.join(&format!("{number:05}")).unwrap();
    let puts = stream::iter(0..1010).map(|number| {
        let (store, key) = (Arc::clone(&store), name(number));
        async move { store.put(&key, Bytes::new(), If::Absent).await.unwrap() }
    });
    puts.buffer_unordered(16).collect::<Vec<_>>().await;
    let ask = List { limit: 5000, ..List::all(under.clone()) };
    let first = store.list(&ask).await.unwrap().value;
    assert_eq!(first.objects.len(), 1000);
    let last = store.list(&List { token: first.next, ..ask }).await.unwrap().value;
    assert_eq!((last.objects.len(), last.next), (10, None));
    assert_eq!(last.objects[9].path, name(1009));
    let late = store.list(&List::all(under.clone()).after(name(1008))).await.unwrap().value;
    let rows = late.objects.len();
    brigade_core::store::sweep::sweep(&*store, &under).await.unwrap();
    assert!(rows == 1 || late.next.is_some(), "a later page may hold it where `after` is emulated");
}

/// Asked past our own code and object_store's names: the key in the bucket is our key.
#[tokio::test]
async fn keys_are_in_the_bucket_byte_for_byte() {
    for variable in ["BRIGADE_TEST_S3", "BRIGADE_TEST_S3_ALSO"] {
        let Some(server) = server(variable, "s3://brigade-test/raw") else { continue };
        server.make().await;
        let keys = ["bytes/!a%2f%2F%", "bytes/a b+c=d~e", "bytes/ü[x]{y}^`|#?*", "bytes/z&<>\"'"];
        for key in keys {
            server.store().put(&path(key), Bytes::new(), If::Always).await.unwrap();
        }
        let page = raw_list(&server.place, "prefix=raw%2Fbytes%2F").await;
        let found = page.split("<Key>").skip(1).map(|rest| rest.split_once("</Key>").unwrap().0);
        let found: BTreeSet<String> = found.map(unescaped).collect();
        assert_eq!(found, keys.map(|key| format!("raw/{key}")).into(), "{page}");
    }
}

fn unescaped(text: &str) -> String {
    [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#34;", "\""), ("&apos;", "'")]
        .into_iter()
        .chain([("&#39;", "'"), ("&amp;", "&")])
        .fold(text.to_owned(), |text, (escape, letter)| text.replace(escape, letter))
}

async fn raw_list(place: &Place, query: &str) -> String {
    let url = format!("{}/brigade-test?list-type=2&{query}", place.endpoint.as_deref().unwrap());
    let mut request = HttpRequest::new(HttpRequestBody::empty());
    *request.uri_mut() = url.parse().unwrap();
    let credential = AwsCredential {
        key_id: variable("BRIGADE_TEST_S3_KEY").unwrap_or("AKIALOCALTEST".to_owned()),
        secret_key: variable("BRIGADE_TEST_S3_SECRET").unwrap_or("SKSKSKSKSKSK".to_owned()),
        token: None,
    };
    AwsAuthorizer::new(&credential, "s3", "us-east-1").try_authorize(&mut request, None).unwrap();
    let headers = request.headers().clone();
    reqwest_client().get(url).headers(headers).send().await.unwrap().text().await.unwrap()
}

fn reqwest_client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().tls_certs_only([]).build().unwrap()
}
