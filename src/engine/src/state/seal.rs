//! Encryption at rest, by age: one key for a whole store, which itself lies in the store, locked.
//!
//! The key is an age identity (X25519). It is kept as `keys/KEYRING`, encrypted by a passphrase, to the
//! recipient of an identity file, or by AWS KMS; unlocking it once a run opens everything.
//! Format: <https://age-encryption.org/v1>.

use age::{
    Decryptor, Encryptor,
    secrecy::{ExposeSecret as _, SecretString},
    x25519,
};
use futures::future::BoxFuture;
use std::io::{Read as _, Write as _};

/// The work that a passphrase costs, as the power of two of scrypt's N: 2^17 as OWASP has it.
const WORK_FACTOR: u8 = 17;
/// The longest key file that is read.
const LONGEST_KEY: u64 = 64 * 1024;

/// Why something can't be sealed or opened.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SealError {
    #[error("it is sealed ({0}), and no key was given")]
    NoKey(String),
    #[error("this is a sealed store, and its key is locked by: {0}")]
    Other(String),
    #[error("it can't be opened with this key: {0}")]
    WrongKey(String),
    #[error("it can't be sealed: {0}")]
    Failed(String),
    #[error("the store's key can't be unlocked by {keyring}: {why}")]
    Locked { keyring: String, why: String },
}

/// The key of a store, unlocked. Can't be printed.
#[derive(Clone)]
pub struct Seal {
    name: String,
    identity: x25519::Identity,
}

impl Seal {
    /// A new random key.
    pub fn generate(keyring: &dyn Keyring) -> Self {
        Self { name: keyring.name(), identity: x25519::Identity::generate() }
    }

    /// What it is unlocked by: `age-passphrase`, `age-identity`, `kms`.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn close(&self, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        close(plain, &self.identity.to_public())
    }

    pub fn open(&self, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        open(sealed, &self.identity)
    }

    /// The key, locked by a keyring.
    pub async fn lock(&self, keyring: &dyn Keyring) -> Result<Vec<u8>, SealError> {
        keyring.lock(self.identity.to_string().expose_secret().as_bytes()).await
    }

    /// The key that a keyring unlocks.
    pub async fn unlock(locked: &[u8], keyring: &dyn Keyring) -> Result<Self, SealError> {
        let why = |why: String| SealError::Locked { keyring: keyring.name(), why };
        let plain = keyring.unlock(locked).await?;
        let text = String::from_utf8(plain).map_err(|_| why("it holds no key".into()))?;
        let identity = text.parse().map_err(|error: &str| why(error.to_owned()))?;
        Ok(Self { name: keyring.name(), identity })
    }
}

fn close(plain: &[u8], recipient: &dyn age::Recipient) -> Result<Vec<u8>, SealError> {
    let failed = |error: String| SealError::Failed(error);
    let encryptor = Encryptor::with_recipients(std::iter::once(recipient));
    let encryptor = encryptor.map_err(|error| failed(error.to_string()))?;
    let mut sealed = vec![];
    let mut writer =
        encryptor.wrap_output(&mut sealed).map_err(|error| failed(error.to_string()))?;
    writer.write_all(plain).map_err(|error| failed(error.to_string()))?;
    writer.finish().map_err(|error| failed(error.to_string()))?;
    Ok(sealed)
}

fn open(sealed: &[u8], identity: &dyn age::Identity) -> Result<Vec<u8>, SealError> {
    let wrong = |error: String| SealError::WrongKey(error);
    let decryptor = Decryptor::new_buffered(sealed).map_err(|error| wrong(error.to_string()))?;
    let mut plain = vec![];
    let mut reader =
        decryptor.decrypt(std::iter::once(identity)).map_err(|error| wrong(error.to_string()))?;
    reader.read_to_end(&mut plain).map_err(|error| wrong(error.to_string()))?;
    Ok(plain)
}

/// What locks and unlocks the key of a store.
pub trait Keyring: Send + Sync {
    /// The name of the method, which is part of the locked key's name in the store.
    fn name(&self) -> String;
    fn lock<'a>(&'a self, key: &'a [u8]) -> BoxFuture<'a, Result<Vec<u8>, SealError>>;
    fn unlock<'a>(&'a self, locked: &'a [u8]) -> BoxFuture<'a, Result<Vec<u8>, SealError>>;
}

/// A passphrase, made into a key by scrypt.
pub struct Passphrase(SecretString);

impl Passphrase {
    pub fn new(text: String) -> Self {
        Self(SecretString::from(text))
    }
}

impl Keyring for Passphrase {
    fn name(&self) -> String {
        "age-passphrase".into()
    }

    fn lock<'a>(&'a self, key: &'a [u8]) -> BoxFuture<'a, Result<Vec<u8>, SealError>> {
        Box::pin(async move {
            let mut recipient = age::scrypt::Recipient::new(self.0.clone());
            recipient.set_work_factor(WORK_FACTOR);
            close(key, &recipient)
        })
    }

    fn unlock<'a>(&'a self, locked: &'a [u8]) -> BoxFuture<'a, Result<Vec<u8>, SealError>> {
        Box::pin(async move {
            let mut identity = age::scrypt::Identity::new(self.0.clone());
            identity.set_max_work_factor(WORK_FACTOR);
            open(locked, &identity)
                .map_err(|error| SealError::Locked { keyring: self.name(), why: error.to_string() })
        })
    }
}

/// An age identity, as `age-keygen` writes them into a file.
pub struct IdentityFile(x25519::Identity);

impl IdentityFile {
    /// The first identity in the file.
    pub fn read(path: &std::path::Path) -> Result<Self, SealError> {
        let why = |why: String| SealError::Locked {
            keyring: format!("age-identity {}", path.display()),
            why,
        };
        let file = std::fs::File::open(path).map_err(|error| why(error.to_string()))?;
        let mut text = String::new();
        file.take(LONGEST_KEY).read_to_string(&mut text).map_err(|error| why(error.to_string()))?;
        let line = text.lines().find(|line| line.starts_with("AGE-SECRET-KEY-"));
        let line = line.ok_or_else(|| why("it has no line with an X25519 identity".into()))?;
        line.trim().parse().map(Self).map_err(|error: &str| why(error.to_owned()))
    }
}

impl Keyring for IdentityFile {
    fn name(&self) -> String {
        "age-identity".into()
    }

    fn lock<'a>(&'a self, key: &'a [u8]) -> BoxFuture<'a, Result<Vec<u8>, SealError>> {
        Box::pin(async move { close(key, &self.0.to_public()) })
    }

    fn unlock<'a>(&'a self, locked: &'a [u8]) -> BoxFuture<'a, Result<Vec<u8>, SealError>> {
        Box::pin(async move {
            open(locked, &self.0)
                .map_err(|error| SealError::Locked { keyring: self.name(), why: error.to_string() })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_key_opens_what_it_closed_and_nothing_else_does() {
        let keyring = Passphrase::new("correct horse".into());
        let seal = Seal::generate(&keyring);
        let sealed = seal.close(b"records").unwrap();
        assert!(!sealed.windows(7).any(|window| window == b"records"));
        let locked = seal.lock(&keyring).await.unwrap();
        let again = Seal::unlock(&locked, &keyring).await.unwrap();
        assert_eq!(again.open(&sealed).unwrap(), b"records");
        let wrong = Passphrase::new("wrong".into());
        let error = Seal::unlock(&locked, &wrong).await.err().unwrap();
        assert!(error.to_string().contains("age-passphrase"), "{error}");
        assert!(Seal::generate(&keyring).open(&sealed).is_err());
        let mut changed = sealed.clone();
        *changed.last_mut().unwrap() ^= 1;
        assert!(seal.open(&changed).is_err());
    }

    #[tokio::test]
    async fn an_identity_file_is_read_as_age_keygen_writes_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let secret = x25519::Identity::generate();
        let text = format!("# created: today\n{}\n", secret.to_string().expose_secret());
        std::fs::write(&path, text).unwrap();
        let keyring = IdentityFile::read(&path).unwrap();
        let seal = Seal::generate(&keyring);
        let locked = seal.lock(&keyring).await.unwrap();
        let sealed = seal.close(b"x").unwrap();
        assert_eq!(Seal::unlock(&locked, &keyring).await.unwrap().open(&sealed).unwrap(), b"x");
        std::fs::write(&path, "nothing").unwrap();
        assert!(IdentityFile::read(&path).is_err());
    }
}
