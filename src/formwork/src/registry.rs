//! Every kind that formwork brings, and what they need to work.

use formwork_aws::CallLog;
use formwork_engine::{Registry, Secrets};
use std::sync::Arc;

/// A registry of every kind: AWS, Kubernetes, PostgreSQL.
pub fn registry() -> Registry {
    counting(&CallLog::default())
}

/// The same, whose requests to AWS are counted.
pub(crate) fn counting(log: &CallLog) -> Registry {
    let setup = formwork_aws::Setup { log: log.clone(), ..formwork_aws::Setup::default() };
    let store = formwork_aws::SecretsManager::new(setup.clone());
    let mut registry = Registry::new(Secrets::new(vec![Box::new(store)]));
    formwork_kubernetes::register(&mut registry, Arc::new(tokens::EksTokens));
    formwork_postgres::register(&mut registry);
    formwork_aws::register(&mut registry, setup);
    registry
}

mod tokens {
    use formwork_engine::Failure;
    use formwork_kubernetes::{ClusterTokens, Eks, Token};
    use futures::future::BoxFuture;

    /// Tokens for EKS clusters, from the AWS credentials of the environment.
    pub(super) struct EksTokens;

    impl ClusterTokens for EksTokens {
        fn token<'a>(&'a self, cluster: &'a Eks) -> BoxFuture<'a, Result<Token, Failure>> {
            Box::pin(async move {
                let token = formwork_aws::eks::token(&cluster.region, &cluster.name).await?;
                Ok(Token { text: token.text, expires: token.expires })
            })
        }
    }
}
