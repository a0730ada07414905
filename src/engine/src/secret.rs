//! Secrets as references: where a text is kept, which version of it, never the text itself.

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::fmt;

/// Where a secret text is kept: a store, the store's own binding, a key, and one version of it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SecretRef {
    /// The store's name, such as `aws.secretsmanager`.
    pub store: String,
    /// What the store is reached by (account and region), as its provider wrote it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub at: String,
    /// The key in that store, such as a secret's ARN.
    pub key: String,
    /// The version; two references are the same secret only with the same version.
    pub version: String,
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = self.version.get(..8).unwrap_or(&self.version);
        write!(f, "{}@{version}", self.key)
    }
}

impl fmt::Debug for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretRef({self})")
    }
}

/// One piece of a secret text: plain text around it, or a reference.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretPart {
    Text(String),
    Ref(SecretRef),
}

/// A secret, as stacks, plans and state hold it: references to stored texts, joined.
///
/// It can be saved and compared without revealing anything; only a provider turns it into a text, by
/// [`Secrets::reveal`], at the call that needs it. Nothing constructs one from a literal.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Secret {
    #[serde(rename = "$secret")]
    parts: Vec<SecretPart>,
}

impl Secret {
    /// A secret that is one stored text: what a secret store's provider gives as its output.
    pub fn stored(reference: SecretRef) -> Self {
        Self { parts: vec![SecretPart::Ref(reference)] }
    }

    pub(crate) fn joined(parts: Vec<SecretPart>) -> Self {
        let mut merged: Vec<SecretPart> = Vec::with_capacity(parts.len());
        for part in parts {
            match (merged.last_mut(), part) {
                (_, SecretPart::Text(text)) if text.is_empty() => {}
                (Some(SecretPart::Text(last)), SecretPart::Text(text)) => last.push_str(&text),
                (_, part) => merged.push(part),
            }
        }
        Self { parts: merged }
    }

    pub fn parts(&self) -> &[SecretPart] {
        &self.parts
    }

    pub(crate) fn from_json(json: &Json) -> Option<Self> {
        serde_json::from_value(json.clone()).ok()
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("secret ")?;
        let refs = self.parts.iter().filter_map(|part| match part {
            SecretPart::Ref(reference) => Some(reference),
            SecretPart::Text(_) => None,
        });
        for (i, reference) in refs.enumerate() {
            if i > 0 {
                f.write_str(" + ")?;
            }
            write!(f, "{reference}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A place that keeps secret texts, such as Secrets Manager.
pub trait SecretStore: Send + Sync {
    /// The name that [`SecretRef::store`] carries.
    fn name(&self) -> &'static str;
    /// Fetches one version of one text.
    fn fetch<'a>(
        &'a self,
        reference: &'a SecretRef,
    ) -> futures::future::BoxFuture<'a, Result<SecretString, crate::Failure>>;
}

/// The secret stores of a program: turns references into texts, for providers only.
#[derive(Clone, Default)]
pub struct Secrets(std::sync::Arc<Vec<Box<dyn SecretStore>>>);

impl Secrets {
    pub fn new(stores: Vec<Box<dyn SecretStore>>) -> Self {
        Self(std::sync::Arc::new(stores))
    }

    /// The text behind a secret. It lives as long as the value returned, and prints as nothing.
    pub async fn reveal(&self, secret: &Secret) -> Result<SecretString, crate::Failure> {
        use secrecy::ExposeSecret as _;
        let mut text = String::new();
        for part in &secret.parts {
            match part {
                SecretPart::Text(plain) => text.push_str(plain),
                SecretPart::Ref(reference) => {
                    let store =
                        self.0.iter().find(|s| s.name() == reference.store).ok_or_else(|| {
                            crate::Failure::invalid(format!(
                                "no secret store `{}` in this program, needed for {reference}",
                                reference.store
                            ))
                        })?;
                    text.push_str(store.fetch(reference).await?.expose_secret());
                }
            }
        }
        Ok(SecretString::from(text))
    }
}
