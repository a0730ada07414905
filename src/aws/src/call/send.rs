//! Sending: the one way to make a call, and to go through the pages of a list.

use super::{Call, failure, guard::CURRENT};
use crate::Aws;
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::{display::DisplayErrorContext, metadata::ProvideErrorMetadata};
use formwork_engine::Failure;
use std::{error::Error, future::Future, time::Duration};

/// The most pages of one list that are read; a list that is longer is an error, never cut short.
const MAX_PAGES: usize = 1_000;

/// How long the service may take to see what it has made.
///
/// <https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html>
const SEEN_WITHIN: Duration = Duration::from_secs(30);
/// The pause before it is asked again; each next one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// Makes a declared call of a client that is no part of a connection; the failure with its causes.
pub(crate) async fn send_alone<T, E>(
    call: Call,
    request: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
) -> Result<T, String>
where
    E: Error + Send + Sync + 'static,
{
    let sent = CURRENT.scope(call, Box::pin(request)).await;
    sent.map_err(|error| DisplayErrorContext(error).to_string())
}

impl Aws {
    /// Makes a declared call: `cloud.send(CREATE, cloud.ec2.create_vpc().cidr_block(..).send())`.
    pub async fn send<T, E>(
        &self,
        call: Call,
        request: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<T, Failure>
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        // The SDK's futures are some kilobytes each, and callers join many of them.
        let sent = CURRENT.scope(call, Box::pin(request)).await;
        sent.map_err(|error| failure::of(call, &self.target, error))
    }

    /// Makes a call about what may have been made a moment ago: again while the service doesn't see it.
    ///
    /// The engine can't do this, since to it the creation that this call is part of is one step.
    pub async fn send_to_new<T, E, F>(
        &self,
        call: Call,
        request: impl Fn() -> F,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let (mut waited, mut pause) = (Duration::ZERO, FIRST_PAUSE);
        loop {
            match CURRENT.scope(call, Box::pin(request())).await {
                Ok(answer) => return Ok(answer),
                Err(error) if failure::is_not_found(&error) && waited < SEEN_WITHIN => {
                    tokio::time::sleep(pause).await;
                    waited += pause;
                    pause *= 2;
                }
                Err(error) => return Err(failure::of(call, &self.target, error)),
            }
        }
    }

    /// Makes a call whose subject may not be there: `None` where the service says so.
    pub async fn find<T, E>(
        &self,
        call: Call,
        request: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<Option<T>, Failure>
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        match CURRENT.scope(call, Box::pin(request)).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if failure::is_not_found(&error) => Ok(None),
            Err(error) => Err(failure::of(call, &self.target, error)),
        }
    }

    /// Reads a whole list: `request` makes the request for a page's token, `page` takes an answer
    /// apart into the next token and the items.
    pub async fn pages<P, T, E, F>(
        &self,
        call: Call,
        mut request: impl FnMut(Option<String>) -> F,
        page: impl Fn(P) -> (Option<String>, Vec<T>),
    ) -> Result<Vec<T>, Failure>
    where
        F: Future<Output = Result<P, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let (mut items, mut token) = (vec![], None);
        for _ in 0..MAX_PAGES {
            let (next, more) = page(self.send(call, request(token.take())).await?);
            items.extend(more);
            // Some services end a list with an empty token.
            match next.filter(|next| !next.is_empty()) {
                Some(next) => token = Some(next),
                None => return Ok(items),
            }
        }
        Err(Failure::service(format!(
            "{} {} gave more than {MAX_PAGES} pages, and was not read to its end",
            call.service.id, call.operation
        )))
    }
}

/// The failure of an answer that lacks what the service's documentation promises in it.
pub(crate) fn absent(call: Call, what: &str) -> Failure {
    Failure::service(format!("{} {} answered without {what}", call.service.id, call.operation))
}
