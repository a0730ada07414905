//! Changes from outside of formwork: plain SDK clients to a bench's account, without the guard.

#![allow(clippy::unwrap_used, reason = "a test that can't go on says so by panicking")]

use crate::support::{Bench, REGION, key};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use formwork_engine::Data;

/// The configuration of clients that act as somebody else would: `Client::new(&outside(&bench).await)`.
pub async fn outside(bench: &Bench) -> SdkConfig {
    let endpoint = bench.binding.get("endpoint").and_then(Data::as_str).unwrap();
    aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .endpoint_url(endpoint)
        .credentials_provider(key(&bench.account))
        .load()
        .await
}
