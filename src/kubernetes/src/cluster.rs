//! Clusters: how one is reached, and a client that is always logged in.

use crate::{release::Sightings, rollout::Touched};
use formwork_engine::{Connect, Data, Failure, Nested, Secrets, causes};
use futures::future::BoxFuture;
use kube::{
    Client, Config,
    config::{
        AuthInfo, Cluster as ClusterEntry, Context, KubeConfigOptions, Kubeconfig, NamedAuthInfo,
        NamedCluster, NamedContext,
    },
    core::{params::GetParams, request::Request},
    discovery::Discovery,
};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::sync::Mutex;

/// Longest wait for a connection to an API server.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest silence of an API server in the middle of an answer.
pub const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// A token with less life than this left isn't used any more.
pub const TOKEN_MARGIN: Duration = Duration::from_secs(60);

/// How a cluster is reached: exactly one of its fields is given.
///
/// The API server must be reachable from where formwork runs; a private one needs a kubeconfig that
/// leads through a tunnel.
#[derive(Nested, Clone, Debug, Serialize, Deserialize)]
pub struct Cluster {
    /// An EKS cluster, logged into by a token of the caller's AWS identity.
    pub eks: Option<Eks>,
    /// Any cluster, as a kubeconfig file describes it.
    pub kubeconfig: Option<KubeconfigFile>,
}

/// An EKS cluster: what `DescribeCluster` tells of it.
#[derive(Nested, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Eks {
    /// The name; it is part of what a token is signed for.
    pub name: String,
    /// The region, such as `eu-central-1`.
    pub region: String,
    /// The AWS account, where the program has credentials for several.
    pub account: Option<String>,
    /// The API server's address, such as `https://ABC.gr7.eu-central-1.eks.amazonaws.com`.
    pub endpoint: String,
    /// The certificate authority: PEM text in base64 (`certificateAuthority.data`).
    pub ca: String,
}

/// A context of a kubeconfig file.
#[derive(Nested, Clone, Debug, Serialize, Deserialize)]
pub struct KubeconfigFile {
    /// The file's path.
    pub path: String,
    /// The context; by default the file's own current one.
    pub context: Option<String>,
}

/// A bearer token and when it ends.
pub struct Token {
    pub text: SecretString,
    pub expires: SystemTime,
}

/// Where tokens for EKS clusters come from; the program hands one to [`crate::register`].
pub trait ClusterTokens: Send + Sync {
    /// A fresh token for a cluster (a signed `sts:GetCallerIdentity` request,
    /// <https://docs.aws.amazon.com/eks/latest/userguide/cluster-auth.html>).
    fn token<'a>(&'a self, cluster: &'a Eks) -> BoxFuture<'a, Result<Token, Failure>>;
}

/// A connection to a cluster.
pub struct Connection {
    login: Login,
    /// The cluster as messages name it.
    pub(crate) label: String,
    session: Mutex<Option<Session>>,
    kinds: Mutex<Option<Arc<Discovery>>>,
    /// What is known of the leases of others.
    pub(crate) leases: Sightings,
    /// What applies changed, until it is followed.
    pub(crate) touched: Touched,
    /// For what is applied while a deploy is followed.
    pub(crate) secrets: Secrets,
}

enum Login {
    Eks { cluster: Eks, tokens: Arc<dyn ClusterTokens> },
    File(KubeconfigFile),
}

/// A client and how long its login lasts; a kubeconfig's client renews its own.
struct Session {
    client: Client,
    expires: Option<SystemTime>,
}

impl Connect for Connection {
    type Setup = Arc<dyn ClusterTokens>;

    async fn connect(
        setup: &Self::Setup,
        binding: &Data,
        secrets: &Secrets,
    ) -> Result<Self, Failure> {
        let cluster: Cluster = binding
            .parse()
            .map_err(|error| Failure::invalid(format!("the field `cluster` is bad: {error}")))?;
        let (login, label) = match (cluster.eks, cluster.kubeconfig) {
            (Some(cluster), None) => {
                let label = format!("EKS cluster {} ({})", cluster.name, cluster.endpoint);
                (Login::Eks { cluster, tokens: setup.clone() }, label)
            }
            (None, Some(file)) => {
                let connection = Self::of_file(file).await?;
                return Ok(Self { secrets: secrets.clone(), ..connection });
            }
            _ => {
                return Err(Failure::invalid("a cluster is either `eks` or `kubeconfig`")
                    .hint("give one of them: kube::Cluster::new().eks(..)"));
            }
        };
        let connection = Self::new(login, label).await?;
        Ok(Self { secrets: secrets.clone(), ..connection })
    }
}

impl Connection {
    async fn new(login: Login, label: String) -> Result<Self, Failure> {
        // Two providers are linked in; without a choice rustls panics. Err says one was chosen before.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let connection = Self {
            login,
            label,
            session: Mutex::default(),
            kinds: Mutex::default(),
            leases: Sightings::default(),
            touched: Touched::default(),
            secrets: Secrets::default(),
        };
        connection.client().await?;
        Ok(connection)
    }

    /// A connection to the cluster of a kubeconfig file.
    pub async fn of_file(file: KubeconfigFile) -> Result<Self, Failure> {
        let context = file.context.as_ref().map(|c| format!(", context {c}"));
        let label = format!("cluster of {}{}", file.path, context.unwrap_or_default());
        Self::new(Login::File(file), label).await
    }

    /// A client whose login lasts long enough for a call.
    pub(crate) async fn client(&self) -> Result<Client, Failure> {
        let mut session = self.session.lock().await;
        if let Some(Session { client, expires }) = &*session {
            let deadline = SystemTime::now() + TOKEN_MARGIN;
            if expires.is_none_or(|expires| expires > deadline) {
                return Ok(client.clone());
            }
        }
        let (mut config, expires) = self.config().await?;
        config.connect_timeout = Some(CONNECT_TIMEOUT);
        config.read_timeout = Some(READ_TIMEOUT);
        config.reset_reader_on_write = true;
        let client = Client::try_from(config)
            .map_err(|error| Failure::invalid(format!("{}: {error}", self.label)))?;
        *session = Some(Session { client: client.clone(), expires });
        Ok(client)
    }

    async fn config(&self) -> Result<(Config, Option<SystemTime>), Failure> {
        match &self.login {
            Login::Eks { cluster, tokens } => {
                let token = tokens.token(cluster).await?;
                let kubeconfig = eks_kubeconfig(cluster, token.text);
                let options = KubeConfigOptions::default();
                let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
                let config = config.map_err(|error| {
                    Failure::invalid(format!("{}: {error}", self.label))
                        .hint("check the cluster's endpoint and certificate authority")
                })?;
                Ok((config, Some(token.expires)))
            }
            Login::File(file) => {
                let bad = |error: kube::config::KubeconfigError| {
                    Failure::invalid(format!("{}: {error}", self.label))
                        .hint("check the path and the context: kubectl config get-contexts")
                };
                let kubeconfig = Kubeconfig::read_from(PathBuf::from(&file.path)).map_err(bad)?;
                let context = file.context.clone();
                let options = KubeConfigOptions { context, ..KubeConfigOptions::default() };
                let config =
                    Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(bad)?;
                Ok((config, None))
            }
        }
    }

    /// What the cluster serves; two calls, then kept.
    pub(crate) async fn kinds(&self) -> Result<Arc<Discovery>, Failure> {
        let mut kinds = self.kinds.lock().await;
        match &*kinds {
            Some(known) => Ok(known.clone()),
            None => {
                let found = Discovery::new(self.client().await?).run_aggregated().await;
                let found = found.map_err(|error| self.failure("discovering kinds", error))?;
                let found = Arc::new(found);
                *kinds = Some(found.clone());
                Ok(found)
            }
        }
    }

    /// Forgets what the cluster serves, after new kinds were defined.
    pub(crate) async fn forget_kinds(&self) {
        *self.kinds.lock().await = None;
    }

    /// What a failed call means.
    pub(crate) fn failure(&self, doing: impl std::fmt::Display, error: kube::Error) -> Failure {
        let failure = match error {
            kube::Error::Api(status) => refused(&status),
            kube::Error::SerdeError(error) => {
                Failure::service(format!("the answer makes no sense: {error}"))
            }
            kube::Error::BuildRequest(error) => Failure::invalid(error.to_string()),
            kube::Error::Auth(error) => Failure::denied(format!("can't log in: {error}")),
            kube::Error::Service(error) => no_answer(&*error),
            other => no_answer(&other),
        };
        failure.context(format!("{doing} in {}", self.label))
    }
}

/// The OpenAPI document of an API server, version 2: JSON of about two megabytes
/// (<https://kubernetes.io/docs/concepts/overview/kubernetes-api/#openapi-v2>).
pub async fn openapi(kubeconfig: &str, context: Option<String>) -> Result<String, Failure> {
    let file = KubeconfigFile { path: kubeconfig.to_owned(), context };
    let connection = Connection::of_file(file).await?;
    let doing = "reading /openapi/v2";
    let request = Request::new("/openapi").get("v2", &GetParams::default());
    let request = request.map_err(|error| Failure::invalid(format!("{doing}: {error}")))?;
    let answer = connection.client().await?.request_text(request).await;
    answer.map_err(|error| connection.failure(doing, error))
}

/// What an API server's refusal means (<https://kubernetes.io/docs/reference/using-api/api-concepts/>).
fn refused(status: &kube::core::Status) -> Failure {
    let message = match status.message.as_str() {
        "" => status.reason.clone(),
        message => message.to_owned(),
    };
    match status.code {
        401 => Failure::denied("the cluster doesn't know who is asking").hint(
            "the token or certificate was refused: is there an access entry for this identity, and \
             is the clock right?",
        ),
        403 => Failure::denied(message).hint(
            "give this identity the rights for it: an access policy, or a Role in the namespace",
        ),
        409 if status.reason == kube::core::response::reason::ALREADY_EXISTS => {
            Failure::taken(message)
        }
        409 => Failure::busy(message),
        400 | 404 | 405 | 413 | 415 | 422 => Failure::invalid(message),
        // What server-side apply says, as an internal error, of a field that the kind doesn't have.
        500 if message.contains("failed to create typed patch object") => Failure::invalid(message),
        _ => Failure::service(message),
    }
}

fn no_answer(error: &(dyn std::error::Error + 'static)) -> Failure {
    Failure::unreachable(format!("no answer: {}", causes(error))).hint(
        "check that the API server's address is right and reachable from here; a private endpoint \
         needs a tunnel",
    )
}

fn eks_kubeconfig(cluster: &Eks, token: SecretString) -> Kubeconfig {
    let name = cluster.name.clone();
    Kubeconfig {
        clusters: vec![NamedCluster {
            name: name.clone(),
            cluster: Some(ClusterEntry {
                server: Some(cluster.endpoint.clone()),
                certificate_authority_data: Some(cluster.ca.clone()),
                ..ClusterEntry::default()
            }),
            ..NamedCluster::default()
        }],
        auth_infos: vec![NamedAuthInfo {
            name: name.clone(),
            auth_info: Some(AuthInfo { token: Some(token), ..AuthInfo::default() }),
            ..NamedAuthInfo::default()
        }],
        contexts: vec![NamedContext {
            name: name.clone(),
            context: Some(Context {
                cluster: name.clone(),
                user: Some(name.clone()),
                ..Context::default()
            }),
            ..NamedContext::default()
        }],
        current_context: Some(name),
        ..Kubeconfig::default()
    }
}
