//! The guard in every client: it refuses a request that isn't the declared call in progress.

use super::Call;
use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{
            Intercept,
            context::{
                BeforeSerializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
            },
        },
        orchestrator::Metadata,
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::config_bag::ConfigBag;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

tokio::task_local! {
    /// The call in progress, as declared.
    pub(super) static CURRENT: Call;
}

/// How many requests were sent, by service and operation; retries count.
#[derive(Clone, Debug, Default)]
pub struct CallLog(Arc<Mutex<BTreeMap<(&'static str, &'static str), u64>>>);

impl CallLog {
    /// The counts so far, by service and operation.
    pub fn counts(&self) -> BTreeMap<(&'static str, &'static str), u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// All requests so far.
    pub fn total(&self) -> u64 {
        self.counts().values().sum()
    }

    fn count(&self, call: Call) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry((call.service.id, call.operation)).or_default() += 1;
    }
}

/// Refuses undeclared calls and counts the others.
#[derive(Debug)]
pub(crate) struct Guard(pub(crate) CallLog);

impl Guard {
    fn current(cfg: &ConfigBag) -> Result<Call, BoxError> {
        let sent = cfg.load::<Metadata>().ok_or("a request without a name can't be checked")?;
        let call = CURRENT.try_with(|call| *call).map_err(|_| {
            format!("{} {} is sent outside of any declared call", sent.service(), sent.name())
        })?;
        if (sent.service(), sent.name()) != (call.service.id, call.operation) {
            return Err(format!(
                "{} {} is sent where {} {} is declared",
                sent.service(),
                sent.name(),
                call.service.id,
                call.operation
            )
            .into());
        }
        Ok(call)
    }
}

impl Intercept for Guard {
    fn name(&self) -> &'static str {
        "declared calls only"
    }

    fn read_before_serialization(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        Self::current(cfg).map(drop)
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.count(Self::current(cfg)?);
        Ok(())
    }
}
