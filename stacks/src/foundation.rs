//! What an account needs before anything else: image repositories, and roles for CI.

use crate::{
    environment::{Environment, EnvironmentFile},
    platform::Staging,
    services::SERVICES,
};
use formwork::prelude::*;

/// The repository on GitHub whose workflows may take the roles on.
const REPOSITORY: &str = "acme/shop";
/// Images that are kept of each service.
const KEPT_IMAGES: u32 = 200;
/// What changing the state needs of its bucket.
const STATE_CHANGES: &[&str] = &["s3:GetObject", "s3:PutObject", "s3:DeleteObject"];

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
        let pushes = repositories.iter().map(|repository| repository.push());
        let mut role = |name: &str, what: &str, subjects: Vec<String>, grants: Grants| {
            s.add(
                name,
                iam::Role::new()
                    .name(format!("shop-{name}"))
                    .description(what)
                    .assumed_by([github.github(subjects)])
                    .grants(each(grants)),
            );
        };
        // Pushing an image needs no more than code that was merged, or is under review.
        let anyone = ["ref:refs/heads/main", "pull_request"].map(subject).to_vec();
        role("build", "builds and pushes images", anyone, pushes.chain([ecr::login()]).collect());
        let ci = Ci { env: &env, name: &self.name };
        role("plan", "plans; reads, and changes nothing", vec![environment("plan")], ci.plan());
        let apply = vec![environment(&self.name)];
        role("apply", "plans and applies", apply, ci.apply());
        if self.name == Staging::NAME {
            let preview = vec![environment("preview")];
            role("preview", "makes and destroys previews", preview, ci.preview());
        }
        Ok(())
    }
}

type Grants = Vec<Value<iam::Grant>>;

/// Runs of the repository's workflows, in GitHub's words for them.
fn subject(what: impl std::fmt::Display) -> String {
    format!("repo:{REPOSITORY}:{what}")
}

/// Runs in an environment of GitHub's. Each lets the branch `main` deploy and no other, so that what
/// has credentials was merged.
fn environment(name: &str) -> String {
    subject(format!("environment:{name}"))
}

/// What CI may do at AWS: derived from the calls that formwork makes, held to one environment's names.
struct Ci<'a> {
    env: &'a Environment,
    /// The environment, which is also the name of its stack.
    name: &'a str,
}

impl Ci<'_> {
    fn operator(&self) -> iam::Operator {
        let name = self.name.to_owned();
        let of_foundation = ["aws.ecr.Repository", "aws.iam.OidcProvider"];
        let operator = iam::Operator::new(&self.env.account, &self.env.region);
        operator.without(of_foundation).names(move |service| match service {
            "secretsmanager" => format!("shop/{name}/*"),
            _ => format!("{name}-*"),
        })
    }

    fn plan(&self) -> Grants {
        [self.operator().reads(), self.state(&["s3:GetObject"])].concat()
    }

    fn apply(&self) -> Grants {
        let operator = self.operator();
        let values = operator.secret_values([&*format!("shop/{}/*", self.name), "rds!*"]);
        [operator.changes(), values, self.state(STATE_CHANGES)].concat()
    }

    /// A preview is a secret at AWS, and all else in the cluster and in the database server.
    fn preview(&self) -> Grants {
        let operator = self.operator().kinds(["aws.secretsmanager.Secret"]);
        let operator = operator.names(|_| "shop/pr*".to_owned());
        let values = operator.secret_values(["shop/pr*", &*format!("shop/{}/creator", self.name)]);
        [operator.changes(), values, self.state(STATE_CHANGES)].concat()
    }

    /// The objects of the state, in the bucket that the environment names.
    fn state(&self, objects: &[&str]) -> Grants {
        let bucket = format!("arn:aws:s3:::{}", self.env.state_bucket);
        let objects = iam::Grant::allow(objects.iter().copied(), format!("{bucket}/*"));
        vec![iam::Grant::allow(["s3:ListBucket"], bucket), objects]
    }
}
