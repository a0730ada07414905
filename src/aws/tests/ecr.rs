//! The life of an image repository, in the emulator.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod outside;
mod support;

use formwork_aws::ecr::{Encryption, Expire, Repository, keep_last, lifecycle};
use formwork_engine::{FailureKind, map};
use outside::outside;
use support::Bench;

#[tokio::test]
async fn a_repository() {
    let bench = Bench::new();
    let draft = || Repository::new().name("shop/server");
    let full = draft()
        .immutable_tags(true)
        .scan_on_push(true)
        .lifecycle_policy(keep_last(50))
        .encryption(Encryption::Aes256)
        .tags(map! {"team": "web"});
    let mut images = bench.make("images", full).await;
    assert_eq!(images.owner().await.unwrap(), images.subject.owner);
    assert_eq!(images.id(), "shop/server");
    for output in ["arn", "name", "uri"] {
        assert_eq!(images.output(output).await, images.predicted(output).unwrap());
    }
    let uri = format!("{}.dkr.ecr.eu-central-1.amazonaws.com/shop/server", bench.account);
    assert_eq!(images.output("uri").await, uri);

    let rules = [Expire::AllButLast(9), Expire::UntaggedAfterDays(3)];
    let changed = draft()
        .immutable_tags(false)
        .scan_on_push(false)
        .lifecycle_policy(lifecycle(rules))
        .tags(map! {"cost": "7"});
    let paths = ["immutable_tags", "scan_on_push", "lifecycle_policy", "tags.cost", "tags.team"];
    images.change(changed, &paths).await;
    assert_eq!(images.owner().await.unwrap(), images.subject.owner, "its marks stay");
    images.change(draft().lifecycle_policy(""), &["lifecycle_policy"]).await;
    images.delete().await;
}

/// The same policy in another form is no drift; another policy is.
#[tokio::test]
async fn policies_are_compared_by_what_they_say() {
    let bench = Bench::new();
    let draft = Repository::new().name("shop/client").lifecycle_policy(keep_last(50));
    let images = bench.make("images", draft).await;
    let ecr = aws_sdk_ecr::Client::new(&outside(&bench).await);
    let put = async |text: String| {
        let request = ecr.put_lifecycle_policy().repository_name("shop/client");
        request.lifecycle_policy_text(text).send().await.unwrap();
    };
    put(keep_last(50).replace(',', " ,\n ").replace(':', " : ")).await;
    images.check_written().await;
    put(keep_last(51)).await;
    assert_eq!(images.drift().await, ["lifecycle_policy"]);
    images.repair().await;
    images.check_written().await;
    ecr.delete_lifecycle_policy().repository_name("shop/client").send().await.unwrap();
    assert_eq!(images.drift().await, ["lifecycle_policy"]);

    // Its creation was cut off before its policy: the next try goes on with it.
    let mut images = images;
    images.create().await.unwrap();
    images.check_written().await;
    images.delete().await;
}

#[tokio::test]
async fn images_are_only_deleted_along_where_that_is_said() {
    let bench = Bench::new();
    let draft = || Repository::new().name("shop/server");
    let mut images = bench.make("images", draft()).await;
    let ecr = aws_sdk_ecr::Client::new(&outside(&bench).await);
    let image = ecr.put_image().repository_name("shop/server").image_tag("1");
    image.image_manifest(r#"{"schemaVersion":2}"#).send().await.unwrap();
    let refused = images.provider.delete(&bench.binding, &images.subject).await.unwrap_err();
    assert!(refused.message.contains("RepositoryNotEmpty"), "{refused}");
    assert!(refused.hint.unwrap().contains("force_delete"));
    images.subject.inputs = bench.thing("images", draft().force_delete(true)).subject.inputs;
    images.update(&["force_delete".into()]).await.unwrap();
    images.delete().await;
}

#[tokio::test]
async fn a_name_is_taken_once() {
    let bench = Bench::new();
    let draft = || Repository::new().name("shop/server");
    let mut images = bench.make("images", draft()).await;
    images.create().await.unwrap();
    let mut other = bench.thing("other", draft());
    let refused = other.create().await.unwrap_err();
    assert_eq!(refused.kind, FailureKind::Taken, "{refused}");
    assert!(refused.message.contains("`test/images`"), "{refused}");
    images.delete().await;
}
