//! Kubeconfig files with everything inside, so that they can be copied.

use std::{fs, path::Path};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;

use crate::{
    pki::{Identity, Pki, write_secret},
    start_error::StartError,
};

/// Writes a kubeconfig to `path` which speaks to `server` as `who`. JSON is YAML.
pub(crate) fn write(
    path: &Path,
    cluster: &str,
    server: &str,
    pki: &Pki,
    who: &Identity,
) -> Result<(), StartError> {
    let data = |file: &Path| {
        fs::read(file).map(|bytes| STANDARD.encode(bytes)).map_err(StartError::io("read", file))
    };
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": cluster, "cluster": {
            "server": server,
            "certificate-authority-data": data(&pki.authority.certificate)?,
        }}],
        "users": [{"name": cluster, "user": {
            "client-certificate-data": data(&who.certificate)?,
            "client-key-data": data(&who.key)?,
        }}],
        "contexts": [{"name": cluster, "context": {"cluster": cluster, "user": cluster}}],
        "current-context": cluster,
    });
    write_secret(path, &format!("{config:#}\n"))
}
