//! The app in a cluster: the overlay with what the stack knows.

use crate::{
    data::Data,
    services::{Images, SERVICES},
};
use formwork::prelude::*;

/// What tells one running app from another.
pub struct App<'a> {
    /// Its release, which is the prefix of its names: `shop-production`, `shop-pr42`.
    pub release: &'a str,
    /// The namespace that it is in: its own, of its release's name, unless it is a canary of another.
    pub namespace: &'a str,
    /// The overlay under `kube/overlays`.
    pub overlay: &'a str,
    /// The host name that it answers under.
    pub host: &'a str,
    pub images: &'a Images,
}

/// The endpoints of what the app uses.
pub struct Endpoints {
    pub database: Output<String>,
    pub database_port: Output<u16>,
    pub cache: Output<String>,
    pub cache_port: Output<u16>,
}

/// The overlay of the app, to be added to a stack.
pub fn app(
    app: &App<'_>,
    cluster: Value<kube::Cluster>,
    endpoints: &Endpoints,
    data: &Data,
) -> Result<impl Draft<Resource = kube::App> + Lifecycle + use<>, StackError> {
    let images = app.images.by_service()?;
    let bases: Vec<&str> = SERVICES.iter().filter_map(|service| service.base).collect();
    let host = app.host;
    Ok(kube::App::new()
        .cluster(cluster)
        .overlay(format!("kube/overlays/{}", app.overlay))
        .bases(each(bases))
        .namespace(app.namespace)
        .create_namespace(app.namespace == app.release)
        .name_prefix(format!("{}-", app.release))
        .labels(map! { "release": app.release })
        .images(images)
        .hosts(map! { "shop": host })
        .config(map! {
            "PGHOST": endpoints.database,
            "PGPORT": text![endpoints.database_port],
            "PGDATABASE": data.database.name,
            "PGUSER": data.role.name,
            "REDIS_URL": text!["rediss://", endpoints.cache, ":", endpoints.cache_port],
        })
        .secrets(map! { "PGPASSWORD": data.password.value }))
}
