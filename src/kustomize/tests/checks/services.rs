use super::{deployment, said};

fn service(spec: &str) -> String {
    format!("apiVersion: v1\nkind: Service\nmetadata: {{name: web}}\nspec: {spec}\n---\n")
}

fn web() -> String {
    deployment("", "        ports: [{name: http, containerPort: 8080}]\n")
}

#[test]
fn selectors() {
    let of = |spec: &str| said(&["FWK121"], &(web() + &service(spec)));
    for good in [
        "{selector: {app: web}}",
        "{selector: {app: web, tier: front}}",
        "{}",
        "{selector: {}}",
        "{type: ExternalName, externalName: x}",
    ] {
        assert!(of(good).is_empty(), "{good}");
    }
    for bad in ["{selector: {app: wed}}", "{selector: {app: web, tier: back}}"] {
        assert_eq!(
            of(bad),
            ["FWK121 Service web: spec.selector: no pod of this build has all of these labels"]
        );
    }
    let elsewhere = web()
        + &service("{selector: {app: web}}")
            .replace("{name: web}", "{name: web, namespace: other}");
    assert_eq!(said(&["FWK121"], &elsewhere).len(), 1, "pods of another namespace");
}

#[test]
fn target_ports() {
    let of = |ports: &str| {
        said(
            &["FWK122", "FWK123"],
            &(web() + &service(&format!("{{selector: {{app: web}}, ports: [{ports}]}}"))),
        )
    };
    for good in ["{port: 80, targetPort: 8080}", "{port: 80, targetPort: http}", "{port: 8080}"] {
        assert!(of(good).is_empty(), "{good}");
    }
    for (bad, expected) in [
        (
            "{port: 80, targetPort: htttp}",
            "FWK122 Service web: spec.ports[0].targetPort: no container has a port named htttp | did you mean http?",
        ),
        (
            "{port: 8080}, {port: 80, targetPort: grpc-web}",
            "FWK122 Service web: spec.ports[1].targetPort: no container has a port named grpc-web",
        ),
        (
            "{port: 80, targetPort: 8081}",
            "FWK123 Service web: spec.ports[0].targetPort: no container declares 8081, but 8080",
        ),
        (
            "{port: 80}",
            "FWK123 Service web: spec.ports[0].targetPort: no container declares 80, but 8080",
        ),
    ] {
        assert_eq!(of(bad), [expected]);
    }
    let undeclared = deployment("", "")
        + &service("{selector: {app: web}, ports: [{port: 80, targetPort: 8081}]}");
    assert!(said(&["FWK122", "FWK123"], &undeclared).is_empty(), "numbers need no declaration");
}

#[test]
fn ingresses() {
    let of = |backend: &str| {
        let ingress = format!(
            "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: in}}\nspec: {{rules: [{{http: {{paths: [{{path: /, pathType: Prefix, backend: {backend}}}]}}}}]}}\n"
        );
        said(
            &["FWK124", "FWK125"],
            &(web()
                + &service("{selector: {app: web}, ports: [{name: http, port: 80}, {port: 81}]}")
                + &ingress),
        )
    };
    let path = "spec.rules[0].http.paths[0].backend.service";
    for good in [
        "{service: {name: web, port: {number: 80}}}",
        "{service: {name: web, port: {name: http}}}",
        "{service: {name: redirect, port: {name: use-annotation}}}",
        "{resource: {kind: Bucket, name: x}}",
    ] {
        assert!(of(good).is_empty(), "{good}");
    }
    for (bad, expected) in [
        (
            "{service: {name: wed, port: {number: 80}}}",
            format!(
                "FWK124 Ingress in: {path}.name: Service wed isn't built in namespace default | did you mean web?"
            ),
        ),
        (
            "{service: {name: web, port: {number: 8080}}}",
            format!(
                "FWK125 Ingress in: {path}.port: Service web has no port 8080, but 80 (http), 81"
            ),
        ),
        (
            "{service: {name: web, port: {name: grpc}}}",
            format!(
                "FWK125 Ingress in: {path}.port: Service web has no port grpc, but 80 (http), 81"
            ),
        ),
    ] {
        assert_eq!(of(bad), [expected]);
    }
    let default = "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: in}\nspec: {defaultBackend: {service: {name: other, port: {number: 1}}}}\n";
    assert_eq!(
        said(&["FWK124"], default),
        [
            "FWK124 Ingress in: spec.defaultBackend.service.name: Service other isn't built in namespace default"
        ]
    );
}

#[test]
fn gateway_routes() {
    let of = |backend: &str| {
        let route = format!(
            "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {{name: r}}\nspec: {{rules: [{{backendRefs: [{backend}]}}]}}\n"
        );
        said(
            &["FWK124", "FWK125"],
            &(web() + &service("{selector: {app: web}, ports: [{port: 80}]}") + &route),
        )
    };
    assert!(of("{name: web, port: 80}").is_empty());
    assert!(of("{kind: InferencePool, group: example.com, name: x}").is_empty());
    assert_eq!(
        of("{name: web, port: 81}"),
        [
            "FWK125 HTTPRoute r: spec.rules[0].backendRefs[0].port: Service web has no port 81, but 80"
        ]
    );
    assert_eq!(
        of("{name: web, namespace: other, port: 80}"),
        [
            "FWK124 HTTPRoute r: spec.rules[0].backendRefs[0].name: Service web isn't built in namespace other"
        ]
    );
}
