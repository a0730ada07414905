//! The app's services: one line each.

use crate::data::Data;
use formwork::prelude::*;

/// A part of the app that runs in the cluster.
pub struct Service {
    /// Its name: of its image repository, its image and its service account.
    pub name: &'static str,
    /// Its base under `kube/`, unless the overlays name it themselves.
    pub base: Option<&'static str>,
    /// What its pods may do at AWS, where they have a role; previews have none.
    pub grants: Option<Grants>,
}

/// The grants of a service, given the app's database.
pub type Grants = fn(&Data) -> Vec<Value<iam::Grant>>;

/// Every service of the app.
pub const SERVICES: &[Service] = &[
    Service { name: "client", base: None, grants: None },
    Service { name: "server", base: None, grants: Some(|data| vec![data.password.read()]) },
];

/// The image of each service.
#[derive(clap::Args)]
pub struct Images {
    /// The image of a service, such as `server=registry/server@sha256:…`; a service that isn't named keeps the
    /// image that it has.
    #[arg(
        long = "image",
        env = "FORMWORK_IMAGES",
        value_name = "SERVICE=IMAGE",
        value_delimiter = ','
    )]
    images: Vec<String>,
}

impl Images {
    /// Image by service; those that aren't given keep theirs, and nothing but a service may have one.
    pub fn by_service(&self) -> Result<std::collections::BTreeMap<String, String>, StackError> {
        let mut images = std::collections::BTreeMap::new();
        for given in &self.images {
            let (name, image) = given
                .split_once('=')
                .ok_or_else(|| format!("--image {given}: write it as SERVICE=IMAGE"))?;
            if !SERVICES.iter().any(|service| service.name == name) {
                let known: Vec<&str> = SERVICES.iter().map(|service| service.name).collect();
                return Err(format!(
                    "--image {given}: no service `{name}`; there are: {}",
                    known.join(", ")
                )
                .into());
            }
            images.insert(name.to_owned(), image.to_owned());
        }
        for service in SERVICES {
            images.entry(service.name.to_owned()).or_insert_with(|| kube::RELEASED.to_owned());
        }
        Ok(images)
    }
}
