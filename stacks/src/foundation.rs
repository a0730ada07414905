//! What an account needs before anything else: image repositories, and roles for CI.

use crate::{environment::EnvironmentFile, services::SERVICES};
use formwork::prelude::*;

/// The repository on GitHub whose workflows may take the roles on.
const REPOSITORY: &str = "acme/shop";
/// Images that are kept of each service.
const KEPT_IMAGES: u32 = 200;

/// Image repositories, and the roles that CI takes on, in the environment's account.
#[derive(clap::Args)]
pub struct Foundation {
    /// The environment: `production` or `staging`.
    #[arg(long = "for", value_name = "NAME", default_value = "production")]
    name: String,
    #[command(flatten)]
    environment: EnvironmentFile,
}

impl StackDefinition for Foundation {
    const NAME: &str = "foundation";

    fn instance(&self) -> String {
        format!("foundation-{}", self.name)
    }

    fn define(&self, s: &mut Stack) -> Result<(), StackError> {
        let env = self.environment.read(&self.name)?;
        env.bind(s);
        let repositories: Vec<_> = SERVICES
            .iter()
            .map(|service| {
                let repository = ecr::Repository::new()
                    .name(format!("shop/{}", service.name))
                    .immutable_tags(true)
                    .lifecycle_policy(ecr::keep_last(KEPT_IMAGES));
                s.add(format!("images-{}", service.name), repository)
            })
            .collect();
        let github = s.add(
            "github",
            iam::OidcProvider::new()
                .url("https://token.actions.githubusercontent.com")
                .client_ids(["sts.amazonaws.com"]),
        );
        let subject = |what: &str| format!("repo:{REPOSITORY}:{what}");
        let pushes = repositories.iter().map(|repository| repository.push());
        s.add(
            "build",
            iam::Role::new()
                .name("shop-build")
                .description("builds and pushes images")
                .assumed_by([
                    github.github([subject("ref:refs/heads/main"), subject("pull_request")])
                ])
                .grants(each(pushes.chain([ecr::login()]))),
        );
        Ok(())
    }
}
