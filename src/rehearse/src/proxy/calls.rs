//! Which call a message is, and whether it changes something.

use super::http::Request;

/// Whose HTTP it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Service {
    Aws,
    Kubernetes,
}

/// A call.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Call {
    /// `ec2 CreateVpc`, `eks POST clusters`, `kubernetes PATCH deployments`, `sql CREATE ROLE`.
    pub name: String,
    pub changes: bool,
}

/// How the names of operations begin that change nothing.
const READS: [&str; 6] = ["Describe", "Get", "List", "Lookup", "AssumeRole", "BatchGet"];
/// How statements begin that change something.
const CHANGES: [&str; 16] = [
    "CREATE", "ALTER", "DROP", "GRANT", "REVOKE", "COMMENT", "REASSIGN", "SECURITY", "INSERT",
    "UPDATE", "DELETE", "TRUNCATE", "DO", "CALL", "COPY", "COMMIT",
];
/// Functions that change something from within a SELECT.
const CHANGING_FUNCTIONS: [&str; 1] = ["pg_terminate_backend"];
/// Words of a statement that name it.
const NAMING_WORDS: usize = 2;

impl Service {
    pub fn call(self, request: &Request) -> Call {
        match self {
            Self::Aws => aws(request),
            Self::Kubernetes => kubernetes(request),
        }
    }
}

/// The query protocol says the operation in the body, the JSON protocol in a header, REST by method and path.
///
/// <https://smithy.io/2.0/aws/protocols/index.html>
fn aws(request: &Request) -> Call {
    let service = signed_for(request).unwrap_or("aws");
    let body = String::from_utf8_lossy(request.body());
    let in_body = || body.split('&').find_map(|pair| pair.strip_prefix("Action="));
    let in_header = request.header("x-amz-target").and_then(|target| target.rsplit('.').next());
    match in_header.or_else(in_body) {
        Some(operation) => {
            let changes = !READS.iter().any(|read| operation.starts_with(read));
            Call { name: format!("{service} {operation}"), changes }
        }
        None => {
            let name = format!("{service} {} {}", request.method, collections(&request.path));
            Call { name, changes: !reads(&request.method) }
        }
    }
}

/// The service that a request is signed for: `Credential=KEY/DATE/REGION/SERVICE/aws4_request`.
fn signed_for(request: &Request) -> Option<&str> {
    let (_, credential) = request.header("authorization")?.split_once("Credential=")?;
    credential.split(['/', ',']).nth(3)
}

/// The collections of a path, without the names between them: `/clusters/a/addons/b` is `clusters/addons`.
fn collections(path: &str) -> String {
    let path = path.split('?').next().unwrap_or_default();
    path.trim_matches('/').split('/').step_by(2).collect::<Vec<_>>().join("/")
}

/// `/api/v1/…` and `/apis/GROUP/VERSION/…`, in a namespace or not, then the kind's plural and the object's name.
///
/// <https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris>
fn kubernetes(request: &Request) -> Call {
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    let mut parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let versions = if parts.first() == Some(&"apis") { 3 } else { 2 };
    parts.drain(..versions.min(parts.len()));
    if parts.first() == Some(&"namespaces") && parts.len() > 2 {
        parts.drain(..2);
    }
    let kind = parts.first().copied().unwrap_or_default();
    let rehearsed = query.split('&').any(|pair| pair.starts_with("dryRun="));
    // These are questions that are asked by POST.
    let review = kind.ends_with("reviews");
    // Signs of life: how many there are depends on the time, so none can be aimed at.
    let sign = (request.method.as_str(), kind) == ("PUT", "leases");
    let changes = !reads(&request.method) && !rehearsed && !review && !sign;
    Call { name: format!("kubernetes {} {kind}", request.method), changes }
}

fn reads(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "OPTIONS")
}

/// One message may hold several statements; the first that changes something names it.
pub(super) fn statements(text: &str) -> Call {
    let changing = text.split(';').find(|statement| {
        let first = statement.split_whitespace().next().unwrap_or_default();
        CHANGES.iter().any(|word| first.eq_ignore_ascii_case(word))
            || CHANGING_FUNCTIONS.iter().any(|function| statement.contains(function))
    });
    let words = changing.unwrap_or(text).split_whitespace().take(NAMING_WORDS);
    let words: Vec<String> = words.map(str::to_uppercase).collect();
    Call { name: format!("sql {}", words.join(" ")), changes: changing.is_some() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::http::Reader;

    fn call(service: Service, head: &str, body: &str) -> (String, bool) {
        let text = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        let request = Reader::new(text.as_bytes()).request().unwrap().unwrap();
        let call = service.call(&request);
        (call.name, call.changes)
    }

    #[test]
    fn calls_of_aws_are_told_apart() {
        let signed = |service: &str| {
            format!(
                "authorization: AWS4-HMAC-SHA256 Credential=1/20260101/r/{service}/aws4_request, SignedHeaders=host"
            )
        };
        let query = format!("POST / HTTP/1.1\r\n{}", signed("ec2"));
        let of = |body: &str| call(Service::Aws, &query, body);
        assert_eq!(of("Action=CreateVpc&Version=1"), ("ec2 CreateVpc".into(), true));
        assert_eq!(of("Version=1&Action=DescribeVpcs"), ("ec2 DescribeVpcs".into(), false));
        let json = format!(
            "POST / HTTP/1.1\r\n{}\r\nX-Amz-Target: secretsmanager.CreateSecret",
            signed("secretsmanager")
        );
        assert_eq!(call(Service::Aws, &json, "{}"), ("secretsmanager CreateSecret".into(), true));
        let rest =
            |line: &str| call(Service::Aws, &format!("{line} HTTP/1.1\r\n{}", signed("eks")), "");
        assert_eq!(rest("POST /clusters/a/addons"), ("eks POST clusters/addons".into(), true));
        assert_eq!(rest("GET /clusters/a"), ("eks GET clusters".into(), false));
    }

    #[test]
    fn calls_of_kubernetes_are_told_apart() {
        let of = |line: &str| call(Service::Kubernetes, &format!("{line} HTTP/1.1"), "");
        let apply = "PATCH /apis/apps/v1/namespaces/shop/deployments/a?fieldManager=formwork";
        assert_eq!(of(apply), ("kubernetes PATCH deployments".into(), true));
        assert!(!of(&format!("{apply}&dryRun=All")).1);
        assert_eq!(
            of("PATCH /api/v1/namespaces/shop"),
            ("kubernetes PATCH namespaces".into(), true)
        );
        assert_eq!(of("GET /api/v1/namespaces/shop/pods"), ("kubernetes GET pods".into(), false));
        assert!(!of("POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews").1);
        assert!(!of("GET /apis").1);
        let lease = "/apis/coordination.k8s.io/v1/namespaces/shop/leases";
        assert!(of(&format!("POST {lease}")).1 && !of(&format!("PUT {lease}/a")).1);
    }

    #[test]
    fn statements_are_told_apart() {
        let of = |text: &str| {
            let call = statements(text);
            (call.name, call.changes)
        };
        assert_eq!(of("SELECT 1"), ("sql SELECT 1".into(), false));
        let locked = "SELECT pg_advisory_xact_lock(7);\ncreate role \"a;b\" LOGIN;\nCOMMENT ON ROLE a IS 'x'";
        assert_eq!(of(locked), ("sql CREATE ROLE".into(), true));
        assert_eq!(of("COMMIT"), ("sql COMMIT".into(), true));
        assert!(!of("BEGIN").1 && !of("").1);
        assert!(of("SELECT pg_terminate_backend($1, $2)").1);
    }
}
