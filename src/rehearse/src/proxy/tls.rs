//! Encryption on both sides of the proxy: towards the program, and towards the API server.

use std::{fs, io, net::TcpStream, path::Path, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
    crypto::aws_lc_rs::default_provider,
    pki_types::{CertificateDer, IpAddr, PrivateKeyDer, ServerName, pem::PemObject},
};
use serde_json::Value;

use crate::{pki::Pki, start_error::StartError};

/// What both sides need.
#[derive(Debug)]
pub(super) struct Tls {
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
}

impl Tls {
    /// Serves by the proxy's own certificate, and connects as a kubeconfig of the local cloud says.
    pub fn between(pki: &Pki, kubeconfig: &Path) -> Result<Self, StartError> {
        Ok(Self { server: serving(pki)?, client: connecting(kubeconfig)? })
    }

    pub fn accept(
        &self,
        client: TcpStream,
    ) -> io::Result<StreamOwned<ServerConnection, TcpStream>> {
        let connection =
            ServerConnection::new(Arc::clone(&self.server)).map_err(io::Error::other)?;
        Ok(StreamOwned::new(connection, client))
    }

    pub fn connect(
        &self,
        server: TcpStream,
    ) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
        let name = ServerName::IpAddress(IpAddr::from(server.peer_addr()?.ip()));
        let connection =
            ClientConnection::new(Arc::clone(&self.client), name).map_err(io::Error::other)?;
        Ok(StreamOwned::new(connection, server))
    }
}

fn serving(pki: &Pki) -> Result<Arc<ServerConfig>, StartError> {
    let unusable = |path: &Path, why: String| StartError::Io {
        what: "use the certificate",
        path: path.to_owned(),
        source: io::Error::other(why),
    };
    let (certificate, key) = (&pki.server.certificate, &pki.server.key);
    let chain = CertificateDer::from_pem_file(certificate);
    let chain = chain.map_err(|error| unusable(certificate, error.to_string()))?;
    let secret = PrivateKeyDer::from_pem_file(key);
    let secret = secret.map_err(|error| unusable(key, error.to_string()))?;
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|config| config.with_no_client_auth().with_single_cert(vec![chain], secret));
    config.map(Arc::new).map_err(|error| unusable(certificate, error.to_string()))
}

fn connecting(kubeconfig: &Path) -> Result<Arc<ClientConfig>, StartError> {
    let unusable = |why: String| StartError::Io {
        what: "use the kubeconfig",
        path: kubeconfig.to_owned(),
        source: io::Error::other(why),
    };
    let text = fs::read(kubeconfig).map_err(StartError::io("read", kubeconfig))?;
    let config: Value =
        serde_json::from_slice(&text).map_err(|error| unusable(error.to_string()))?;
    let pem = |at: &str| {
        let text = config.pointer(at).and_then(Value::as_str);
        let text = text.ok_or_else(|| unusable(format!("it has nothing at {at}")))?;
        STANDARD.decode(text).map_err(|error| unusable(format!("{at}: {error}")))
    };
    let certificate = |at: &str| {
        CertificateDer::from_pem_slice(&pem(at)?)
            .map_err(|error| unusable(format!("{at}: {error}")))
    };
    let key = pem("/users/0/user/client-key-data")?;
    let key = PrivateKeyDer::from_pem_slice(&key).map_err(|error| unusable(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    let authority = certificate("/clusters/0/cluster/certificate-authority-data")?;
    roots.add(authority).map_err(|error| unusable(error.to_string()))?;
    let chain = vec![certificate("/users/0/user/client-certificate-data")?];
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|config| config.with_root_certificates(roots).with_client_auth_cert(chain, key));
    config.map(Arc::new).map_err(|error| unusable(error.to_string()))
}
