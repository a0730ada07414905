//! The connection to one account and region: credentials checked once, one client per service.

use crate::{
    Target,
    call::{CallLog, Guard, calls, credentials},
};
use aws_config::{
    BehaviorVersion, Region, SdkConfig, retry::RetryConfig, sts::AssumeRoleProvider,
    timeout::TimeoutConfig,
};
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use formwork_engine::{Arn, CALL_DEADLINE, Connect, Data, Failure, Secrets};
use std::time::Duration;

/// How often a request is sent before its failure counts, the first time included.
const MAX_ATTEMPTS: u32 = 5;
/// The same for the first request of a connection, so that a wrong endpoint is soon said.
const FIRST_ATTEMPTS: u32 = 3;
/// The longest wait between two attempts.
const MAX_BACKOFF: Duration = Duration::from_secs(10);
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest that one attempt may take.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);
/// What a role session of formwork is called in CloudTrail.
const SESSION_NAME: &str = "formwork";

/// What a program gives to every connection.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// Counts the requests of all connections.
    pub log: CallLog,
    /// Sends the requests instead of the default client, such as one that replays answers.
    pub http: Option<SharedHttpClient>,
    /// Credentials of the program's own, instead of the SDK's default chain.
    pub credentials: Option<SharedCredentialsProvider>,
}

/// A connection to one account and region.
#[derive(Debug)]
pub struct Aws {
    pub target: Target,
    pub ec2: aws_sdk_ec2::Client,
    pub ecr: aws_sdk_ecr::Client,
    pub eks: aws_sdk_eks::Client,
    pub elasticache: aws_sdk_elasticache::Client,
    pub iam: aws_sdk_iam::Client,
    pub rds: aws_sdk_rds::Client,
    pub secrets_manager: aws_sdk_secretsmanager::Client,
    pub sts: aws_sdk_sts::Client,
}

impl Aws {
    /// Connects, and makes sure that the credentials are of the target's account.
    pub async fn to(target: Target, setup: &Setup) -> Result<Self, Failure> {
        let config = config(&target, setup).await?;
        macro_rules! client {
            ($sdk:ident) => {
                $sdk::Client::from_conf(
                    $sdk::config::Builder::from(&config)
                        .interceptor(Guard(setup.log.clone()))
                        .build(),
                )
            };
        }
        let cloud = Self {
            ec2: client!(aws_sdk_ec2),
            ecr: client!(aws_sdk_ecr),
            eks: client!(aws_sdk_eks),
            elasticache: client!(aws_sdk_elasticache),
            iam: client!(aws_sdk_iam),
            rds: client!(aws_sdk_rds),
            secrets_manager: client!(aws_sdk_secretsmanager),
            sts: client!(aws_sdk_sts),
            target,
        };
        cloud.check_account().await?;
        Ok(cloud)
    }

    /// An ARN of this account and region, such as `arn("ec2", "vpc/vpc-1")`.
    pub fn arn(&self, service: &str, resource: &str) -> Arn {
        self.target.arn(service, resource)
    }

    async fn check_account(&self) -> Result<(), Failure> {
        let patience = aws_sdk_sts::config::Builder::new()
            .retry_config(RetryConfig::standard().with_max_attempts(FIRST_ATTEMPTS));
        let request = self.sts.get_caller_identity().customize().config_override(patience);
        let identity = self.send(WHO, request.send()).await?;
        match identity.account() {
            Some(account) if account == self.target.account => Ok(()),
            account => Err(Failure::denied(format!(
                "the credentials are of account {} ({}), and the stack is for account {}",
                account.unwrap_or("(none)"),
                identity.arn().unwrap_or("unknown caller"),
                self.target.account
            ))
            .hint(
                "set AWS_PROFILE to a profile of that account, or give the stack's target a role",
            )),
        }
    }
}

calls! { shared:
    /// Needs no permission at all.
    WHO = STS.GetCallerIdentity on ["*"];
}

async fn config(target: &Target, setup: &Setup) -> Result<SdkConfig, Failure> {
    install_crypto();
    let retry =
        RetryConfig::standard().with_max_attempts(MAX_ATTEMPTS).with_max_backoff(MAX_BACKOFF);
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(CALL_DEADLINE)
        .build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(target.region.clone()))
        .retry_config(retry)
        .timeout_config(timeouts);
    if let Some(endpoint) = &target.endpoint {
        loader = loader.endpoint_url(endpoint);
    }
    if let Some(profile) = &target.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(http) = &setup.http {
        loader = loader.http_client(http.clone());
    }
    if let Some(credentials) = &setup.credentials {
        loader = loader.credentials_provider(credentials.clone());
    }
    let mut config = loader.load().await;
    if let Some(role) = &target.role {
        let assume = AssumeRoleProvider::builder(role.as_str())
            .session_name(SESSION_NAME)
            .configure(&config)
            .build()
            .await;
        let assumed = SharedCredentialsProvider::new(assume);
        config = config.into_builder().credentials_provider(assumed).build();
    }
    // Asked for here, so that having none is said once and plainly.
    let provider = config
        .credentials_provider()
        .ok_or_else(|| Failure::denied("no AWS credentials were found").hint("set AWS_PROFILE"))?;
    provider.provide_credentials().await.map_err(|error| credentials(&error))?;
    Ok(config)
}

/// Picks the process's TLS cryptography: two providers are linked, and rustls refuses to choose.
pub(crate) fn install_crypto() {
    // An error says that it is installed already, which is what is wanted.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

impl Connect for Aws {
    type Setup = Setup;

    async fn connect(setup: &Setup, binding: &Data, _: &Secrets) -> Result<Self, Failure> {
        let target: Target = binding.parse().map_err(|error| {
            Failure::invalid(format!("what `aws` is reached through can't be read: {error}"))
                .hint("bind it with `stack.bind(\"aws\", Target::new().account(..).region(..))`")
        })?;
        let place = format!("AWS account {} in {}", target.account, target.region);
        Self::to(target, setup).await.map_err(|failure| failure.context(place))
    }
}
