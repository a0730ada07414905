//! A repository: the images of one program.
//!
//! <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html>

use super::lifecycle::canonical;
use crate::{
    Aws,
    call::{absent, calls, half_made},
    iam::Grant,
    named::{is_wanted, made_or_ours, name_of, predict_by_name, predicted_name},
    tags::{self, Tags},
    words::words,
};
use aws_sdk_ecr::types::{
    EncryptionConfiguration, EncryptionType, ImageScanningConfiguration, ImageTagMutability,
    Repository as Described, Tag,
};
use formwork_engine::*;
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Repositories whose tags and policy are read at the same time.
const READS_AT_ONCE: usize = 8;

/// A repository of container images.
#[derive(Resource, Deserialize)]
#[resource(kind = "aws.ecr.Repository", outputs = RepositoryOutputs, identity = name(256))]
pub struct Repository {
    /// Its name, such as `shop/server`: 2 to 256 lower-case letters, digits, `.`, `-`, `_` and `/`.
    #[replace]
    pub name: String,
    /// Whether a tag stays on its image for good. Default: no.
    #[default(false)]
    pub immutable_tags: Option<bool>,
    /// Whether images are searched for known vulnerabilities when they are pushed. Default: no.
    #[default(false)]
    pub scan_on_push: Option<bool>,
    /// Which images ECR deletes by itself, such as `ecr::keep_last(50)`: a JSON text. Default: none.
    #[default("")]
    pub lifecycle_policy: Option<String>,
    /// How its images are encrypted. Default: `Aes256`.
    #[replace]
    pub encryption: Option<Encryption>,
    /// The key, where KMS encrypts. Default: AWS's own for ECR.
    #[replace]
    pub kms_key: Option<Arn>,
    /// Whether deleting it deletes its images too, instead of being refused. Default: no.
    #[write_only]
    #[default(false)]
    pub force_delete: Option<bool>,
    pub tags: Option<Tags>,
}

words! {
    /// How images are encrypted.
    pub enum Encryption {
        /// By S3's own keys.
        Aes256 = "AES256",
        /// By a key in KMS.
        Kms = "KMS",
        /// Twice, by a key in KMS.
        KmsDsse = "KMS_DSSE",
    }
}

/// What is known of a repository.
#[derive(Outputs, Serialize)]
pub struct RepositoryOutputs {
    #[predicted]
    pub arn: Arn,
    #[predicted]
    pub name: String,
    /// What images are called in front of their tag: `<account>.dkr.ecr.<region>.amazonaws.com/<name>`.
    #[predicted]
    pub uri: String,
}

impl RepositoryOutputsRefs {
    /// May pull its images; the role needs [`login`] too.
    pub fn pull(&self) -> Value<Grant> {
        Grant::allow(["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"], self.arn)
    }

    /// May push images to it; the role needs [`login`] too.
    ///
    /// <https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-push-iam.html>
    pub fn push(&self) -> Value<Grant> {
        let actions = [
            "ecr:BatchCheckLayerAvailability",
            "ecr:BatchGetImage",
            "ecr:CompleteLayerUpload",
            "ecr:InitiateLayerUpload",
            "ecr:PutImage",
            "ecr:UploadLayerPart",
        ];
        Grant::allow(actions, self.arn)
    }
}

/// May log in to the account's registry, which by itself gives access to no repository.
///
/// AWS knows no narrower resource for it than `*`.
pub fn login() -> Value<Grant> {
    Grant::allow(["ecr:GetAuthorizationToken"], "*")
}

calls! { Repository:
    LIST = ECR.DescribeRepositories on ["repository/*"];
    READ_TAGS = ECR.ListTagsForResource on ["repository/{name}"];
    READ_POLICY = ECR.GetLifecyclePolicy on ["repository/{name}"];
    CREATE = ECR.CreateRepository on ["repository/{name}"],
        and "ecr:TagResource" on ["repository/{name}"],
        and "kms:CreateGrant" on ["key/*"] if "kms:GrantIsForAWSResource" = "true",
        and "kms:DescribeKey" on ["key/*"];
    PUT_POLICY = ECR.PutLifecyclePolicy on ["repository/{name}"];
    DELETE_POLICY = ECR.DeleteLifecyclePolicy on ["repository/{name}"];
    SET_MUTABILITY = ECR.PutImageTagMutability on ["repository/{name}"];
    SET_SCANNING = ECR.PutImageScanningConfiguration on ["repository/{name}"];
    TAG = ECR.TagResource on ["repository/{name}"];
    UNTAG = ECR.UntagResource on ["repository/{name}"];
    DELETE = ECR.DeleteRepository on ["repository/{name}"];
}

impl Reconcile for Repository {
    type Cloud = Aws;

    async fn list(cloud: &Aws, wanted: &[Subject]) -> Result<Vec<Found<Self>>, Failure> {
        let request = |token| cloud.ecr.describe_repositories().set_next_token(token).send();
        let all = cloud
            .pages(LIST, request, |page| (page.next_token, page.repositories.unwrap_or_default()))
            .await?;
        // Whose the others are only their tags tell, one call for each.
        let is_named = |repository: &Described| {
            repository.repository_name().is_some_and(|name| is_wanted(wanted, name, None))
        };
        let named: Vec<Described> = all.into_iter().filter(is_named).collect();
        let mut found = vec![];
        for some in named.chunks(READS_AT_ONCE) {
            let reads = some.iter().map(|repository| self::found(cloud, repository.clone()));
            found.extend(try_join_all(reads).await?.into_iter().flatten());
        }
        Ok(found)
    }

    async fn read(cloud: &Aws, subject: &Subject) -> Result<Option<Found<Self>>, Failure> {
        let request = cloud.ecr.describe_repositories().repository_names(name_of(subject));
        let page = cloud.find(LIST, request.send()).await?;
        match page.and_then(|page| page.repositories.unwrap_or_default().pop()) {
            Some(repository) => found(cloud, repository).await,
            None => Ok(None),
        }
    }

    async fn create(
        cloud: &Aws,
        subject: &Subject,
        want: Self,
        _: &Secrets,
    ) -> Result<String, Failure> {
        let tags = tags::at_creation(subject, want.tags.as_ref());
        let request = cloud
            .ecr
            .create_repository()
            .repository_name(&want.name)
            .image_tag_mutability(mutability(want.immutable_tags))
            .image_scanning_configuration(scanning(want.scan_on_push))
            .set_encryption_configuration(encryption(&want)?)
            .set_tags(Some(wire(tags)?));
        let made = cloud.send(CREATE, request.send()).await;
        made_or_ours::<Self, _>(cloud, subject, made).await?;
        if let Some(policy) = policy(&want) {
            set_policy(cloud, &want.name, Some(policy)).await.map_err(half_made(&want.name))?;
        }
        Ok(want.name)
    }

    async fn update(
        cloud: &Aws,
        subject: &Subject,
        change: Change<'_, Self>,
    ) -> Result<(), Failure> {
        let (name, want) = (subject.id()?, &change.want);
        if change.has("immutable_tags") {
            let request = cloud.ecr.put_image_tag_mutability().repository_name(name);
            let request = request.image_tag_mutability(mutability(want.immutable_tags));
            cloud.send(SET_MUTABILITY, request.send()).await?;
        }
        if change.has("scan_on_push") {
            let request = cloud.ecr.put_image_scanning_configuration().repository_name(name);
            let request = request.image_scanning_configuration(scanning(want.scan_on_push));
            cloud.send(SET_SCANNING, request.send()).await?;
        }
        if change.has("lifecycle_policy") {
            set_policy(cloud, name, policy(want)).await?;
        }
        match &want.tags {
            Some(want) if change.has("tags") => set_tags(cloud, name, want).await,
            _ => Ok(()),
        }
    }

    async fn delete(cloud: &Aws, subject: &Subject) -> Result<(), Failure> {
        let force = subject.inputs.get("force_delete") == Some(&Data::Bool(true));
        let request = cloud.ecr.delete_repository().repository_name(subject.id()?).force(force);
        match cloud.find(DELETE, request.send()).await {
            Err(failure) if failure.message.contains("RepositoryNotEmpty") => {
                Err(failure
                    .hint("delete its images, or set `force_delete` on it and apply that first"))
            }
            answer => answer.map(drop),
        }
    }

    fn expand(mut fields: Data) -> Result<Data, Failure> {
        let Data::Map(map) = &mut fields else { return Ok(fields) };
        if let Some(Data::Text(policy)) = map.get_mut("lifecycle_policy")
            && !policy.is_empty()
        {
            *policy = canonical(policy).map_err(|error| {
                Failure::invalid(format!("`lifecycle_policy` isn't JSON: {error}"))
                    .hint("make it by `ecr::keep_last(..)` or `ecr::lifecycle(..)`")
            })?;
        }
        Ok(fields)
    }

    fn predict(of: &Prediction<'_>) -> BTreeMap<&'static str, String> {
        let Some(name) = predicted_name(of) else { return BTreeMap::new() };
        let mut known = predict_by_name(of, "name", "ecr", "repository/");
        if let (Some(account), Some(region)) = (of.bound("account"), of.bound("region")) {
            known.insert("uri", format!("{}/{name}", registry(account, region)));
        }
        known
    }
}

/// The host of an account's registry.
///
/// <https://docs.aws.amazon.com/AmazonECR/latest/userguide/Registries.html>
fn registry(account: &str, region: &str) -> String {
    let domain = match region.starts_with("cn-") {
        true => "amazonaws.com.cn",
        false => "amazonaws.com",
    };
    format!("{account}.dkr.ecr.{region}.{domain}")
}

/// The rest of a repository, which its description doesn't tell; `None` if it went away meanwhile.
async fn found(cloud: &Aws, repository: Described) -> Result<Option<Found<Repository>>, Failure> {
    let name = repository.repository_name.ok_or_else(|| absent(LIST, "a name"))?;
    let arn = repository.repository_arn.ok_or_else(|| absent(LIST, "an ARN"))?;
    let (tags, policy) = futures::try_join!(read_tags(cloud, &arn), read_policy(cloud, &name))?;
    let Some(tags) = tags else { return Ok(None) };
    let (owner, own_tags) = tags::split(tags);
    let encryption = repository.encryption_configuration;
    let word = encryption.as_ref().map(|encryption| encryption.encryption_type.as_str());
    Ok(Some(Found {
        observed: RepositoryObserved {
            name: Some(name.clone()),
            immutable_tags: repository
                .image_tag_mutability
                .map(|mutability| mutability == ImageTagMutability::Immutable),
            scan_on_push: repository.image_scanning_configuration.map(|scan| scan.scan_on_push),
            // Text that can't be read as JSON is shown as the drift that it is.
            lifecycle_policy: Some(
                policy.map(|text| canonical(&text).unwrap_or(text)).unwrap_or_default(),
            ),
            encryption: word.and_then(Encryption::from_word),
            kms_key: encryption.and_then(|encryption| encryption.kms_key).map(Arn::new),
            tags: Some(own_tags),
        },
        outputs: RepositoryOutputs {
            arn: Arn::new(arn),
            name: name.clone(),
            uri: repository.repository_uri.unwrap_or_default(),
        },
        id: name,
        status: Status::Ready,
        owner,
    }))
}

async fn read_tags(cloud: &Aws, arn: &str) -> Result<Option<Tags>, Failure> {
    let request = cloud.ecr.list_tags_for_resource().resource_arn(arn);
    let read = cloud.find(READ_TAGS, request.send()).await?;
    let pairs = |tags: Vec<Tag>| tags.into_iter().map(|tag| (tag.key, tag.value)).collect();
    Ok(read.map(|read| pairs(read.tags.unwrap_or_default())))
}

async fn read_policy(cloud: &Aws, name: &str) -> Result<Option<String>, Failure> {
    let request = cloud.ecr.get_lifecycle_policy().repository_name(name);
    Ok(cloud.find(READ_POLICY, request.send()).await?.and_then(|read| read.lifecycle_policy_text))
}

/// The policy, if there is to be one; an empty one is the field's default.
fn policy(want: &Repository) -> Option<&str> {
    want.lifecycle_policy.as_deref().filter(|policy| !policy.is_empty())
}

async fn set_policy(cloud: &Aws, name: &str, policy: Option<&str>) -> Result<(), Failure> {
    match policy {
        Some(policy) => {
            let request = cloud.ecr.put_lifecycle_policy().repository_name(name);
            cloud.send(PUT_POLICY, request.lifecycle_policy_text(policy).send()).await.map(drop)
        }
        None => {
            let request = cloud.ecr.delete_lifecycle_policy().repository_name(name);
            cloud.find(DELETE_POLICY, request.send()).await.map(drop)
        }
    }
}

async fn set_tags(cloud: &Aws, name: &str, want: &Tags) -> Result<(), Failure> {
    let arn = cloud.arn("ecr", &format!("repository/{name}"));
    let current = read_tags(cloud, arn.as_str()).await?.unwrap_or_default();
    let (set, gone) = tags::changes(&current, want);
    if !set.is_empty() {
        let request = cloud.ecr.tag_resource().resource_arn(arn.as_str());
        cloud.send(TAG, request.set_tags(Some(wire(set)?)).send()).await?;
    }
    if !gone.is_empty() {
        let request = cloud.ecr.untag_resource().resource_arn(arn.as_str());
        cloud.send(UNTAG, request.set_tag_keys(Some(gone)).send()).await?;
    }
    Ok(())
}

fn wire(tags: Tags) -> Result<Vec<Tag>, Failure> {
    let tag = |(key, value)| Tag::builder().key(key).value(value).build();
    let tags: Result<_, _> = tags.into_iter().map(tag).collect();
    tags.map_err(|error| Failure::invalid(error.to_string()))
}

fn mutability(immutable: Option<bool>) -> ImageTagMutability {
    match immutable {
        Some(true) => ImageTagMutability::Immutable,
        _ => ImageTagMutability::Mutable,
    }
}

fn scanning(on_push: Option<bool>) -> ImageScanningConfiguration {
    ImageScanningConfiguration::builder().scan_on_push(on_push.unwrap_or_default()).build()
}

fn encryption(want: &Repository) -> Result<Option<EncryptionConfiguration>, Failure> {
    // A key without a way says the way.
    let way = want.encryption.or(want.kms_key.as_ref().map(|_| Encryption::Kms));
    let Some(way) = way else { return Ok(None) };
    let configuration = EncryptionConfiguration::builder()
        .encryption_type(EncryptionType::from(way.as_str()))
        .set_kms_key(want.kms_key.as_ref().map(Arn::to_string));
    let configuration = configuration.build();
    configuration.map(Some).map_err(|error| Failure::invalid(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::registry;

    #[test]
    fn registries_of_china_have_a_domain_of_their_own() {
        assert_eq!(registry("1", "eu-central-1"), "1.dkr.ecr.eu-central-1.amazonaws.com");
        assert_eq!(registry("1", "cn-north-1"), "1.dkr.ecr.cn-north-1.amazonaws.com.cn");
    }
}
