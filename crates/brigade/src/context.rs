//! From the arguments and the environment to an open project.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use brigade_core::cache::Drawer;
use brigade_core::clock::World;
use brigade_core::error::{Error, Kind};
use brigade_core::id::ProjectName;
use brigade_core::key::Layout;
use brigade_core::session::{FileState, Profile, RamState, Session};
use brigade_core::store::address::{Address, Cloud};
use brigade_core::store::following::Following;
use brigade_core::store::open::{self, Credentials, Place};
use brigade_core::store::{Store, StoreError};
use brigade_core::{Project, codec};
use sha2::{Digest, Sha256};

use crate::args::Globals;
use crate::aws;
use crate::config::{self, Config};
use crate::env::Env;
use crate::follow::Guide;
use crate::identity::{self, Identity};
use crate::place;
use crate::report::Report;
use crate::signing;

/// What every command is handed.
#[derive(Clone, Debug)]
pub struct Context {
    pub env: Env,
    pub globals: Globals,
    pub report: Report,
    pub world: World,
    /// Projects with a copy that this run has opened to act on.
    pub opened: Opened,
}

/// The ways of what was opened, by which it is seen whether anything was written.
pub type Opened = Arc<Mutex<Vec<(Site, Arc<Following>)>>>;

/// Where a project is and under which name.
#[derive(Clone, Debug)]
pub struct Site {
    /// The `.brigade` folder, if there is one.
    pub folder: Option<PathBuf>,
    pub config: Config,
    pub place: Place,
    pub project: ProjectName,
}

impl Context {
    /// Finds the project without touching its store.
    pub fn site(&self) -> Result<Site, Error> {
        let folder = place::find(&self.env);
        folder.as_deref().map_or(Ok(()), |folder| config::check_folder(&self.env, folder))?;
        let config = folder.as_deref().map(Config::read).transpose()?.unwrap_or_default();
        let named =
            self.globals.store.clone().or_else(|| self.env.get("BRIGADE_STORE").map(str::to_owned));
        let place = match (named, &folder) {
            _ if let Some(place) = &self.globals.moved_to => place.clone(),
            (Some(text), _) => {
                let address: Address =
                    text.parse().map_err(|error| Error::Usage(format!("--store: {error}")))?;
                let endpoint = self.globals.endpoint.clone();
                Place { endpoint, ..Place::new(address) }.or_from_lookup(&self.env.lookup())
            }
            (None, Some(folder)) => match config.place(folder)? {
                Some(place) => self.trusted(place, folder)?.or_from_lookup(&self.env.lookup()),
                None => Place::new(Address::Dir(folder.clone())),
            },
            (None, None) => return Err(not_set_up()),
        };
        let project =
            match (&self.globals.project, self.env.get("BRIGADE_PROJECT"), &config.project) {
                (Some(project), ..) => project.clone(),
                (None, Some(text), _) => ProjectName::parse(text)?,
                (None, None, Some(project)) => project.clone(),
                (None, None, None) => {
                    default_project(&folder.clone().unwrap_or_else(|| self.env.cwd.clone()))
                }
            };
        Ok(Site { folder, config, place, project })
    }

    /// Whatever a config names, a folder of this machine too, needs the user's word.
    fn trusted(&self, place: Place, folder: &std::path::Path) -> Result<Place, Error> {
        if config::is_trusted(&self.env, &place)? {
            Ok(place)
        } else {
            Err(config::untrusted(&place, &folder.join("config.toml")))
        }
    }

    /// Another place than the folder's own was named for this run.
    pub fn is_elsewhere(&self) -> bool {
        self.globals.store.is_some() || self.env.get("BRIGADE_STORE").is_some()
    }

    /// Opens the project as the one who calls.
    pub fn open(&self) -> Result<Project, Error> {
        let site = self.site()?;
        let identity = self.identity(&site)?;
        self.open_as(&site, &identity)
    }

    pub fn identity(&self, site: &Site) -> Result<Identity, Error> {
        let here = self.names_file(site).and_then(|file| {
            brigade_core::id::AgentId::parse(std::fs::read_to_string(file).ok()?.trim()).ok()
        });
        let known = identity::Known {
            given: self.globals.agent.as_ref(),
            here: here.as_ref(),
            configured: site.config.agent.as_ref(),
        };
        identity::identify(&self.env, known)
    }

    /// Where it is noted what this terminal or harness session called itself at `init`, so that two
    /// terminals in one folder can be two agents.
    pub fn names_file(&self, site: &Site) -> Option<PathBuf> {
        let session = identity::session_key(&self.env).or_else(place::terminal)?;
        // One terminal may be a different agent in each of its folders.
        let here = site.folder.as_deref().unwrap_or(&self.env.cwd).display();
        Some(self.project_state(site).join("names").join(tag(&format!("{session}\n{here}"))))
    }

    pub fn open_as(&self, site: &Site, identity: &Identity) -> Result<Project, Error> {
        let store = self.store(site)?;
        self.project(site, identity, store, self.drawer(site))
    }

    pub fn store(&self, site: &Site) -> Result<Arc<dyn Store>, Error> {
        let credentials = self.credentials(&site.place)?;
        let (place, world) = (&site.place, self.world.clone());
        match self.drawer(site) {
            Some(drawer) => open::open_cached(place, &credentials, world, drawer),
            None => open::open(place, &credentials, world),
        }
        .map_err(missing_place)
    }

    /// The project in a store that only looks: what it remembers stays with it, and it is nobody's
    /// running session.
    pub fn looker(
        &self,
        site: &Site,
        identity: &Identity,
        store: Arc<dyn Store>,
    ) -> Result<Project, Error> {
        let signing = signing::of_project(&self.env, &self.site_name(site))?;
        let (layout, agent) = (Layout::new(site.project.clone()), identity.agent.clone());
        let session =
            Session::new(store, self.world.clone(), layout, agent, Arc::new(RamState::default()));
        Ok(Project::new(session.with_signing(signing)))
    }

    /// The project past everything that this machine has kept of it, for those who examine it.
    pub fn open_uncached(&self, site: &Site, identity: &Identity) -> Result<Project, Error> {
        let credentials = self.credentials(&site.place)?;
        let store = open::open(&site.place, &credentials, self.world.clone());
        self.project(site, identity, store.map_err(missing_place)?, None)
    }

    fn drawer(&self, site: &Site) -> Option<Drawer> {
        Some(Drawer::at(self.env.cache_home()?.join(project_tag(site))))
    }

    /// Keys from the environment, those that `init` was asked to keep, a profile of AWS, or the
    /// machine's own.
    pub fn credentials(&self, place: &Place) -> Result<Credentials, Error> {
        self.found_credentials(place, true).map(|(credentials, _)| credentials)
    }

    /// Which of them it is, in words; `None` where none are needed. Never a value.
    pub fn credentials_source(&self, place: &Place) -> Result<Option<String>, Error> {
        match &place.address {
            Address::Dir(_) => Ok(None),
            Address::Bucket { .. } => self.found_credentials(place, false).map(|(_, s)| Some(s)),
        }
    }

    fn found_credentials(&self, place: &Place, run: bool) -> Result<(Credentials, String), Error> {
        let from_env = Credentials::from_lookup(&self.env.lookup());
        let Address::Bucket { cloud, .. } = &place.address else {
            return Ok((from_env, String::new()));
        };
        if *cloud == Cloud::S3 && self.env.get("AWS_ACCESS_KEY_ID").is_none() {
            if let Some(keys) = config::kept_keys(&self.env, place)? {
                let keys = Credentials::s3_keys(keys.access_key, keys.secret_key, None);
                return Ok((keys, "keys that you gave to init, kept in keys.toml".into()));
            }
            // A cluster's or a machine's own identity is more of a choice than a default profile.
            let is_asked = self.env.get("AWS_PROFILE").is_some();
            if (is_asked || !from_env.has_any_for(Cloud::S3))
                && let Some(found) = aws::keys(&self.env, run)?
            {
                return Ok((found.credentials, found.source));
            }
        }
        let source = from_env.source(*cloud);
        Ok((from_env, source))
    }

    /// Opens the project, acts on it, and tells whatever there is to know beside the answer.
    pub async fn with_project<T>(
        &self,
        act: impl AsyncFnOnce(&Project) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let project = self.open()?;
        let outcome = act(&project).await;
        self.tell_notices(&project);
        outcome
    }

    pub fn tell_notices(&self, project: &Project) {
        for notice in project.session().take_notices() {
            self.report.note(&notice);
        }
    }

    pub fn project(
        &self,
        site: &Site,
        identity: &Identity,
        store: Arc<dyn Store>,
        drawer: Option<Drawer>,
    ) -> Result<Project, Error> {
        let signing = signing::of_project(&self.env, &self.site_name(site))?;
        let state = FileState::new(self.state_file(site, identity));
        let layout = Layout::new(site.project.clone());
        let ttl = site.config.ttl_seconds.map(Duration::from_secs);
        let agent = identity.agent.clone();
        let session = Session::new(store, self.world.clone(), layout, agent, Arc::new(state))
            .with_profile(self.profile(identity))
            .with_drawer(drawer)
            .with_ttl(self.globals.lease_ttl.or(ttl))
            .with_signing(signing)
            .with_follower(Guide::new(self, site));
        if let (Some(way), Some(_)) = (session.way(), &site.config.replica) {
            let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
            opened.push((site.clone(), way));
        }
        Ok(Project::new(session))
    }

    /// One file per place, project, agent and running session of it.
    pub fn state_file(&self, site: &Site, identity: &Identity) -> PathBuf {
        self.project_state(site)
            .join(codec::encode(identity.agent.as_str()))
            .join(format!("{}.json", tag(&identity.session_key)))
    }

    pub fn project_state(&self, site: &Site) -> PathBuf {
        self.env.state_home().join(project_tag(site))
    }

    /// What stands for a project with its place in the user's own files.
    pub fn site_name(&self, site: &Site) -> String {
        format!("{} in {}", site.project, real_place(&site.place))
    }

    fn profile(&self, identity: &Identity) -> Profile {
        let worktree = place::repository(&self.env.cwd).unwrap_or_else(|| self.env.cwd.clone());
        Profile {
            host: Some(rustix::system::uname().nodename().to_string_lossy().into_owned()),
            pid: Some(std::process::id()),
            harness: identity.harness.map(str::to_owned),
            harness_session: identity.harness_session.clone(),
            worktree: Some(worktree.display().to_string()),
            branch: place::branch(&self.env.cwd),
            capabilities: self.globals.capabilities.clone(),
            program: Some(concat!("brigade ", env!("CARGO_PKG_VERSION")).into()),
        }
    }
}

/// A place by one name, whichever way led there.
fn real_place(place: &Place) -> String {
    match &place.address {
        Address::Dir(path) => {
            path.canonicalize().unwrap_or_else(|_| path.clone()).display().to_string()
        }
        Address::Bucket { .. } => config::place_name(place),
    }
}

/// A short name for a project in its place, for folders.
fn project_tag(site: &Site) -> String {
    tag(&format!("{}\n{}", real_place(&site.place), site.project))
}

/// A short name for a text of any length, for files.
pub fn tag(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// A project is called like its folder unless something else is said.
pub fn default_project(folder: &std::path::Path) -> ProjectName {
    let folder = if folder.file_name().is_some_and(|name| name == place::FOLDER) {
        folder.parent().unwrap_or(folder)
    } else {
        folder
    };
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned());
    let plain: String = name
        .unwrap_or_default()
        .chars()
        .map(|letter| if letter.is_alphanumeric() || "._-".contains(letter) { letter } else { '-' })
        .take(60)
        .collect();
    ProjectName::parse(plain.trim_start_matches(['-', '_', '.']))
        .or_else(|_| ProjectName::parse("project"))
        .expect("'project' is a name")
}

fn not_set_up() -> Error {
    Error::Face {
        kind: Kind::NotSetUp,
        message: "there is no brigade project here or above".into(),
        hint: Some("start one with 'brigade init', or look at 'brigade demo'".into()),
    }
}

/// A folder that is named but not there is a project that was not set up, or that has moved.
fn missing_place(error: StoreError) -> Error {
    if error.kind == brigade_core::store::StoreErrorKind::NoPlace {
        return Error::Face {
            kind: Kind::NotSetUp,
            message: error.to_string(),
            hint: Some("start a project there with 'brigade init'".into()),
        };
    }
    error.into()
}
