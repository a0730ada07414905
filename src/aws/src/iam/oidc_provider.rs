//! An OpenID Connect identity provider: an issuer whose tokens roles can trust.
//!
//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateOpenIDConnectProvider.html>

use super::{Trust, tags};
use crate::{
    Aws,
    call::{absent, calls},
    each::each,
    named::taken,
    tags::Tags,
    target::predict_with_arn,
};
use formwork_engine::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The issuer of the tokens that runs of GitHub workflows get, without its `https://`.
pub const GITHUB_ISSUER: &str = "token.actions.githubusercontent.com";

const SCHEME: &str = "https://";

/// An OpenID Connect identity provider: an issuer whose tokens roles can trust.
///
/// An account has one of each URL. One that is there already belongs to whoever made it, and is
/// refused: let one stack keep it, and the others import its ARN.
#[derive(Resource, Deserialize)]
#[resource(kind = "aws.iam.OidcProvider", outputs = OidcProviderOutputs, identity = name(255))]
pub struct OidcProvider {
    /// The issuer's URL, such as `https://token.actions.githubusercontent.com`.
    #[replace]
    pub url: String,
    /// The audiences that tokens may be made for, such as `sts.amazonaws.com`.
    #[unordered]
    pub client_ids: Vec<String>,
    /// SHA-1 thumbprints of the issuer's certificate authorities, 40 hexadecimal digits each. Default:
    /// AWS finds them itself, and doesn't check them for issuers that it knows, GitHub among them.
    #[unordered]
    pub thumbprints: Option<Vec<String>>,
    pub tags: Option<Tags>,
}

/// What is known of an identity provider.
#[derive(Outputs, Serialize)]
pub struct OidcProviderOutputs {
    #[predicted]
    pub arn: Arn,
    /// The issuer without `https://`, as it stands in condition keys.
    #[predicted]
    pub issuer: String,
}

impl OidcProviderOutputsRefs {
    /// Trust in runs of GitHub workflows; see [`Trust::github`].
    pub fn github<T: IntoText>(&self, subjects: impl IntoIterator<Item = T>) -> Value<Trust> {
        Trust::github(self.arn, subjects)
    }

    /// Trust in a Kubernetes service account of this issuer; see [`Trust::service_account`].
    pub fn service_account(&self, namespace: impl IntoText, name: impl IntoText) -> Value<Trust> {
        Trust::service_account(self.arn, self.issuer, namespace, name)
    }
}

calls! { OidcProvider:
    READ = IAM.GetOpenIDConnectProvider on ["oidc-provider/*"];
    CREATE = IAM.CreateOpenIDConnectProvider on ["oidc-provider/*"],
        and "iam:TagOpenIDConnectProvider" on ["oidc-provider/*"];
    ADD_CLIENT = IAM.AddClientIDToOpenIDConnectProvider on ["oidc-provider/*"];
    REMOVE_CLIENT = IAM.RemoveClientIDFromOpenIDConnectProvider on ["oidc-provider/*"];
    SET_THUMBPRINTS = IAM.UpdateOpenIDConnectProviderThumbprint on ["oidc-provider/*"];
    TAG = IAM.TagOpenIDConnectProvider on ["oidc-provider/*"];
    UNTAG = IAM.UntagOpenIDConnectProvider on ["oidc-provider/*"];
    DELETE = IAM.DeleteOpenIDConnectProvider on ["oidc-provider/*"];
}

impl Reconcile for OidcProvider {
    type Cloud = Aws;

    async fn list(cloud: &Aws, wanted: &[Subject]) -> Result<Vec<Found<Self>>, Failure> {
        // The list of them has neither URLs nor tags, and an account has a handful.
        let mut found: Vec<Found<Self>> = each(cloud, wanted).await?;
        // Several may ask for the same URL, and there is one of it.
        found.sort_by(|a, b| a.id.cmp(&b.id));
        found.dedup_by(|a, b| a.id == b.id);
        Ok(found)
    }

    async fn read(cloud: &Aws, subject: &Subject) -> Result<Option<Found<Self>>, Failure> {
        let arn = match &subject.id {
            Some(arn) => arn.clone(),
            None => arn_of(cloud, issuer(subject.input("url")?)),
        };
        let request = cloud.iam.get_open_id_connect_provider().open_id_connect_provider_arn(&arn);
        let Some(read) = cloud.find(READ, request.send()).await? else { return Ok(None) };
        let (owner, own_tags) = tags::split(read.tags);
        let url = read.url.ok_or_else(|| absent(READ, "a URL"))?;
        Ok(Some(Found {
            observed: OidcProviderObserved {
                // IAM leaves the scheme off, whatever it was given.
                url: Some(format!("{SCHEME}{}", issuer(&url))),
                client_ids: Some(read.client_id_list.unwrap_or_default()),
                thumbprints: Some(read.thumbprint_list.unwrap_or_default()),
                tags: Some(own_tags),
            },
            outputs: OidcProviderOutputs { arn: Arn::new(&arn), issuer: issuer(&url).to_owned() },
            id: arn,
            status: Status::Ready,
            owner,
        }))
    }

    async fn create(
        cloud: &Aws,
        subject: &Subject,
        want: Self,
        _: &Secrets,
    ) -> Result<String, Failure> {
        let request = cloud
            .iam
            .create_open_id_connect_provider()
            .url(&want.url)
            .set_client_id_list(Some(want.client_ids))
            .set_thumbprint_list(want.thumbprints)
            .set_tags(Some(tags::at_creation(subject, want.tags.as_ref())?));
        match cloud.send(CREATE, request.send()).await {
            Ok(made) => made.open_id_connect_provider_arn.ok_or_else(|| absent(CREATE, "an ARN")),
            Err(failure) if failure.kind == FailureKind::Taken => {
                match Self::read(cloud, subject).await? {
                    Some(found) if found.owner.as_ref() == Some(&subject.owner) => Ok(found.id),
                    Some(found) => Err(taken::<Self>(&want.url, found.owner.as_ref())
                        .hint("an account has one for each URL: let one stack keep it, and import its ARN")),
                    None => Err(failure),
                }
            }
            Err(failure) => Err(failure),
        }
    }

    async fn update(
        cloud: &Aws,
        subject: &Subject,
        change: Change<'_, Self>,
    ) -> Result<(), Failure> {
        let (arn, want) = (subject.id()?, &change.want);
        if change.has("client_ids") {
            set_clients(cloud, arn, &want.client_ids).await?;
        }
        if change.has("thumbprints")
            && let Some(thumbprints) = &want.thumbprints
        {
            let request = cloud
                .iam
                .update_open_id_connect_provider_thumbprint()
                .open_id_connect_provider_arn(arn)
                .set_thumbprint_list(Some(thumbprints.clone()));
            cloud.send(SET_THUMBPRINTS, request.send()).await?;
        }
        match &want.tags {
            Some(want) if change.has("tags") => set_tags(cloud, arn, want).await,
            _ => Ok(()),
        }
    }

    async fn delete(cloud: &Aws, subject: &Subject) -> Result<(), Failure> {
        let request = cloud.iam.delete_open_id_connect_provider();
        let request = request.open_id_connect_provider_arn(subject.id()?);
        cloud.find(DELETE, request.send()).await.map(drop)
    }

    fn predict(of: &Prediction<'_>) -> BTreeMap<&'static str, String> {
        let Some(issuer) = of.text("url").map(issuer) else { return BTreeMap::new() };
        predict_with_arn(of, ("issuer", issuer), "iam", &format!("oidc-provider/{issuer}"))
    }
}

fn issuer(url: &str) -> &str {
    url.strip_prefix(SCHEME).unwrap_or(url)
}

fn arn_of(cloud: &Aws, issuer: &str) -> String {
    cloud.arn("iam", &format!("oidc-provider/{issuer}")).to_string()
}

/// What is there now, read again: other audiences may have come meanwhile.
async fn current(
    cloud: &Aws,
    arn: &str,
) -> Result<
    aws_sdk_iam::operation::get_open_id_connect_provider::GetOpenIdConnectProviderOutput,
    Failure,
> {
    let request = cloud.iam.get_open_id_connect_provider().open_id_connect_provider_arn(arn);
    cloud.send(READ, request.send()).await
}

async fn set_clients(cloud: &Aws, arn: &str, want: &[String]) -> Result<(), Failure> {
    let current = current(cloud, arn).await?.client_id_list.unwrap_or_default();
    for client in want.iter().filter(|client| !current.contains(client)) {
        let request = cloud.iam.add_client_id_to_open_id_connect_provider();
        let request = request.open_id_connect_provider_arn(arn).client_id(client);
        cloud.send(ADD_CLIENT, request.send()).await?;
    }
    for client in current.iter().filter(|client| !want.contains(client)) {
        let request = cloud.iam.remove_client_id_from_open_id_connect_provider();
        let request = request.open_id_connect_provider_arn(arn).client_id(client);
        cloud.send(REMOVE_CLIENT, request.send()).await?;
    }
    Ok(())
}

async fn set_tags(cloud: &Aws, arn: &str, want: &Tags) -> Result<(), Failure> {
    let (set, gone) = tags::changes(current(cloud, arn).await?.tags, want)?;
    if !set.is_empty() {
        let request = cloud.iam.tag_open_id_connect_provider().open_id_connect_provider_arn(arn);
        cloud.send(TAG, request.set_tags(Some(set)).send()).await?;
    }
    if !gone.is_empty() {
        let request = cloud.iam.untag_open_id_connect_provider().open_id_connect_provider_arn(arn);
        cloud.send(UNTAG, request.set_tag_keys(Some(gone)).send()).await?;
    }
    Ok(())
}
