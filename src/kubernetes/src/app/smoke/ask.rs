//! One try of a smoke check: one request, its redirects, and as much of the body as is needed.

use super::{Check, SHOWN};
use std::{io::Read as _, sync::Arc, time::Duration};
use ureq::{
    Agent,
    tls::{RootCerts, TlsConfig},
};

/// The longest that one try may take, redirects and body included.
const TRY_LIMIT: Duration = Duration::from_secs(10);
/// What a try has at least, when patience is as good as over.
const TRY_LEAST: Duration = Duration::from_secs(1);
/// Redirects that are followed.
const MOST_REDIRECTS: u32 = 5;
/// Bytes of a body that a text is looked for in.
const SEARCHED: usize = 1024 * 1024;

/// What a server said.
#[derive(Debug)]
pub enum Answer {
    /// Nothing, and why.
    None(String),
    Given {
        status: u16,
        /// By name, in lower case.
        headers: Vec<(String, String)>,
        /// Its beginning; nothing where nobody needs it.
        body: Vec<u8>,
        /// Why it isn't all of it.
        broken: Option<String>,
    },
}

/// Asks once, in the time that is left.
pub async fn ask(check: &Check, left: Duration) -> Answer {
    let check = check.clone();
    let limit = left.clamp(TRY_LEAST, TRY_LIMIT);
    match tokio::task::spawn_blocking(move || blocking(&check, limit)).await {
        Ok(answer) => answer,
        Err(error) => Answer::None(format!("the request broke off: {error}")),
    }
}

fn blocking(check: &Check, limit: Duration) -> Answer {
    let wanted = check.wanted_status();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::PlatformVerifier)
        .unversioned_rustls_crypto_provider(provider)
        .build();
    let redirects = match (300..400).contains(&wanted) {
        true => 0,
        false => MOST_REDIRECTS,
    };
    let config = Agent::config_builder()
        .timeout_global(Some(limit))
        .http_status_as_error(false)
        .max_redirects(redirects)
        .user_agent("formwork")
        .tls_config(tls)
        .build();
    let mut response = match Agent::new_with_config(config).get(&check.url).call() {
        Ok(response) => response,
        Err(error) => return Answer::None(formwork_engine::causes(&error)),
    };
    let status = response.status().as_u16();
    let lossy = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let headers = response.headers().iter();
    let headers = headers.map(|(n, v)| (n.as_str().to_owned(), lossy(v.as_bytes()))).collect();
    // What is as expected and has no text to be looked for may have a body without end.
    let needed = match (&check.body, status == wanted) {
        (_, false) => SHOWN,
        (Some(_), true) => SEARCHED,
        (None, true) => 0,
    };
    let mut body = vec![];
    let read = response.body_mut().as_reader().take(needed as u64).read_to_end(&mut body);
    Answer::Given { status, headers, body, broken: read.err().map(|error| error.to_string()) }
}
