//! `kube.App`: a kustomize overlay, applied, pruned and awaited as one resource.
//!
//! The author gives an overlay and what comes from the stack: images, settings, secrets, prefix,
//! namespace. [`Reconcile::embed`] puts the overlay's files into the graph, so that a plan needs no
//! checkout; [`Reconcile::expand`] renders them to `objects`, which is what is compared. Every object
//! carries the App's labels, and a ConfigMap beside them is the App's record in the cluster: with both,
//! everything is found again without any state, and what is no longer wanted is pruned.

mod apply;
mod authors;
mod compare;
pub(crate) mod conflict;
mod consequences;
mod deploy;
mod holders;
mod holes;
pub(crate) mod immutable;
mod inspect;
pub(crate) mod key;
pub(crate) mod manifest;
pub(crate) mod marks;
pub(crate) mod observe;
mod order;
mod overlay;
mod quantity;
pub(crate) mod render;
mod smoke;
mod status;
pub(crate) mod steps;

pub use deploy::{Rollout, back_to};
pub use manifest::Manifest;
pub use smoke::Check;

use crate::{
    api::side_by_side,
    cluster::{Cluster, Connection},
    release::SchemaRange,
};
use formwork_engine::{
    Author, Change, Data, Expr, Failure, Followed, Found, Outputs, Prediction, Progress, Reconcile,
    Resource, Secret, Secrets, Subject, plan::Versions,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::Path};

/// Said of an image: the one that is released already, by whichever run that was. `plan`, `apply` and `deploy`
/// put the recorded one in its place.
pub const RELEASED: &str = "released";

/// A kustomize overlay in a cluster.
///
/// ```
/// # use formwork_engine::{Stack, list, map, text};
/// # use formwork_kubernetes::{App, Cluster, KubeconfigFile};
/// # let mut s = Stack::new("preview");
/// # let cluster = || Cluster::new().kubeconfig(KubeconfigFile::new().path("kubeconfig"));
/// s.add("shop", App::new()
///     .cluster(cluster())
///     .overlay("kube/overlays/staging")
///     .namespace("shop-pr1")
///     .name_prefix("shop-pr1-")
///     .images(map! { "client": "registry/client:1f2e", "server": "registry/server:1f2e" })
///     .config(map! { "REDIS_URL": text!["rediss://", "cache.internal", ":6379"] }));
/// ```
#[derive(Resource, Deserialize)]
#[resource(kind = "kube.App", outputs = AppOutputs, identity = key)]
pub struct App {
    /// How the cluster is reached.
    #[binding]
    pub cluster: Cluster,
    /// The overlay's directory, from the project's root: `kube/overlays/staging`.
    #[source]
    pub overlay: String,
    /// Directories beside the overlay, such as another service's base: `kube/bases/worker`.
    #[source]
    pub bases: Option<Vec<String>>,
    /// The namespace of all objects.
    #[replace]
    pub namespace: String,
    /// Whether the namespace is the App's: created with it, and deleted with all that is in it.
    /// By default it is; taken back, the namespace is let go and stays.
    #[source]
    pub create_namespace: Option<bool>,
    /// Comes before the name of every object.
    #[source]
    pub name_prefix: Option<String>,
    /// The image for each image name that the overlay uses: `registry/name:tag` or `registry/name@sha256:…`.
    #[source]
    #[late]
    pub images: Option<BTreeMap<String, String>>,
    /// The host name for each host that the overlay's Ingresses use.
    #[source]
    pub hosts: Option<BTreeMap<String, String>>,
    /// The number of replicas of workloads, by the names that the overlay gives them.
    #[source]
    pub replicas: Option<BTreeMap<String, u16>>,
    /// Labels of all objects and of their pods, not of selectors, which can't change later.
    #[source]
    pub labels: Option<BTreeMap<String, String>>,
    /// Settings, added to the overlay's generated ConfigMap `config`; one is made where there is none.
    #[source]
    pub config: Option<BTreeMap<String, String>>,
    /// Secrets, added to the overlay's generated Secret `secrets`; one is made where there is none.
    ///
    /// A new version of a secret gives the Secret a new name, so that the pods that use it are rolled.
    #[source]
    #[secret]
    pub secrets: Option<BTreeMap<String, Secret>>,
    /// Whether the App is ready only once its workloads are rolled out. By default it is. A migration, which is
    /// a Job with the annotation `formwork/step: before`, is waited for all the same.
    #[source]
    pub wait: Option<bool>,
    /// How much of a rollout may go wrong, for how long.
    #[source]
    pub rollout: Option<Rollout>,
    /// What has to be answered well once the rollout is healthy, at public addresses; at most 20. One that isn't
    /// makes the release a bad one. None are run where `wait` is false.
    #[source]
    pub checks: Option<Vec<Check>>,
    /// What is done about a field that another manager (`kubectl`, an autoscaler) holds with another value:
    /// `"take"`, the default, gives it the wanted one, as a plan shows; `"leave"` leaves it to them and shows no
    /// drift; `"refuse"` applies nothing and names them.
    #[source]
    pub conflicts: Option<String>,
    /// Whether volumes (claims and PersistentVolumes) that leave the overlay are deleted, with their data. By
    /// default they stay; the annotation `formwork/delete: "true"` says it of a single one, and it alone of a
    /// CustomResourceDefinition, with which all objects of its kind go.
    #[source]
    pub delete_volumes: Option<bool>,
    /// Revisions that are kept in the cluster, to go back to: 10 by default, from 1 to 100. The last good one
    /// is kept whatever its age.
    #[source]
    pub keep_releases: Option<u16>,
    /// The database schema that this release works with, so that a rollback doesn't pass a migration.
    #[source]
    pub schema: Option<SchemaRange>,
    /// The commit that it is built from, for the history of releases.
    #[source]
    #[late]
    pub commit: Option<String>,
    /// Who releases it, for the history of releases.
    #[source]
    #[late]
    pub author: Option<String>,
    /// The revision whose set this one puts back; written by formwork.
    #[source]
    pub restores: Option<u64>,
    /// The files of the overlay and of what it builds on, by path; read in by formwork.
    #[source]
    pub files: Option<BTreeMap<String, String>>,
    /// The objects by key (`Deployment/shop-pr1/shop-pr1-server`); rendered by formwork.
    pub objects: Option<BTreeMap<String, Manifest>>,
    /// Who else holds fields that aren't as wanted, by path; observed by formwork, for what a plan says.
    pub holders: Option<BTreeMap<String, String>>,
}

/// What is known of an App that exists.
#[derive(Outputs, Serialize)]
pub struct AppOutputs {
    /// Its namespace.
    #[predicted]
    pub namespace: String,
    /// The digest of the objects that were applied last, 16 characters; empty while the first apply isn't through.
    #[changes_with(objects)]
    pub release: String,
}

impl Reconcile for App {
    type Cloud = Connection;

    fn embed(project: &Path, fields: &mut BTreeMap<String, Expr>) -> Result<(), Failure> {
        overlay::embed(project, fields)
    }

    fn expand(fields: Data) -> Result<Data, Failure> {
        // What puts a revision back is rendered already, as it was then.
        let of_revision = |field| fields.get(field).is_some_and(|value| *value != Data::Null);
        match of_revision("restores") && of_revision("objects") {
            true => Ok(fields),
            false => render::expand(fields),
        }
    }

    fn remarks(fields: &Data) -> Vec<String> {
        render::remarks(fields)
    }

    fn consequences(versions: &Versions<'_>) -> Vec<String> {
        consequences::of(versions)
    }

    fn predict(prediction: &Prediction<'_>) -> BTreeMap<&'static str, String> {
        let namespace = prediction.text("namespace").map(str::to_owned);
        namespace.map(|namespace| ("namespace", namespace)).into_iter().collect()
    }

    async fn list(cloud: &Connection, wanted: &[Subject]) -> Result<Vec<Found<Self>>, Failure> {
        let apps = wanted.iter().map(|subject| observe::app(cloud, subject)).collect();
        let apps: Vec<Option<_>> = side_by_side(apps).await?;
        Ok(apps.into_iter().flatten().collect())
    }

    async fn authors(
        cloud: &Connection,
        subject: &Subject,
        paths: &[String],
    ) -> Result<Vec<(String, Author)>, Failure> {
        authors::authors(cloud, subject, paths).await
    }

    async fn create(
        cloud: &Connection,
        subject: &Subject,
        want: Self,
        secrets: &Secrets,
    ) -> Result<String, Failure> {
        apply::apply(cloud, subject, &want, secrets).await
    }

    async fn update(
        cloud: &Connection,
        subject: &Subject,
        change: Change<'_, Self>,
    ) -> Result<(), Failure> {
        let secrets = change.secrets;
        apply::apply(cloud, subject, &change.want, secrets).await.map(drop)
    }

    const FOLLOWS: bool = true;

    async fn follow(
        cloud: &Connection,
        subject: &Subject,
        tell: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<Followed, Failure> {
        deploy::follow(cloud, subject, tell).await
    }

    async fn last_good(cloud: &Connection, subject: &Subject) -> Result<Option<Data>, Failure> {
        deploy::last_good(cloud, subject).await
    }

    async fn delete(cloud: &Connection, subject: &Subject) -> Result<(), Failure> {
        apply::delete(cloud, subject).await
    }
}
