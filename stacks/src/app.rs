//! The app in a cluster: the overlay with what the stack knows.

use crate::{
    data::Data,
    services::{Images, SERVICES},
};
use formwork::prelude::*;

/// What tells one running app from another.
pub struct App<'a> {
    /// Its release, which is its namespace and the prefix of its names: `shop-production`, `shop-pr42`.
    pub release: &'a str,
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

/// Applies the overlay of the app.
pub fn app(
    s: &mut Stack,
    app: &App<'_>,
    cluster: Value<kube::Cluster>,
    endpoints: &Endpoints,
    data: &Data,
) -> Result<Handle<kube::App>, StackError> {
    let images = app.images.by_service()?;
    let bases: Vec<&str> = SERVICES.iter().filter_map(|service| service.base).collect();
    let host = app.host;
    Ok(s.add(
        "app",
        kube::App::new()
            .cluster(cluster)
            .overlay(format!("kube/overlays/{}", app.overlay))
            .bases(each(bases))
            .namespace(app.release)
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
            .secrets(map! { "PGPASSWORD": data.password.value }),
    ))
}
