//! A folder store that remembers lists what one lists that does not.

use std::time::Duration;

use super::*;
use crate::cache::Drawer;
use crate::testing::TestEntropy;

/// More than the 10 ms in which a file system may date, for tests that cannot wait two seconds.
const SHORT: Duration = Duration::from_millis(25);

fn remembering(place: &Place, drawer: &TempDir) -> DirStore {
    let store = DirStore::open(place.dir.path(), testing::world(2)).unwrap();
    let mut store = store.remembering(Drawer::at(drawer.path()));
    if let Some(recall) = &mut store.recall {
        recall.young = jiff::SignedDuration::try_from(SHORT).unwrap();
    }
    store
}

#[allow(clippy::disallowed_methods, reason = "the file system's clock is the real one")]
fn pass() {
    std::thread::sleep(SHORT + Duration::from_millis(15));
}

fn rows(store: &DirStore, ask: &List) -> Page {
    store.list(ask).now_or_never().unwrap().unwrap().value
}

fn put(store: &DirStore, key: &str, condition: If) {
    store.put(&path(key), Bytes::from_static(b"{}"), condition).now_or_never().unwrap().unwrap();
}

/// A folder that is known to be local, or the reason why there is nothing to test.
fn is_local(store: &DirStore) -> bool {
    if store.recall.is_none() {
        eprintln!("skipped: the temporary folder is on no file system that is known to be local");
    }
    store.recall.is_some()
}

#[test]
fn whatever_happens_to_a_folder_the_rows_are_those_of_a_fresh_look() {
    for seed in 0..3 {
        let (place, drawer) = (Place::new(), tempfile::tempdir().unwrap());
        let mut store = remembering(&place, &drawer);
        if !is_local(&store) {
            return;
        }
        let chance = TestEntropy::new(seed);
        for task in 0..60 {
            put(&place.store, &format!("p/steps/t-{task}/00000000.json"), If::Absent);
        }
        for step in 0..50 {
            let task = chance.below(60);
            let there = |key: &str| place.file(key).exists();
            match chance.below(9) {
                0 => put(&place.store, &format!("p/steps/t-{task}/{step:08}.json"), If::Absent),
                1 => put(&place.store, &format!("p/agents/a-{task}/beat.json"), If::Always),
                2 => put(&place.store, &format!("p/steps/t-{task}-{step}/a/b.json"), If::Absent),
                3 => {
                    let gone = path(&format!("p/steps/t-{task}/00000000.json"));
                    place.store.delete(&gone).now_or_never().unwrap().unwrap();
                }
                4 if there(&format!("p/steps/t-{task}")) => {
                    fs::remove_dir_all(place.file(&format!("p/steps/t-{task}"))).unwrap();
                }
                5 if there(&format!("p/steps/t-{task}")) => {
                    let (from, to) = (format!("p/steps/t-{task}"), format!("p/steps/m-{step}"));
                    fs::rename(place.file(&from), place.file(&to)).unwrap();
                }
                // Deleted and made again at once, with other things in it.
                6 => {
                    fs::remove_dir_all(place.file("p/steps")).unwrap();
                    for task in 0..chance.below(60) {
                        place.plant(&format!("p/steps/t-{task}/00000001.json"), b"{ }");
                    }
                    fs::create_dir_all(place.file("p/steps")).unwrap();
                }
                7 => lie(&drawer, &chance),
                _ => pass(),
            }
            if chance.below(3) == 0 {
                store = remembering(&place, &drawer);
            }
            for ask in [List::all(Folder::root()), List::all(folder("p/steps"))] {
                assert_eq!(rows(&store, &ask), rows(&place.store, &ask), "seed {seed}, {step}");
            }
        }
    }
}

/// Does something to what was kept that no process of ours does.
fn lie(drawer: &TempDir, chance: &TestEntropy) {
    let file = drawer.path().join("folders");
    let Some(mut bytes) = fs::read(&file).ok().filter(|bytes| !bytes.is_empty()) else { return };
    match chance.below(4) {
        0 => bytes.truncate(chance.below(bytes.len() as u64) as usize),
        1 => {
            let at = chance.below(bytes.len() as u64) as usize;
            bytes[at] ^= 1 << chance.below(8);
        }
        2 => bytes = vec![0xFF; 1000],
        _ => {
            bytes.iter_mut().skip(7).take(1).for_each(|version| *version = version.wrapping_add(1))
        }
    }
    fs::write(&file, bytes).unwrap();
}

#[test]
fn a_folder_that_did_not_change_is_not_read_again() {
    let (place, drawer) = (Place::new(), tempfile::tempdir().unwrap());
    for task in 0..40 {
        place.plant(&format!("p/steps/t-{task}/00000000.json"), b"{}");
    }
    pass();
    let ask = List::all(Folder::root());
    let store = remembering(&place, &drawer);
    if !is_local(&store) {
        return;
    }
    let before = rows(&store, &ask);
    // What never happens to an object: it is written to where it lies, and no folder tells of it.
    fs::write(place.file("p/steps/t-7/00000000.json"), b"longer than before").unwrap();
    assert_eq!(rows(&remembering(&place, &drawer), &ask), before);
    // The next name in that folder tells of it all.
    place.plant("p/steps/t-7/00000001.json", b"{}");
    assert_eq!(rows(&remembering(&place, &drawer), &ask), rows(&place.store, &ask));
}

#[test]
fn what_is_too_young_is_not_kept() {
    let (place, drawer) = (Place::new(), tempfile::tempdir().unwrap());
    for task in 0..40 {
        place.plant(&format!("p/steps/t-{task}/00000000.json"), b"{}");
    }
    let store = DirStore::open(place.dir.path(), testing::world(2)).unwrap();
    let store = store.remembering(Drawer::at(drawer.path()));
    assert_eq!(rows(&store, &List::all(Folder::root())).objects.len(), 40);
    assert_eq!(fs::read_dir(drawer.path()).unwrap().count(), 0);
}

#[test]
fn a_page_that_is_full_is_continued() {
    let (place, drawer) = (Place::new(), tempfile::tempdir().unwrap());
    for task in 0..40 {
        place.plant(&format!("p/t-{task}/00000000.json"), b"{}");
    }
    pass();
    let store = remembering(&place, &drawer);
    for _ in 0..2 {
        let mut ask = List { limit: 7, ..List::all(Folder::root()) };
        let mut all = Vec::new();
        loop {
            let page = rows(&store, &ask);
            all.extend(page.objects);
            ask.token = page.next;
            if ask.token.is_none() {
                break;
            }
        }
        assert_eq!(all, rows(&place.store, &List::all(Folder::root())).objects);
    }
}

/// So many that several threads look at them, where there are several.
#[test]
fn what_is_looked_at_ahead_is_what_is_there() {
    let (place, drawer) = (Place::new(), tempfile::tempdir().unwrap());
    let store = remembering(&place, &drawer);
    if !is_local(&store) {
        return;
    }
    let write = |task: u32, version: u32| {
        let folder = place.file(&format!("p/steps/t-{task:05}"));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{version:08}.json")), "{}").unwrap();
    };
    (0..2_500).for_each(|task| write(task, 0));
    let ask = List { limit: 10_000, ..List::all(Folder::parse("p/steps").unwrap()) };
    pass();
    assert_eq!(rows(&store, &ask), rows(&place.store, &ask));
    for task in [0, 1_249, 1_250, 2_499, 3_000] {
        write(task, 1);
    }
    for task in [7, 2_400] {
        std::fs::remove_dir_all(place.file(&format!("p/steps/t-{task:05}"))).unwrap();
    }
    let now = rows(&store, &ask);
    assert_eq!(now.objects.len(), 2_500 + 5 - 2);
    assert_eq!(now, rows(&place.store, &ask));
    pass();
    let short = List { limit: 1_700, ..ask.clone() };
    assert_eq!(rows(&store, &short), rows(&place.store, &short));
    assert_eq!(rows(&store, &ask), now);
}
