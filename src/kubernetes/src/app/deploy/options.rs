//! What an author says of a rollout.

use crate::rollout::Tolerance;
use formwork_engine::{Data, Failure, Nested};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How much of a rollout may go wrong, for how long. Times are in seconds.
#[derive(Nested, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollout {
    /// Crashes that a container may have before it is up: 1 by default; one more is a crash loop.
    pub allowed_failures: Option<u32>,
    /// How long a thing may take that can heal by itself, such as a failing probe or a pod that no node takes: 300
    /// by default.
    pub patience: Option<u32>,
    /// How long a workload may show no progress where it has no `progressDeadlineSeconds`: 600 by default.
    pub deadline: Option<u32>,
    /// How long everything must have stayed up where a container has no readiness probe: 10 by default.
    pub steady: Option<u32>,
    /// How long everything must have stayed up, whatever its probes say: 0 by default. What crashes late, or only
    /// under load, is seen in that time; a canary is watched for it.
    pub bake: Option<u32>,
    /// Service accounts whose pods must get EKS Pod Identity credentials; a pod without them is made anew once.
    pub credentials: Option<Vec<String>>,
}

impl Rollout {
    fn tolerance(self) -> Tolerance {
        let default = Tolerance::default();
        let seconds = |given: Option<u32>, default: Duration| {
            given.map_or(default, |seconds| Duration::from_secs(seconds.into()))
        };
        Tolerance {
            allowed_failures: self.allowed_failures.unwrap_or(default.allowed_failures),
            patience: seconds(self.patience, default.patience),
            deadline: seconds(self.deadline, default.deadline),
            steady: seconds(self.steady, default.steady),
            bake: seconds(self.bake, default.bake),
            credentials: self.credentials.unwrap_or_default().into_iter().collect(),
        }
    }
}

pub(super) fn tolerance(inputs: &Data) -> Result<Tolerance, Failure> {
    let given = inputs.get("rollout").filter(|given| **given != Data::Null);
    let rollout: Option<Rollout> = given
        .map(Data::parse)
        .transpose()
        .map_err(|error| Failure::invalid(format!("the field `rollout` is bad: {error}")))?;
    Ok(rollout.unwrap_or_default().tolerance())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value as Json, json};

    #[test]
    fn what_an_app_does_not_say_is_as_by_default() {
        let of = |rollout: Json| tolerance(&Data::from_json(&json!({"rollout": rollout})));
        assert_eq!(of(Json::Null).unwrap(), Tolerance::default());
        let said = of(json!({"patience": 20, "allowed_failures": 3, "credentials": ["server"]}));
        let expected = Tolerance {
            patience: Duration::from_secs(20),
            allowed_failures: 3,
            credentials: ["server".to_owned()].into(),
            ..Tolerance::default()
        };
        assert_eq!(said.unwrap(), expected);
        assert!(of(json!({"patience": "long"})).is_err());
    }
}
