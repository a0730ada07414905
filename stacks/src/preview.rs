//! The environment of one pull request, on staging's platform.

use crate::{
    app::{App, app},
    data::{Origin, data},
    environment::EnvironmentFile,
    platform::{Platform, Staging, TEMPLATE},
    services::Images,
};
use formwork::prelude::*;

/// The app as a pull request has it, with a copy of staging's template as its database.
#[derive(clap::Args)]
pub struct Preview {
    /// The pull request's number.
    #[arg(long, value_name = "NUMBER")]
    pr: u32,
    #[command(flatten)]
    environment: EnvironmentFile,
    #[command(flatten)]
    images: Images,
}

impl StackDefinition for Preview {
    const NAME: &str = "preview";

    fn instance(&self) -> String {
        format!("preview-pr{}", self.pr)
    }

    fn define(&self, s: &mut Stack) -> Result<(), StackError> {
        let env = self.environment.read(Staging::NAME)?;
        env.bind(s);
        let platform: Platform = s.import(Staging::NAME);
        let pr = self.pr;
        let data = data(
            s,
            &platform.server(&env),
            &format!("shop_staging_pr{pr}"),
            &format!("shop/pr{pr}/database"),
            Origin::Template(TEMPLATE),
        );
        let release = format!("shop-pr{pr}");
        let this = App {
            release: &release,
            namespace: &release,
            overlay: "staging",
            host: &format!("pr{pr}.{}", env.domain),
            images: &self.images,
        };
        s.add("app", app(&this, platform.kubernetes(&env), &platform.endpoints(), &data)?);
        Ok(())
    }
}
