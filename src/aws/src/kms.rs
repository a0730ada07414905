//! A key of AWS KMS that locks the key of a state's store.
//!
//! <https://docs.aws.amazon.com/kms/latest/APIReference/API_Encrypt.html>: it takes up to 4,096 bytes, and
//! the key of a store has 74.

use crate::{
    call::{Guard, calls, send_alone},
    cloud::{Setup, install_crypto},
};
use aws_config::{BehaviorVersion, Region};
use aws_sdk_kms::primitives::Blob;
use formwork_engine::state::{Keyring, SealError};
use futures::future::BoxFuture;
use std::collections::HashMap;

/// The encryption context that a locked key is bound to, seen in CloudTrail.
const CONTEXT: (&str, &str) = ("formwork", "state");

calls! { shared:
    LOCK = KMS.Encrypt on ["key/*"];
    UNLOCK = KMS.Decrypt on ["key/*"];
}

/// A key of AWS KMS, by its identifier, ARN or `alias/NAME`.
pub struct KmsKey {
    id: String,
    client: aws_sdk_kms::Client,
}

impl KmsKey {
    /// Uses the credentials and the region that the SDK's default chain finds; of an ARN, its region.
    pub async fn new(id: &str) -> Self {
        let region = id.strip_prefix("arn:").and_then(|arn| arn.split(':').nth(2));
        Self::build(id, region, None, &Setup::default()).await
    }

    /// The same in a region, with a program's own credentials, perhaps at another endpoint.
    pub async fn with(id: &str, region: &str, endpoint: Option<&str>, setup: &Setup) -> Self {
        Self::build(id, Some(region), endpoint, setup).await
    }

    async fn build(id: &str, region: Option<&str>, endpoint: Option<&str>, setup: &Setup) -> Self {
        install_crypto();
        let mut loader = aws_config::defaults(BehaviorVersion::latest());
        if let Some(region) = region {
            loader = loader.region(Region::new(region.to_owned()));
        }
        if let Some(endpoint) = endpoint {
            loader = loader.endpoint_url(endpoint);
        }
        if let Some(credentials) = &setup.credentials {
            loader = loader.credentials_provider(credentials.clone());
        }
        let config = aws_sdk_kms::config::Builder::from(&loader.load().await)
            .interceptor(Guard(setup.log.clone()))
            .build();
        Self { id: id.to_owned(), client: aws_sdk_kms::Client::from_conf(config) }
    }

    fn locked(&self, why: String) -> SealError {
        SealError::Locked { keyring: format!("kms {}", self.id), why }
    }

    fn context() -> HashMap<String, String> {
        HashMap::from([(CONTEXT.0.to_owned(), CONTEXT.1.to_owned())])
    }
}

impl Keyring for KmsKey {
    fn name(&self) -> String {
        "kms".into()
    }

    fn lock<'a>(&'a self, key: &'a [u8]) -> BoxFuture<'a, Result<Vec<u8>, SealError>> {
        Box::pin(async move {
            let request = self.client.encrypt().key_id(&self.id).plaintext(Blob::new(key));
            let request = request.set_encryption_context(Some(Self::context()));
            let sent = send_alone(LOCK, request.send()).await;
            let answer = sent.map_err(|why| self.locked(why))?;
            Ok(answer.ciphertext_blob.map(Blob::into_inner).unwrap_or_default())
        })
    }

    fn unlock<'a>(&'a self, locked: &'a [u8]) -> BoxFuture<'a, Result<Vec<u8>, SealError>> {
        Box::pin(async move {
            let request = self.client.decrypt().key_id(&self.id).ciphertext_blob(Blob::new(locked));
            let request = request.set_encryption_context(Some(Self::context()));
            let sent = send_alone(UNLOCK, request.send()).await;
            let answer = sent.map_err(|why| self.locked(why))?;
            Ok(answer.plaintext.map(Blob::into_inner).unwrap_or_default())
        })
    }
}
