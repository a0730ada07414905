//! A bucket of S3, or of what is like it, as a place for state.

use crate::{
    call::credentials,
    cloud::{CONNECT_TIMEOUT, Setup, install_crypto},
};
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use formwork_engine::Failure;
use object_store::{
    ClientOptions, CredentialProvider, ObjectStore, RetryConfig,
    aws::{AmazonS3Builder, AwsCredential},
};
use std::{pin::Pin, sync::Arc, time::Duration};
use url::Url;

/// The longest that one request may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// How often a request is sent again.
const RETRIES: usize = 4;
/// The longest that a request may take, retries included: well within the life of a lease.
const RETRY_TIMEOUT: Duration = Duration::from_secs(60);

/// A place in a bucket.
pub struct Bucket {
    pub objects: Arc<dyn ObjectStore>,
    /// What every object's name begins with.
    pub prefix: String,
    /// How people know it, `s3://bucket/prefix`.
    pub place: String,
}

/// Opens `s3://bucket/prefix`, with the program's credentials, else those that the SDK's default chain finds.
///
/// After a `?` may follow `region=`, `endpoint=` (another service that speaks S3's API, which must have
/// conditional writes), `path_style=true` and `profile=`, joined by `&`.
pub async fn open(url: &str, setup: &Setup) -> Result<Bucket, Failure> {
    let bad = |why: &str| {
        Failure::invalid(format!("{url}: {why}"))
            .hint("write it as s3://BUCKET/PREFIX?region=REGION")
    };
    let parsed = Url::parse(url).map_err(|error| bad(&error.to_string()))?;
    let name = parsed.host_str().filter(|name| !name.is_empty() && parsed.scheme() == "s3");
    let name = name.ok_or_else(|| bad("this names no bucket"))?.to_owned();
    let mut options = Options::default();
    for (key, value) in parsed.query_pairs() {
        let value = value.into_owned();
        match &*key {
            "region" => options.region = Some(value),
            "endpoint" => options.endpoint = Some(value),
            "profile" => options.profile = Some(value),
            "path_style" => options.path_style = value == "true",
            other => return Err(bad(&format!("there is no option `{other}`"))),
        }
    }
    let prefix = parsed.path().trim_matches('/').to_owned();
    let place = format!("s3://{name}/{prefix}").trim_end_matches('/').to_owned();
    let objects = client(&name, options, setup).await.map_err(|failure| failure.context(&place))?;
    Ok(Bucket { objects, prefix, place })
}

#[derive(Default)]
struct Options {
    region: Option<String>,
    endpoint: Option<String>,
    profile: Option<String>,
    path_style: bool,
}

async fn client(
    bucket: &str,
    options: Options,
    setup: &Setup,
) -> Result<Arc<dyn ObjectStore>, Failure> {
    install_crypto();
    let mut loader = aws_config::defaults(BehaviorVersion::latest());
    if let Some(region) = &options.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(profile) = &options.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(credentials) = &setup.credentials {
        loader = loader.credentials_provider(credentials.clone());
    }
    let config = loader.load().await;
    let region = config.region().map(ToString::to_string).ok_or_else(|| {
        Failure::invalid("it isn't known which region the bucket is in")
            .hint("add ?region=REGION, or set AWS_REGION")
    })?;
    let provider = config.credentials_provider().ok_or_else(|| {
        let none = aws_credential_types::provider::error::CredentialsError::not_loaded("none");
        credentials(&none)
    })?;
    // Asked once before anything else, so that there being none is said as such.
    provider.provide_credentials().await.map_err(|error| credentials(&error))?;
    let retry = RetryConfig {
        max_retries: RETRIES,
        retry_timeout: RETRY_TIMEOUT,
        ..RetryConfig::default()
    };
    let client =
        ClientOptions::new().with_timeout(REQUEST_TIMEOUT).with_connect_timeout(CONNECT_TIMEOUT);
    let endpoint = options.endpoint.or_else(|| config.endpoint_url().map(str::to_owned));
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_region(region)
        .with_credentials(Arc::new(Bridge(provider)))
        .with_virtual_hosted_style_request(!options.path_style && endpoint.is_none())
        .with_retry(retry);
    let mut client = client;
    if let Some(endpoint) = endpoint {
        client = client.with_allow_http(endpoint.starts_with("http://"));
        builder = builder.with_endpoint(endpoint);
    }
    let built = builder.with_client_options(client).build();
    Ok(Arc::new(built.map_err(|error| Failure::invalid(error.to_string()))?))
}

/// The SDK's credentials, for the object store.
#[derive(Debug)]
struct Bridge(SharedCredentialsProvider);

type Answer<'a, T> = Pin<Box<dyn Future<Output = object_store::Result<T>> + Send + 'a>>;

impl CredentialProvider for Bridge {
    type Credential = AwsCredential;

    fn get_credential<'s, 'a>(&'s self) -> Answer<'a, Arc<AwsCredential>>
    where
        's: 'a,
        Self: 'a,
    {
        Box::pin(async move {
            let found = self.0.provide_credentials().await.map_err(|error| {
                object_store::Error::Generic { store: "S3", source: Box::new(error) }
            })?;
            Ok(Arc::new(AwsCredential {
                key_id: found.access_key_id().to_owned(),
                secret_key: found.secret_access_key().to_owned(),
                token: found.session_token().map(str::to_owned),
            }))
        })
    }
}
