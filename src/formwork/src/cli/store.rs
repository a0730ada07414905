//! Opening the store of states: which one, and the key that it is sealed with.
//!
//! Arguments come before the environment, the environment before `formwork.toml` in the project's folder:
//!
//! ```toml
//! [state]
//! store = "s3://shop-state/formwork"
//! encryption = "kms:alias/formwork"
//! ```

use super::CliError;
use clap::{Arg, ArgMatches};
use formwork_aws::{KmsKey, Setup};
use formwork_engine::state::{Hold, IdentityFile, Keyring, Passphrase, SealError, Store};
use serde::Deserialize;
use std::{
    path::{Path, PathBuf},
    pin::pin,
    time::Duration,
};

/// Where state is kept unless something says otherwise.
const DEFAULT: &str = ".formwork/state";
/// The project's configuration.
const CONFIGURATION: &str = "formwork.toml";
/// The passphrase of a store that is sealed by one.
const PASSPHRASE: &str = "FORMWORK_PASSPHRASE";
/// A file that holds the passphrase instead.
const PASSPHRASE_FILE: &str = "FORMWORK_PASSPHRASE_FILE";
/// The passphrase that it is to be sealed by from now on, for `formwork state relock`.
const NEW_PASSPHRASE: &str = "FORMWORK_NEW_PASSPHRASE";

/// `formwork.toml`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Configuration {
    #[serde(default)]
    state: StateConfiguration,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct StateConfiguration {
    store: Option<String>,
    encryption: Option<String>,
}

/// The arguments that say where state is kept, and how.
pub(crate) fn arguments() -> [Arg; 2] {
    [
        Arg::new("state")
            .long("state")
            .env("FORMWORK_STATE")
            .value_name("STORE")
            .help("Where the state of all stacks is: a folder, or s3://BUCKET/PREFIX?region=REGION [default: .formwork/state]")
            .long_help(
                "Where the state of all stacks is: a folder, or s3://BUCKET/PREFIX?region=REGION.\n\n\
                 Of other services that speak S3's API, add &endpoint=URL and &path_style=true. The default is \
                 what `formwork.toml` says, else the folder .formwork/state.",
            ),
        Arg::new("encryption")
            .long("encryption")
            .env("FORMWORK_ENCRYPTION")
            .value_name("HOW")
            .help("Seal state, journal and plans: passphrase, identity:FILE or kms:KEY")
            .long_help(
                "Seal state, journal and plans.\n\n\
                 passphrase       by the passphrase in FORMWORK_PASSPHRASE, or in the file FORMWORK_PASSPHRASE_FILE\n\
                 identity:FILE    by an age identity, as age-keygen writes it\n\
                 kms:KEY          by a key of AWS KMS: its identifier, ARN or alias/NAME",
            ),
    ]
}

/// Opens the store that the arguments, the environment or the project name.
pub(crate) async fn open(matches: &ArgMatches) -> Result<Store, CliError> {
    let configured = configuration(matches)?.state;
    let given = |name: &str| matches.get_one::<String>(name).cloned();
    let place = given("state").or(configured.store).unwrap_or_else(|| DEFAULT.to_owned());
    let store = match place.strip_prefix("file:") {
        Some(folder) => Store::folder(folder)?,
        None if place.starts_with("s3://") => {
            let bucket = formwork_aws::open_bucket(&place, &Setup::default()).await?;
            Store::objects(bucket.objects, &bucket.prefix, bucket.place)
        }
        None if place.contains("://") => {
            return Err(CliError::with_help(
                format!("state can't be kept in {place}"),
                "give a folder, or s3://BUCKET/PREFIX?region=REGION",
            ));
        }
        None => Store::folder(&place)?,
    };
    let store = store.by(who());
    match given("encryption").or(configured.encryption) {
        None => Ok(store.unsealed().await?),
        Some(how) => {
            let keyring = keyring(&how).await?;
            Ok(store.sealed_by(keyring.as_ref()).await?)
        }
    }
}

fn configuration(matches: &ArgMatches) -> Result<Configuration, CliError> {
    let project = matches.try_get_one::<PathBuf>("project").ok().flatten();
    let path = project.map_or(Path::new("."), PathBuf::as_path).join(CONFIGURATION);
    if !path.exists() {
        return Ok(Configuration::default());
    }
    Ok(crate::read_environment(&path).map_err(Box::new).map_err(crate::StackError::from)?)
}

async fn keyring(how: &str) -> Result<Box<dyn Keyring>, CliError> {
    keyring_with(how, passphrase).await
}

/// What the store's key is to be locked by from now on.
pub(crate) async fn new_keyring(how: &str) -> Result<Box<dyn Keyring>, CliError> {
    let passphrase = || {
        let missing = || CliError::new(format!("set {NEW_PASSPHRASE} to the new passphrase"));
        std::env::var(NEW_PASSPHRASE).map_err(|_| missing())
    };
    keyring_with(how, passphrase).await
}

async fn keyring_with(
    how: &str,
    passphrase: impl FnOnce() -> Result<String, CliError>,
) -> Result<Box<dyn Keyring>, CliError> {
    match how.split_once(':').unwrap_or((how, "")) {
        ("passphrase", "") => Ok(Box::new(Passphrase::new(passphrase()?))),
        ("identity", file) if !file.is_empty() => {
            Ok(Box::new(IdentityFile::read(Path::new(file))?))
        }
        ("kms", key) if !key.is_empty() => Ok(Box::new(KmsKey::new(key).await)),
        _ => Err(CliError::with_help(
            format!("there is no way to seal that is called {how}"),
            "write passphrase, identity:FILE or kms:KEY",
        )),
    }
}

fn passphrase() -> Result<String, CliError> {
    if let Ok(text) = std::env::var(PASSPHRASE) {
        return Ok(text);
    }
    let missing = || {
        CliError::with_help(
            "the state is sealed by a passphrase, and none was given",
            format!("set {PASSPHRASE}, or {PASSPHRASE_FILE} to a file that holds it"),
        )
    };
    let file = std::env::var_os(PASSPHRASE_FILE).ok_or_else(missing)?;
    let text = std::fs::read_to_string(&file).map_err(|error| {
        CliError::new(format!("can't read {}: {error}", Path::new(&file).display()))
    })?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// How long a run waits for a stack before it says so.
const PATIENT: Duration = Duration::from_secs(2);

/// Waits until a stack is held, and says whom for where that takes a while.
pub(crate) async fn waiting<T>(store: &Store, stack: &str, holding: impl Future<Output = T>) -> T {
    let mut holding = pin!(holding);
    if let Ok(held) = tokio::time::timeout(PATIENT, &mut holding).await {
        return held;
    }
    if let (Some(longest), Ok(Some(holder))) = (store.longest_wait(), store.holder(stack).await)
        && holder != store.writer()
    {
        errln!(
            "`{stack}` is held by {holder}, perhaps by a run that is dead: looking whether it shows a sign \
             of life, for {} s at most",
            longest.as_secs()
        );
    }
    holding.await
}

/// Lets go of a stack, whatever came of holding it.
pub(crate) async fn release(store: &Store, hold: Hold) {
    if let Err(error) = hold.release().await {
        let longest = store.longest_wait().unwrap_or_default().as_secs();
        errln!("warning: {error}; the next run has to wait for {longest} s");
    }
}

impl From<SealError> for CliError {
    fn from(error: SealError) -> Self {
        Self::new(error.to_string())
    }
}

/// Who this run is, for histories and leases: in CI the run's page, else user, host and process.
fn who() -> String {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let github = || {
        let server = variable("GITHUB_SERVER_URL")?;
        let repository = variable("GITHUB_REPOSITORY")?;
        Some(format!("{server}/{repository}/actions/runs/{}", variable("GITHUB_RUN_ID")?))
    };
    github().unwrap_or_else(|| {
        let user =
            variable("USER").or_else(|| variable("LOGNAME")).unwrap_or_else(|| "somebody".into());
        let host = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
        format!(
            "{user}@{} (process {})",
            host.unwrap_or_else(|| "somewhere".into()),
            std::process::id()
        )
    })
}
