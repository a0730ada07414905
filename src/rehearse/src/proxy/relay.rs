//! HTTP, passed on request by request, plain or encrypted.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
};

use super::{
    ANSWER_LIMIT, Fault,
    calls::Service,
    connect,
    faults::{Faults, Visit},
    http::{Reader, Request},
    tls::Tls,
};

/// Passes on what a client of the AWS APIs says.
pub(super) fn plain(faults: &Arc<Faults>, service: Service, client: TcpStream, to: SocketAddr) {
    let visit = faults.enter(&client);
    let ask = |request: &Request| {
        let server = connect(to)?;
        server.set_read_timeout(Some(ANSWER_LIMIT))?;
        exchange(server, request)
    };
    // However a connection ends, the client sees it.
    let _ = serve(visit, service, client, ask);
}

/// Passes on what a client of Kubernetes says, as the site's administrator.
pub(super) fn encrypted(faults: &Arc<Faults>, tls: &Tls, client: TcpStream, to: SocketAddr) {
    let visit = faults.enter(&client);
    let ask = |request: &Request| {
        let server = connect(to)?;
        server.set_read_timeout(Some(ANSWER_LIMIT))?;
        exchange(tls.connect(server)?, request)
    };
    // However a connection ends, the client sees it.
    let _ = tls.accept(client).and_then(|client| serve(visit, Service::Kubernetes, client, ask));
}

/// Each request has a connection of its own to the part: one that was kept might be closed just when it is used.
fn exchange(mut server: impl Read + Write, request: &Request) -> io::Result<Vec<u8>> {
    server.write_all(&request.bytes)?;
    server.flush()?;
    Reader::new(server).answer(&request.method)
}

fn serve(
    visit: Visit<'_>,
    service: Service,
    client: impl Read + Write,
    ask: impl Fn(&Request) -> io::Result<Vec<u8>>,
) -> io::Result<()> {
    let mut client = Reader::new(client);
    while let Some(request) = client.request()? {
        let call = service.call(&request);
        let answer = match visit.call(&call) {
            None => ask(&request)?,
            Some(Fault::Before) => {
                visit.strike(&call);
                visit.until_over();
                return Ok(());
            }
            Some(Fault::After) => {
                ask(&request)?;
                visit.strike(&call);
                visit.until_over();
                return Ok(());
            }
            Some(Fault::LostAnswer) => {
                ask(&request)?;
                visit.strike(&call);
                return Ok(());
            }
            Some(Fault::Late) => {
                if visit.until_landing(&call) {
                    // Whoever waits for its answer is dead.
                    let _ = ask(&request);
                    visit.landed();
                }
                return Ok(());
            }
            Some(Fault::Throttled) => {
                visit.strike(&call);
                throttled(service, &request)
            }
            Some(Fault::OutOfOrder) => {
                visit.strike(&call);
                answer("503 Service Unavailable", "", "")
            }
        };
        client.stream().write_all(&answer)?;
        client.stream().flush()?;
    }
    Ok(())
}

/// What a service says to somebody who asks too much.
///
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html>
fn throttled(service: Service, request: &Request) -> Vec<u8> {
    let query = request.body().windows(7).any(|part| part == b"Action=");
    match service {
        Service::Kubernetes => {
            let status = r#"{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"TooManyRequests","message":"too many requests","code":429}"#;
            answer(
                "429 Too Many Requests",
                "content-type: application/json\r\nretry-after: 1\r\n",
                status,
            )
        }
        Service::Aws if query => {
            let error =
                "<Code>RequestLimitExceeded</Code><Message>Request limit exceeded.</Message>";
            let body = match request.header("authorization").is_some_and(|a| a.contains("/ec2/")) {
                true => format!(
                    "<Response><Errors><Error>{error}</Error></Errors><RequestID>1</RequestID></Response>"
                ),
                false => {
                    let error = error.replace("RequestLimitExceeded", "Throttling");
                    format!(
                        "<ErrorResponse><Error><Type>Sender</Type>{error}</Error><RequestId>1</RequestId></ErrorResponse>"
                    )
                }
            };
            answer("400 Bad Request", "content-type: text/xml\r\n", &body)
        }
        Service::Aws => {
            let headers =
                "content-type: application/json\r\nx-amzn-errortype: ThrottlingException\r\n";
            answer(
                "400 Bad Request",
                headers,
                r#"{"__type":"ThrottlingException","message":"Rate exceeded"}"#,
            )
        }
    }
}

fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n{body}", body.len())
        .into_bytes()
}
