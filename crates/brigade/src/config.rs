//! Files that say where a project is: its own config, and what the user keeps beside it.
//!
//! A project's config never holds a secret and may have come with a cloned repository, so a place
//! that leaves this machine counts only when the user has named or trusted it. Trust and keys are in
//! the user's own config folder, private.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use brigade_core::error::{Error, Kind};
use brigade_core::id::{AgentId, ProjectName};
use brigade_core::project::Destination;
use brigade_core::store::address::Address;
use brigade_core::store::open::Place;
use serde::{Deserialize, Serialize};

use crate::env::Env;
use crate::place;

/// Largest config file that is read.
const MAX_CONFIG: u64 = 64 * 1024;

/// `.brigade/config.toml`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Config {
    pub project: Option<ProjectName>,
    /// The name given at `init`, for callers that have no other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    /// Where the objects are; without it, in the folder of this file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// How long a lease of this project lasts, in seconds, where nothing else is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl_seconds: Option<u64>,
    /// Where a copy is carried on in the background.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replica: Option<Destination>,
    /// What a later version wrote; kept.
    #[serde(flatten)]
    pub extra: toml::Table,
}

/// Keys of one place, kept because the user gave them to `init`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keys {
    pub access_key: String,
    pub secret_key: String,
}

#[derive(Default, Serialize, Deserialize)]
struct KeyRing {
    #[serde(default)]
    places: std::collections::BTreeMap<String, Keys>,
}

#[derive(Default, Serialize, Deserialize)]
struct Trusted {
    #[serde(default)]
    places: Vec<String>,
}

impl Config {
    pub fn read(folder: &Path) -> Result<Config, Error> {
        read_toml(&folder.join("config.toml"), Links::Refused).map(Option::unwrap_or_default)
    }

    pub fn write(&self, folder: &Path) -> Result<(), Error> {
        write_private(&folder.join("config.toml"), &toml_text(self), 0o644)
    }

    /// The place that this config names, read in `folder`; `None` when the store is that folder itself.
    /// A relative path counts from the project, so that it is one place wherever somebody stands.
    pub fn place(&self, folder: &Path) -> Result<Option<Place>, Error> {
        let Some(store) = &self.store else { return Ok(None) };
        Ok(Some(Place {
            endpoint: self.endpoint.clone(),
            region: self.region.clone(),
            account: self.account.clone(),
            ..Place::new(address(store, folder)?)
        }))
    }

    /// The place of the copy that this config names.
    pub fn replica_place(&self, folder: &Path) -> Result<Option<Place>, Error> {
        let Some(named) = &self.replica else { return Ok(None) };
        Ok(Some(Place {
            endpoint: named.endpoint.clone(),
            region: named.region.clone(),
            account: named.account.clone(),
            ..Place::new(address(&named.store, folder)?)
        }))
    }
}

fn address(store: &str, folder: &Path) -> Result<Address, Error> {
    let address: Address =
        store.parse().map_err(|error| Error::Usage(format!("in config.toml: {error}")))?;
    Ok(match address {
        Address::Dir(path) => Address::Dir(folder.parent().unwrap_or(folder).join(path)),
        bucket @ Address::Bucket { .. } => bucket,
    })
}

/// What stands for a place in the user's key file: address and endpoint.
pub fn place_name(place: &Place) -> String {
    match &place.endpoint {
        Some(endpoint) => format!("{} at {endpoint}", place.address),
        None => place.address.to_string(),
    }
}

/// What the user trusts: all that decides where data goes. A region and an account become part of a
/// server's name.
fn trust_name(place: &Place) -> String {
    let mut name = place_name(place);
    for (what, value) in [("region", &place.region), ("account", &place.account)] {
        if let Some(value) = value {
            name += &format!(" in {what} {value}");
        }
    }
    name
}

/// Whether data may go to a place that a config file named.
pub fn is_trusted(env: &Env, place: &Place) -> Result<bool, Error> {
    let trusted: Trusted = read_toml(&trust_file(env), Links::Followed)?.unwrap_or_default();
    Ok(trusted.places.contains(&trust_name(place)))
}

/// Remembers the user's word for a place; returns how it is named.
pub fn trust(env: &Env, place: &Place) -> Result<String, Error> {
    let mut trusted: Trusted = read_toml(&trust_file(env), Links::Followed)?.unwrap_or_default();
    let name = trust_name(place);
    if !trusted.places.contains(&name) {
        trusted.places.push(name.clone());
        write_private(&trust_file(env), &toml_text(&trusted), 0o600)?;
    }
    Ok(name)
}

/// A `.brigade` that is a symlink leads where its author chose, so it is as good as a config that
/// names the place; what `BRIGADE_DIR` says is the user's own choice.
pub fn check_folder(env: &Env, folder: &Path) -> Result<(), Error> {
    match place::behind_link(env, folder) {
        Some(real) if !is_trusted(env, &Place::new(Address::Dir(real.clone())))? => {
            Err(Error::Face {
                kind: Kind::NotSetUp,
                message: format!(
                    "{} is a symlink to {}, which you have not trusted yet",
                    folder.display(),
                    real.display()
                ),
                hint: Some("if that is where it should go: 'brigade trust'".into()),
            })
        }
        _ => Ok(()),
    }
}

pub fn kept_keys(env: &Env, place: &Place) -> Result<Option<Keys>, Error> {
    let ring: KeyRing = read_toml(&key_file(env), Links::Followed)?.unwrap_or_default();
    Ok(ring.places.get(&place_name(place)).cloned())
}

/// Keeps keys for a place; returns the file that they are in.
pub fn keep_keys(env: &Env, place: &Place, keys: Keys) -> Result<PathBuf, Error> {
    let mut ring: KeyRing = read_toml(&key_file(env), Links::Followed)?.unwrap_or_default();
    ring.places.insert(place_name(place), keys);
    write_private(&key_file(env), &toml_text(&ring), 0o600)?;
    Ok(key_file(env))
}

pub fn untrusted(place: &Place, config: &Path) -> Error {
    Error::Face {
        kind: Kind::NotSetUp,
        message: format!(
            "{} sends this project's data to {}, which you have not trusted yet",
            config.display(),
            trust_name(place)
        ),
        hint: Some("if that is where it should go: 'brigade trust'".into()),
    }
}

fn trust_file(env: &Env) -> PathBuf {
    env.config_home().join("trusted.toml")
}

fn key_file(env: &Env) -> PathBuf {
    env.config_home().join("keys.toml")
}

pub fn toml_text(value: &impl Serialize) -> String {
    toml::to_string_pretty(value).expect("these tables have text keys only")
}

/// Whether a symlink in a file's place is followed: in the user's own folder it is his own, in a
/// checkout it may be anybody's.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Links {
    Followed,
    Refused,
}

pub fn read_toml<T: for<'de> Deserialize<'de>>(
    path: &Path,
    links: Links,
) -> Result<Option<T>, Error> {
    let failed = |source| Error::File { doing: format!("reading {}", path.display()), source };
    let seen = match links {
        Links::Followed => fs::metadata(path),
        Links::Refused => fs::symlink_metadata(path),
    };
    let seen = match seen {
        Ok(seen) => seen,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let broken = |reason: String| Error::Face {
        kind: Kind::Data,
        message: format!("{} cannot be used: {reason}", path.display()),
        hint: Some("mend it, or move it away and run 'brigade init' again".into()),
    };
    if seen.is_symlink() {
        return Err(broken("it is a symlink, which is not followed".into()));
    }
    // A pipe would make us wait, and a device may have no end.
    if !seen.is_file() {
        return Err(broken("it is no plain file".into()));
    }
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(failed)?;
    file.take(MAX_CONFIG + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_CONFIG {
        return Err(broken(format!("a config has {MAX_CONFIG} bytes at most")));
    }
    let text = String::from_utf8(bytes).map_err(|_| broken("it is not text".into()))?;
    // The parser's own words quote the file, which may hold a key: only the place is told.
    toml::from_str(&text).map(Some).map_err(|error: toml::de::Error| {
        let end = error.span().map_or(0, |span| span.start.min(text.len()));
        let breaks = text.as_bytes()[..end].iter().filter(|byte| **byte == b'\n').count();
        broken(format!("line {} is not as it should be", breaks + 1))
    })
}

/// Writes a file whole or not at all, made with its final mode.
pub fn write_private(path: &Path, text: &str, mode: u32) -> Result<(), Error> {
    let failed = |source| Error::File { doing: format!("writing {}", path.display()), source };
    if let Some(folder) = path.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    }
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let temp = PathBuf::from(name);
    // A process id comes round again, and a checkout may hold a symlink of any name: what is there
    // is removed, and only a file that is ours alone is written to.
    let _ = fs::remove_file(&temp);
    let file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&temp);
    let written = file.and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&temp, path)
    });
    written.map_err(|error| {
        let _ = fs::remove_file(&temp);
        failed(error)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn home(folder: &Path) -> Env {
        Env::of(&[("BRIGADE_CONFIG_DIR", folder.to_str().unwrap())])
    }

    fn place() -> Place {
        Place::new("s3://team".parse().unwrap())
    }

    /// Bytes that may stand in such a file: anything, and what is nearly right.
    fn content() -> impl Strategy<Value = Vec<u8>> {
        let nearly = prop::sample::select(vec![
            "places = [\"s3://team \"]\n",
            "places = [\"s3://team at http://x\"]",
            "places = \"s3://team\"",
            "[places]\n\"s3://team\" = 1\n",
            "# places = [\"s3://team\"]\n",
            "store = \"s3://team\"\n",
            "store = 5\n",
            "project = \"../x\"\n",
            "ttl_seconds = -1\n",
            "[[[[",
            "a.b.c = {",
        ]);
        let piece = prop_oneof![
            nearly.prop_map(|text| text.as_bytes().to_vec()),
            prop::collection::vec(any::<u8>(), 0..40),
            "\\PC{0,40}".prop_map(String::into_bytes),
        ];
        prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_bytes_make_a_reader_panic_or_trust_by_accident(bytes in content()) {
            let folder = tempfile::tempdir().unwrap();
            let env = home(folder.path());
            for name in ["config.toml", "trusted.toml", "keys.toml"] {
                fs::write(folder.path().join(name), &bytes).unwrap();
            }
            if let Ok(config) = Config::read(folder.path()) {
                let _ = config.place(folder.path());
            }
            prop_assert!(!is_trusted(&env, &place()).unwrap_or(false));
            prop_assert!(kept_keys(&env, &place()).ok().flatten().is_none());
        }

        #[test]
        fn an_error_does_not_quote_what_the_file_says(before in content(), after in content()) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("keys.toml");
            fs::write(&path, [&before[..], b"secret_key = hunter2", &after].concat()).unwrap();
            let error = kept_keys(&home(folder.path()), &place()).err();
            let words = error.map(|error| format!("{error} {:?}", error.hint())).unwrap_or_default();
            prop_assert!(!words.contains("hunter2"), "{words}");
        }
    }

    #[test]
    fn all_that_decides_where_data_goes_is_part_of_the_trust() {
        let folder = tempfile::tempdir().unwrap();
        let env = home(folder.path());
        trust(&env, &place()).unwrap();
        assert!(is_trusted(&env, &place()).unwrap());
        let other = || Some("other".to_owned());
        for changed in [
            Place::new("s3://team/prefix".parse().unwrap()),
            Place::new("gs://team".parse().unwrap()),
            Place { endpoint: other(), ..place() },
            Place { region: other(), ..place() },
            Place { account: other(), ..place() },
        ] {
            assert!(!is_trusted(&env, &changed).unwrap(), "{changed:?}");
        }
    }

    #[test]
    fn a_relative_folder_is_one_place_wherever_somebody_stands() {
        let config = Config { store: Some("../data".into()), ..Config::default() };
        let of = |folder: &str| config.place(Path::new(folder)).unwrap().unwrap().address;
        assert_eq!(of("/a/.brigade"), Address::Dir("/a/../data".into()));
        assert_ne!(of("/a/.brigade"), of("/b/.brigade"));
    }

    #[test]
    fn a_file_without_an_end_and_one_that_is_too_large_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trusted.toml");
        std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
        assert!(is_trusted(&home(folder.path()), &place()).is_err());
        fs::remove_file(&path).unwrap();
        fs::write(&path, vec![b'#'; 65 * 1024]).unwrap();
        assert!(is_trusted(&home(folder.path()), &place()).is_err());
    }

    #[test]
    fn a_symlink_in_the_place_of_the_temporary_file_is_not_written_through() {
        let folder = tempfile::tempdir().unwrap();
        let victim = folder.path().join("victim");
        fs::write(&victim, "precious").unwrap();
        let name = format!("config.toml.{}.tmp", std::process::id());
        std::os::unix::fs::symlink(&victim, folder.path().join(name)).unwrap();
        Config::default().write(folder.path()).unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
        assert!(folder.path().join("config.toml").is_file());
    }
}
