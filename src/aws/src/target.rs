//! Which account and region a stack is for, and how it is reached.

use formwork_engine::{Arn, Nested, Prediction};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The binding of `aws`: `stack.bind("aws", Target::new().account("123456789012").region("eu-central-1"))`.
///
/// Credentials are never part of it: they come from the environment, by the SDK's default chain.
#[derive(Clone, Debug, PartialEq, Eq, Nested, Serialize, Deserialize)]
pub struct Target {
    /// The account's id, 12 digits. Credentials of another account are refused.
    pub account: String,
    /// The region, such as `eu-central-1`.
    pub region: String,
    /// Where every service is reached instead of at its own address, such as an emulator's URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// A role to assume, with the credentials found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Arn>,
    /// The profile of the AWS configuration files to take credentials from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
}

impl Target {
    /// The partition that the region is part of, as it stands in every ARN.
    ///
    /// <https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html>
    pub fn partition(&self) -> &'static str {
        partition(&self.region)
    }

    /// An ARN of this account and region, such as `arn("eks", "cluster/main")`.
    pub fn arn(&self, service: &str, resource: &str) -> Arn {
        arn(&self.region, &self.account, service, resource)
    }
}

fn partition(region: &str) -> &'static str {
    match region {
        _ if region.starts_with("cn-") => "aws-cn",
        _ if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

fn arn(region: &str, account: &str, service: &str, resource: &str) -> Arn {
    let partition = partition(region);
    // IAM is one service for all regions, and its ARNs name none.
    let region = if service == "iam" { "" } else { region };
    Arn::new(format!("arn:{partition}:{service}:{region}:{account}:{resource}"))
}

/// What is predicted of a resource: an output that is known already, and the ARN that it will have,
/// where the binding is known.
pub(crate) fn predict_with_arn(
    of: &Prediction<'_>,
    (output, value): (&'static str, &str),
    service: &str,
    resource: &str,
) -> BTreeMap<&'static str, String> {
    let mut known = BTreeMap::from([(output, value.to_owned())]);
    if let (Some(region), Some(account)) = (of.bound("region"), of.bound("account")) {
        known.insert("arn", arn(region, account, service, resource).to_string());
    }
    known
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_name_the_partition_and_iam_names_no_region() {
        let target = |region: &str| Target {
            account: "123456789012".into(),
            region: region.into(),
            endpoint: None,
            role: None,
            profile: None,
        };
        let arn = |region, service, resource| target(region).arn(service, resource).to_string();
        assert_eq!(
            arn("eu-central-1", "eks", "cluster/a"),
            "arn:aws:eks:eu-central-1:123456789012:cluster/a"
        );
        assert_eq!(arn("cn-north-1", "iam", "role/a"), "arn:aws-cn:iam::123456789012:role/a");
    }
}
