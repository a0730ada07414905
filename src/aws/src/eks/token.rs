//! Tokens for a cluster's Kubernetes API: a signed question to STS, which EKS asks in our place.
//!
//! <https://docs.aws.amazon.com/eks/latest/best-practices/identity-and-access-management.html>

use crate::{call::credentials, cloud::install_crypto};
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, error::CredentialsError},
};
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign},
    sign::v4,
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use formwork_engine::Failure;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::SecretString;
use std::time::{Duration, SystemTime};

/// How long the signature itself may say that it holds; EKS accepts no more.
const SIGNED_FOR: Duration = Duration::from_secs(60);
/// How long EKS accepts a token: a quarter of an hour from its signature, less a minute to be safe.
const VALID_FOR: Duration = Duration::from_secs(14 * 60);
/// The header, signed, that ties a token to one cluster.
const CLUSTER_HEADER: &str = "x-k8s-aws-id";
const PREFIX: &str = "k8s-aws-v1.";
/// What the signature expects to be escaped: all but RFC 3986's unreserved characters.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A bearer token for a cluster's Kubernetes API.
#[derive(Clone, Debug)]
pub struct Token {
    pub text: SecretString,
    /// When a new one is needed.
    pub expires: SystemTime,
}

/// Makes a token for a cluster, with the credentials that the SDK's default chain finds.
pub async fn token(region: &str, cluster: &str) -> Result<Token, Failure> {
    install_crypto();
    let region_of = Region::new(region.to_owned());
    let config = aws_config::defaults(BehaviorVersion::latest()).region(region_of).load().await;
    let provider = config
        .credentials_provider()
        .ok_or_else(|| credentials(&CredentialsError::not_loaded("no provider")))?;
    cluster_token(region, cluster, config.endpoint_url(), &provider).await
}

/// Makes a token for a cluster, without any call.
///
/// `endpoint` is where STS is asked instead of its own address in the region, such as an emulator's URL.
pub async fn cluster_token(
    region: &str,
    cluster: &str,
    endpoint: Option<&str>,
    provider: &impl ProvideCredentials,
) -> Result<Token, Failure> {
    let credentials = provider.provide_credentials().await.map_err(|e| credentials(&e))?;
    let now = SystemTime::now();
    let url = signed_url(region, cluster, endpoint, credentials, now)?;
    let text = format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(url));
    Ok(Token { text: SecretString::from(text), expires: now + VALID_FOR })
}

fn signed_url(
    region: &str,
    cluster: &str,
    endpoint: Option<&str>,
    credentials: Credentials,
    now: SystemTime,
) -> Result<String, Failure> {
    let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    let base = endpoint.map_or_else(|| format!("https://sts.{region}.{domain}"), str::to_owned);
    let mut url =
        format!("{}/?Action=GetCallerIdentity&Version=2011-06-15", base.trim_end_matches('/'));

    let broken = |error: &dyn std::fmt::Display| {
        Failure::invalid(format!("a token for cluster {cluster} can't be signed: {error}"))
    };
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(SIGNED_FOR);
    let identity = credentials.into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("sts")
        .time(now)
        .settings(settings)
        .build()
        .map_err(|error| broken(&error))?
        .into();
    let headers = [(CLUSTER_HEADER, cluster)].into_iter();
    let request = SignableRequest::new("GET", url.as_str(), headers, SignableBody::Bytes(&[]))
        .map_err(|error| broken(&error))?;
    let (signature, _) = sign(request, &params).map_err(|error| broken(&error))?.into_parts();
    for (name, value) in signature.params() {
        url.push('&');
        url.push_str(name);
        url.push('=');
        url.extend(utf8_percent_encode(value, ESCAPED));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A fixed clock and made-up credentials: 2025-01-01T00:00:00Z.
    fn url(endpoint: Option<&str>, session: Option<&str>) -> String {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_735_689_600);
        let credentials =
            Credentials::new("AKIDEXAMPLE", "secret", session.map(str::to_owned), None, "test");
        signed_url("eu-central-1", "production", endpoint, credentials, time).unwrap()
    }

    #[test]
    fn the_url_asks_sts_and_signs_the_clusters_name() {
        let url = url(None, Some("a/b+c"));
        let (start, signature) = url.split_once("&X-Amz-Signature=").unwrap();
        assert_eq!(
            start,
            "https://sts.eu-central-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15\
             &X-Amz-Algorithm=AWS4-HMAC-SHA256\
             &X-Amz-Credential=AKIDEXAMPLE%2F20250101%2Feu-central-1%2Fsts%2Faws4_request\
             &X-Amz-Date=20250101T000000Z&X-Amz-Expires=60\
             &X-Amz-SignedHeaders=host%3Bx-k8s-aws-id"
        );
        let (signature, session) = signature.split_once("&X-Amz-Security-Token=").unwrap();
        assert_eq!(signature.len(), 64);
        assert_eq!(session, "a%2Fb%2Bc");
    }

    #[test]
    fn an_emulator_is_asked_where_it_is() {
        assert!(
            url(Some("http://127.0.0.1:4566/"), None).starts_with("http://127.0.0.1:4566/?Action=")
        );
    }

    #[tokio::test]
    async fn a_token_is_the_url_in_base64_and_prints_as_nothing() {
        use secrecy::ExposeSecret as _;
        let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "test");
        let token = cluster_token("eu-central-1", "production", None, &credentials).await.unwrap();
        let text = token.text.expose_secret().strip_prefix(PREFIX).unwrap();
        let url = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap();
        assert!(url.starts_with("https://sts.eu-central-1.amazonaws.com/?"), "{url}");
        assert!(!format!("{token:?}").contains(text));
        assert!(token.expires > SystemTime::now() + Duration::from_secs(13 * 60));
    }
}
