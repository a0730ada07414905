//! Secrets Manager as a store: texts are fetched by reference, at the call that needs them.
//!
//! <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html>

use crate::{Aws, Setup, Target, call::calls};
use formwork_engine::{Failure, Secret, SecretRef, SecretStore};
use futures::future::BoxFuture;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use std::{collections::HashMap, sync::Arc};
use tokio::sync::{Mutex, OnceCell};

/// The store's name in references.
const STORE: &str = "aws.secretsmanager";
/// What stands between a secret's ARN and the key in its JSON text; no ARN has one.
const KEY: char = '#';
/// What labels that AWS sets start with; a version's identifier never does.
const LABEL: &str = "AWS";

calls! { shared:
    FETCH = SECRETS_MANAGER.GetSecretValue on ["secret:*"],
        and "kms:Decrypt" on ["key/*"];
}

/// A reference to one version of a secret.
pub(crate) fn stored(cloud: &Aws, arn: &str, version: &str) -> Secret {
    Secret::stored(SecretRef {
        store: STORE.into(),
        at: serde_json::json!(cloud.target).to_string(),
        key: arn.to_owned(),
        version: version.to_owned(),
    })
}

/// The texts that AWS Secrets Manager keeps, in any account and region that the credentials reach.
///
/// A reference's key is a secret's ARN, or `ARN#KEY` for one key of a text that is a JSON object; its
/// version is an identifier, or a label of AWS such as `AWSCURRENT`.
pub struct SecretsManager {
    setup: Setup,
    /// One connection per [`SecretRef::at`].
    connections: Mutex<HashMap<String, Arc<OnceCell<Aws>>>>,
}

impl SecretsManager {
    pub fn new(setup: Setup) -> Self {
        Self { setup, connections: Mutex::default() }
    }

    async fn text(&self, reference: &SecretRef) -> Result<SecretString, Failure> {
        let target: Target = serde_json::from_str(&reference.at).map_err(|error| {
            Failure::invalid(format!("where it is kept can't be read: {error}"))
        })?;
        let cell = self.connections.lock().await.entry(reference.at.clone()).or_default().clone();
        let cloud = cell.get_or_try_init(|| Aws::to(target, &self.setup)).await?;

        let (arn, key) = match reference.key.split_once(KEY) {
            Some((arn, key)) => (arn, Some(key)),
            None => (reference.key.as_str(), None),
        };
        let request = cloud.secrets_manager.get_secret_value().secret_id(arn);
        let request = match reference.version.starts_with(LABEL) {
            true => request.version_stage(&reference.version),
            false => request.version_id(&reference.version),
        };
        let answer = cloud.find(FETCH, request.send()).await?.ok_or_else(|| {
            Failure::invalid("Secrets Manager doesn't have this version of it any more")
                .hint("plan again, so that the version in use now is taken")
        })?;
        let text = answer.secret_string.map(SecretString::from);
        let text = text.ok_or_else(|| Failure::invalid("it holds no text"))?;
        match key {
            Some(key) => in_json(&text, key),
            None => Ok(text),
        }
    }
}

impl SecretStore for SecretsManager {
    fn name(&self) -> &'static str {
        STORE
    }

    fn fetch<'a>(
        &'a self,
        reference: &'a SecretRef,
    ) -> BoxFuture<'a, Result<SecretString, Failure>> {
        Box::pin(async move {
            let context = |failure: Failure| failure.context(format!("secret {reference}"));
            self.text(reference).await.map_err(context)
        })
    }
}

/// The text of one key; what is wrong is said without showing any of it.
fn in_json(text: &SecretString, key: &str) -> Result<SecretString, Failure> {
    let all: HashMap<String, Leaf> = serde_json::from_str(text.expose_secret())
        .map_err(|_| Failure::invalid("its text isn't a JSON object"))?;
    match all.into_iter().find(|(name, _)| name == key) {
        Some((_, Leaf::Text(text))) => Ok(text),
        Some((_, Leaf::Other(_))) => Err(Failure::invalid(format!("its `{key}` isn't a text"))),
        None => Err(Failure::invalid(format!("its text has no key `{key}`"))),
    }
}

/// A value of a JSON text; texts are wiped from memory when they are dropped.
#[derive(Deserialize)]
#[serde(untagged)]
enum Leaf {
    Text(#[serde(deserialize_with = "text")] SecretString),
    Other(serde::de::IgnoredAny),
}

fn text<'de, D: serde::Deserializer<'de>>(from: D) -> Result<SecretString, D::Error> {
    String::deserialize(from).map(SecretString::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_key_of_a_json_text_is_a_secret_of_its_own() {
        let text = SecretString::from(r#"{"username":"m","password":"hunter2","port":5432}"#);
        assert_eq!(in_json(&text, "password").unwrap().expose_secret(), "hunter2");
        assert_eq!(in_json(&text, "port").unwrap_err().message, "its `port` isn't a text");
        assert_eq!(in_json(&text, "x").unwrap_err().message, "its text has no key `x`");
        let plain = SecretString::from("hunter2");
        assert!(!in_json(&plain, "x").unwrap_err().message.contains("hunter2"));
    }
}
