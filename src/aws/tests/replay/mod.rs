//! Answers from a list instead of from a service, for what the emulator lacks.
//!
//! The answers have the shapes of the examples in AWS's API references; none was recorded from AWS.

#![allow(clippy::unwrap_used, reason = "a test that can't go on says so by panicking")]
#![allow(dead_code, reason = "each test file uses a part of it")]

use crate::support::{Bench, key, target};
use aws_smithy_runtime_api::{
    client::{
        http::{
            HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector,
            http_client_fn,
        },
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
    },
    http::StatusCode,
};
use aws_smithy_types::body::SdkBody;
use formwork_aws::Setup;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

pub const ACCOUNT: &str = "123456789012";
/// What AWS calls every request.
pub const REQUEST: &str = "ea966190-f9aa-478e-9ede-example";

/// One call that is expected, and its answer.
pub struct Answer {
    /// The operation of a query service, such as `DescribeDBInstances`; or the method and path of the
    /// others, such as `GET /clusters/main`.
    pub call: &'static str,
    pub status: u16,
    pub body: String,
}

/// The answer of a call that succeeds.
pub fn ok(call: &'static str, body: impl Into<String>) -> Answer {
    Answer { call, status: 200, body: body.into() }
}

/// The answer of a call that a query service (IAM, RDS) refuses.
pub fn refusal(call: &'static str, code: &str, message: &str) -> Answer {
    let body = format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code>\
         <Message>{message}</Message></Error><RequestId>r</RequestId></ErrorResponse>"
    );
    Answer { call, status: 400, body }
}

/// What is left to be answered, and what was sent.
#[derive(Clone, Default)]
pub struct Replay(Arc<Mutex<Script>>);

#[derive(Default)]
struct Script {
    left: VecDeque<Answer>,
    /// Of query services the body, of others the method, the path and the body.
    sent: Vec<String>,
}

impl std::fmt::Debug for Replay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Replay")
    }
}

impl Replay {
    /// A bench whose calls are answered by these, each once, in any order among different calls.
    pub fn bench(answers: impl IntoIterator<Item = Answer>) -> (Bench, Self) {
        let replay = Self::default();
        let who = format!(
            "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn</Arn><UserId>u</UserId>\
             <Account>{ACCOUNT}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
        );
        let answers = std::iter::once(ok("GetCallerIdentity", who)).chain(answers);
        replay.0.lock().unwrap().left.extend(answers);
        let setup = Setup {
            http: Some(replay.client()),
            credentials: Some(key(ACCOUNT)),
            ..Setup::default()
        };
        (Bench::with(target(ACCOUNT.into(), None), setup), replay)
    }

    fn client(&self) -> SharedHttpClient {
        let connector = SharedHttpConnector::new(self.clone());
        http_client_fn(move |_, _| connector.clone())
    }

    /// The bodies of all requests so far but the first, which asks who we are.
    pub fn sent(&self) -> Vec<String> {
        self.0.lock().unwrap().sent[1..].to_vec()
    }

    /// The only request of a call.
    pub fn only(&self, call: &str) -> String {
        let sent: Vec<String> = self.sent().into_iter().filter(|body| is(body, call)).collect();
        let [one] = &*sent else { panic!("{} requests of {call}", sent.len()) };
        one.clone()
    }

    /// Every answer was asked for.
    pub fn done(&self) {
        let script = self.0.lock().unwrap();
        let left: Vec<&str> = script.left.iter().map(|answer| answer.call).collect();
        assert!(left.is_empty(), "never asked for: {left:?}");
    }
}

/// Whether a request, as it is kept, is of this call.
fn is(sent: &str, call: &str) -> bool {
    match call.contains(' ') {
        true => sent.lines().next() == Some(call),
        false => sent.split('&').any(|part| part.strip_prefix("Action=") == Some(call)),
    }
}

/// A request as it is kept and looked up.
fn kept(request: &HttpRequest) -> String {
    let body = request.body().bytes().unwrap_or_default();
    let body = String::from_utf8_lossy(body);
    if body.contains("Action=") {
        return body.into_owned();
    }
    let path = request.uri().splitn(4, '/').nth(3).unwrap_or_default();
    format!("{} /{path}\n{body}", request.method())
}

impl HttpConnector for Replay {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let sent = kept(&request);
        let mut script = self.0.lock().unwrap();
        let answer = script.left.iter().position(|answer| is(&sent, answer.call));
        let answer = answer.and_then(|i| script.left.remove(i));
        script.sent.push(sent.clone());
        HttpConnectorFuture::ready(match answer {
            Some(Answer { status, body, .. }) => {
                let status = StatusCode::try_from(status).unwrap();
                let mut response = HttpResponse::new(status, SdkBody::from(body));
                response.headers_mut().insert("x-amzn-requestid", REQUEST);
                Ok(response)
            }
            None => Err(ConnectorError::user(format!("no answer for: {sent}").into())),
        })
    }
}
