//! The certificates and keys of one control plane.

use std::{
    fs::{self, File},
    io::Write,
    net::{IpAddr, Ipv4Addr},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};

use crate::start_error::StartError;

/// A certificate and its key, as files.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// The certificate authority of a control plane, and what it signed.
#[derive(Debug)]
pub(crate) struct Pki {
    pub authority: Identity,
    /// Serves on 127.0.0.1: the API, and the kubelets that kwok plays.
    pub server: Identity,
    /// The key that signs the tokens of service accounts.
    pub token_key: PathBuf,
    /// The public key that they are verified by.
    pub token_public_key: PathBuf,
    /// A member of `system:masters`.
    pub admin: Identity,
    pub controller_manager: Identity,
    pub scheduler: Identity,
}

impl Pki {
    /// Makes all of it in `folder`, readable by its owner only.
    pub fn make(folder: &Path) -> Result<Self, StartError> {
        fs::create_dir_all(folder).map_err(StartError::io("make the folder", folder))?;
        let name = "formwork-local-cloud";
        let failed = |source| StartError::Certificate { name: name.to_owned(), source };
        let key = KeyPair::generate().map_err(failed)?;
        let mut params = CertificateParams::new([]).map_err(failed)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.self_signed(&key).map_err(failed)?;
        let authority = write(folder, "ca", &certificate.pem(), &key.serialize_pem())?;
        let signer = Signer { folder, issuer: Issuer::new(params, key) };

        let token_key = folder.join("service-accounts.key");
        let token_public_key = folder.join("service-accounts.pub");
        let tokens = KeyPair::generate().map_err(failed)?;
        write_secret(&token_key, &tokens.serialize_pem())?;
        fs::write(&token_public_key, tokens.public_key_pem())
            .map_err(StartError::io("write", &token_public_key))?;
        Ok(Self {
            authority,
            server: signer.server()?,
            token_key,
            token_public_key,
            admin: signer.client("admin", "formwork-admin", Some("system:masters"))?,
            controller_manager: signer.client(
                "controller-manager",
                "system:kube-controller-manager",
                None,
            )?,
            scheduler: signer.client("scheduler", "system:kube-scheduler", None)?,
        })
    }
}

struct Signer<'a> {
    folder: &'a Path,
    issuer: Issuer<'static, KeyPair>,
}

impl Signer<'_> {
    fn client(&self, file: &str, name: &str, group: Option<&str>) -> Result<Identity, StartError> {
        self.sign(file, name, |params| {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            if let Some(group) = group {
                params.distinguished_name.push(DnType::OrganizationName, group);
            }
            Ok(())
        })
    }

    fn server(&self) -> Result<Identity, StartError> {
        self.sign("server", "kube-apiserver", |params| {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            params.subject_alt_names.push(SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)));
            for name in ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"]
            {
                params.subject_alt_names.push(SanType::DnsName(name.try_into()?));
            }
            Ok(())
        })
    }

    fn sign(
        &self,
        file: &str,
        name: &str,
        describe: impl FnOnce(&mut CertificateParams) -> Result<(), rcgen::Error>,
    ) -> Result<Identity, StartError> {
        let make = || {
            let key = KeyPair::generate()?;
            let mut params = CertificateParams::new([])?;
            params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
            params.distinguished_name.push(DnType::CommonName, name);
            describe(&mut params)?;
            Ok((params.signed_by(&key, &self.issuer)?.pem(), key.serialize_pem()))
        };
        let (certificate, key) =
            make().map_err(|source| StartError::Certificate { name: name.to_owned(), source })?;
        write(self.folder, file, &certificate, &key)
    }
}

fn write(folder: &Path, name: &str, certificate: &str, key: &str) -> Result<Identity, StartError> {
    let identity = Identity {
        certificate: folder.join(format!("{name}.crt")),
        key: folder.join(format!("{name}.key")),
    };
    fs::write(&identity.certificate, certificate)
        .map_err(StartError::io("write", &identity.certificate))?;
    write_secret(&identity.key, key)?;
    Ok(identity)
}

/// Writes a file that only its owner reads.
pub(crate) fn write_secret(path: &Path, text: &str) -> Result<(), StartError> {
    let mut options = File::options();
    options.create(true).truncate(true).write(true).mode(0o600);
    let mut file = options.open(path).map_err(StartError::io("write", path))?;
    file.write_all(text.as_bytes()).map_err(StartError::io("write", path))
}
