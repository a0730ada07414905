use super::{deployment, said, workload};

const SERVICE: &str = "apiVersion: v1\nkind: Service\nmetadata: {name: front}\nspec: {selector: {app: web}, ports: [{port: 80, targetPort: http}]}\n---\n";
const PORT: &str = "        ports: [{name: http, containerPort: 8080}]\n";
const PROBE: &str = "        readinessProbe: {httpGet: {port: http}}\n";

#[test]
fn readiness() {
    let of = |objects: String| said(&["FWK111"], &objects);
    let missing = "FWK111 Deployment web: spec.template.spec.containers[0]: container main has no readinessProbe and serves Service front";
    let with_sidecar = |main: &str, sidecar: &str| {
        deployment("", &format!("{main}      - name: sidecar\n        image: side:1\n{sidecar}"))
            + SERVICE
    };
    assert!(of(deployment("", PORT)).is_empty(), "no Service");
    assert!(of(deployment("", &format!("{PORT}{PROBE}")) + SERVICE).is_empty());
    assert_eq!(of(deployment("", PORT) + SERVICE), [missing]);
    assert_eq!(
        of(deployment("", &format!("{PORT}        readinessProbe: null\n")) + SERVICE),
        [missing]
    );
    assert_eq!(of(deployment("", "") + SERVICE), [missing], "the only container, without ports");
    assert!(of(with_sidecar(&format!("{PORT}{PROBE}"), "")).is_empty(), "a sidecar serves nothing");
    assert_eq!(of(with_sidecar(PORT, PROBE)), [missing], "the sidecar's probe isn't the server's");
    assert_eq!(of(workload("batch/v1", "Job", "", PORT) + SERVICE).len(), 0);
    let two_services = SERVICE.to_owned() + &SERVICE.replace("front", "back");
    assert_eq!(of(deployment("", PORT) + &two_services).len(), 1, "said once");
    assert!(of(deployment("", PORT) + &SERVICE.replace("{app: web}", "{app: other}")).is_empty());
}

#[test]
fn requests() {
    let of = |objects: &str| said(&["FWK112"], objects);
    let path = "spec.template.spec.containers[0].resources";
    for (resources, missing) in [
        ("{requests: {cpu: 1, memory: 1Gi}}", None),
        ("{limits: {cpu: 1, memory: 1Gi}}", None),
        ("{requests: {cpu: 1}, limits: {memory: 1Gi}}", None),
        ("{requests: {cpu: 1}}", Some("memory")),
        ("{requests: {memory: 1Gi}}", Some("cpu")),
        ("{}", Some("cpu and no memory")),
    ] {
        let expected: Vec<String> = missing
            .map(|what| format!("FWK112 Deployment web: {path}: container main requests no {what}"))
            .into_iter()
            .collect();
        assert_eq!(of(&deployment("", &format!("        resources: {resources}\n"))), expected);
    }
    let of_pod = deployment("", "      resources: {requests: {cpu: 1, memory: 1Gi}}\n");
    assert!(of(&of_pod).is_empty(), "requests of the pod");
    let limits = "apiVersion: v1\nkind: LimitRange\nmetadata: {name: a}\nspec: {limits: [{type: Container, defaultRequest: {cpu: 1}}]}\n";
    assert!(of(&(deployment("", "") + limits)).is_empty(), "the namespace has defaults");
    let job = "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: a}\nspec: {jobTemplate: {spec: {template: {spec: {containers: [{name: b, image: 'c:1'}]}}}}}\n";
    assert_eq!(
        of(job),
        [
            "FWK112 CronJob a: spec.jobTemplate.spec.template.spec.containers[0].resources: container b requests no cpu and no memory"
        ]
    );
}

#[test]
fn images() {
    for (image, expected) in [
        ("web:1.2.3", None),
        ("web@sha256:0000", None),
        ("web:latest@sha256:0000", None),
        ("registry.example.com:5000/web:1", None),
        ("web:mainline-7", None),
        ("web", Some("web has no tag, so it is `latest`")),
        (
            "registry.example.com:5000/web",
            Some("registry.example.com:5000/web has no tag, so it is `latest`"),
        ),
        ("web:latest", Some("the tag of web:latest is moved to other builds")),
        ("web:main", Some("the tag of web:main is moved to other builds")),
    ] {
        let objects = format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: a}}\nspec: {{containers: [{{name: b, image: '{image}'}}]}}\n"
        );
        let expected: Vec<String> = expected
            .map(|message| format!("FWK113 Pod a: spec.containers[0].image: {message}"))
            .into_iter()
            .collect();
        assert_eq!(said(&["FWK113"], &objects), expected);
    }
    let init = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [], initContainers: [{name: b, image: c}]}\n";
    assert_eq!(said(&["FWK113"], init).len(), 1);
}

#[test]
fn mounts() {
    let mount = "        volumeMounts: [{name: data, mountPath: /data}]\n";
    let of = |objects: &str| said(&["FWK114"], objects);
    assert!(
        of(&deployment("", &format!("{mount}      volumes: [{{name: data, emptyDir: {{}}}}]\n")))
            .is_empty()
    );
    let claims = "  volumeClaimTemplates: [{metadata: {name: data}}]\n";
    assert!(of(&workload("apps/v1", "StatefulSet", claims, mount)).is_empty());
    assert_eq!(
        of(&deployment("", &format!("{mount}      volumes: [{{name: date, emptyDir: {{}}}}]\n"))),
        [
            "FWK114 Deployment web: spec.template.spec.containers[0].volumeMounts[0]: the pod has no volume data"
        ]
    );
}

#[test]
fn selectors() {
    let of = |selector: &str| {
        said(&["FWK115"], &deployment("", "").replace("{matchLabels: {app: web}}", selector))
    };
    for good in [
        "{matchLabels: {app: web, tier: front}}",
        "{matchExpressions: [{key: app, operator: In, values: [a, web]}]}",
        "{matchExpressions: [{key: app, operator: Exists}, {key: x, operator: DoesNotExist}]}",
        "{matchExpressions: [{key: app, operator: NotIn, values: [a]}]}",
    ] {
        assert!(of(good).is_empty(), "{good}");
    }
    for bad in [
        "{matchLabels: {app: other}}",
        "{matchLabels: {app: web, more: x}}",
        "{matchExpressions: [{key: app, operator: In, values: [a]}]}",
        "{matchExpressions: [{key: app, operator: NotIn, values: [web]}]}",
        "{matchExpressions: [{key: app, operator: DoesNotExist}]}",
        "{matchExpressions: [{key: x, operator: Exists}]}",
    ] {
        assert_eq!(
            of(bad),
            ["FWK115 Deployment web: spec.selector: it doesn't match the labels of the template"],
            "{bad}"
        );
    }
}
