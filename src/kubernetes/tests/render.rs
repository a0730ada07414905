//! From an overlay and a stack's values to objects, without any cluster.
#![allow(clippy::unwrap_used, reason = "a test that can't go on says so by panicking")]

use formwork_engine::{
    Address, Data, Draft, Expr, Failure, IntoValue, KnownOutputs, Node, Reconcile, Secret,
    SecretRef, Stack, Symbol, Value, exports, map, secret_text, text,
};
use formwork_kubernetes::{App, Cluster, KubeconfigFile};
use serde_json::{Value as Json, json};
use std::{collections::BTreeMap, path::Path};

exports! {
    /// What the previews use of the platform.
    pub struct Platform { repository: String, redis: String, host: String, password: Secret }
}

/// What the platform exports, as far as it is known.
#[derive(Clone, Default)]
struct Known(BTreeMap<&'static str, Data>);

impl KnownOutputs for Known {
    fn output(&self, node: Address, output: Symbol) -> Data {
        let known = self.0.get(output.as_str()).cloned();
        known.unwrap_or_else(|| Data::unknown(node, output))
    }
}

fn known(password: &str) -> Known {
    let text = |text: &str| Data::Text(text.into());
    let password = Data::Secret(Secret::stored(SecretRef {
        store: "test".into(),
        at: String::new(),
        key: "password".into(),
        version: password.into(),
    }));
    Known(BTreeMap::from([
        ("repository", text("registry:5000/shop/server")),
        ("redis", text("cache.internal")),
        ("host", text("pr1.staging.example.com")),
        ("password", password),
    ]))
}

/// The repository's root, two levels above this crate.
fn project() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn cluster() -> Value<Cluster> {
    Cluster::new().kubeconfig(KubeconfigFile::new().path("kubeconfig")).into_value()
}

fn node<D: Draft>(app: impl FnOnce(Platform) -> D) -> Node {
    let mut s = Stack::new("preview");
    let platform: Platform = s.import("platform");
    s.add("shop", app(platform));
    s.finish().unwrap().nodes.remove(0)
}

/// A preview of the reference app, as a stack writes one.
fn preview() -> Node {
    node(|platform| {
        App::new()
            .cluster(cluster())
            .overlay("kube/overlays/staging")
            .bases(["kube/bases/redis"])
            .namespace("shop-pr1")
            .name_prefix("shop-pr1-")
            .labels(map! { "release": "shop-pr1" })
            .images(map! {
                "client": "registry:5000/shop/client:1f2e",
                "server": text![platform.repository, "@sha256:", "ab".repeat(32)],
            })
            .hosts(map! { "shop": platform.host })
            .replicas(map! { "server": 2u16 })
            .config(map! {
                "PLAIN": "\"quoted\"\nsecond line",
                "REDIS_URL": text!["rediss://", platform.redis, ":6379"],
            })
            .secrets(map! {
                "DATABASE_URL": secret_text!["postgres://shop:", platform.password, "@db/shop"],
            })
    })
}

fn objects(mut node: Node, known: &Known) -> Result<BTreeMap<String, Data>, Failure> {
    App::embed(project(), &mut node.fields)?;
    let expanded = App::expand(node.evaluate(known))?;
    Ok(expanded.get("objects").unwrap().clone().into_map())
}

fn json(objects: &BTreeMap<String, Data>, key: &str) -> Json {
    let found = objects.get(key).unwrap_or_else(|| panic!("no {key} among {:?}", objects.keys()));
    found.to_json()
}

#[test]
fn only_the_files_that_the_build_reads_come_into_the_graph() {
    let mut node = preview();
    App::embed(project(), &mut node.fields).unwrap();
    let Expr::Literal(Json::Object(files)) = &node.fields["files"] else { panic!() };
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    insta::assert_debug_snapshot!(names);
    assert!(
        files["kube/overlays/staging/kustomization.yaml"].as_str().unwrap().contains("labels:")
    );
}

#[test]
fn a_preview_is_its_overlay_with_the_stacks_values() {
    let objects = objects(preview(), &known("1")).unwrap();
    insta::assert_debug_snapshot!(objects.keys().collect::<Vec<_>>());
    insta::assert_json_snapshot!(objects["Deployment/shop-pr1/shop-pr1-server"].to_json());
    let config = json(&objects, "ConfigMap/shop-pr1/shop-pr1-config");
    assert_eq!(
        config["data"],
        json!({
            "ENVIRONMENT": "staging", "LOG_LEVEL": "debug",
            "PLAIN": "\"quoted\"\nsecond line", "REDIS_URL": "rediss://cache.internal:6379",
        })
    );
    let ingress = json(&objects, "Ingress/shop-pr1/shop-pr1-server");
    assert_eq!(ingress["spec"]["rules"][0]["host"], "pr1.staging.example.com");
    let account = json(&objects, "ServiceAccount/shop-pr1/shop-pr1-server");
    assert_eq!(account["metadata"]["labels"]["release"], "shop-pr1");
    assert_eq!(
        json(&objects, "Namespace/shop-pr1")["metadata"]["labels"],
        json!({"release": "shop-pr1"})
    );
    let redis = json(&objects, "Deployment/shop-pr1/shop-pr1-redis");
    assert_eq!(redis["metadata"]["labels"]["release"], "shop-pr1");
}

#[test]
fn a_secret_is_a_reference_and_its_version_decides_the_name() {
    let secret = |version: &str| {
        let objects = objects(preview(), &known(version)).unwrap();
        let server = json(&objects, "Deployment/shop-pr1/shop-pr1-server");
        let from = &server["spec"]["template"]["spec"]["containers"][0]["envFrom"];
        let secret = json(&objects, "Secret/shop-pr1/shop-pr1-secrets");
        assert_eq!(from[1]["secretRef"]["name"], secret["metadata"]["name"]);
        secret
    };
    let (one, again, two) = (secret("1"), secret("1"), secret("2"));
    assert_eq!(one["metadata"]["name"], again["metadata"]["name"]);
    assert_ne!(one["metadata"]["name"], two["metadata"]["name"]);
    assert_eq!(
        one["data"]["DATABASE_URL"]["$secret"],
        json!([
            {"text": "postgres://shop:"},
            {"ref": {"store": "test", "key": "password", "version": "1"}},
            {"text": "@db/shop"},
        ])
    );
}

#[test]
fn what_is_not_known_is_a_hole_with_everything_that_follows_from_it() {
    let planned = objects(preview(), &Known::default()).unwrap();
    let config = json(&planned, "ConfigMap/shop-pr1/shop-pr1-config");
    assert_eq!(config["data"]["REDIS_URL"], json!({"$unknown": ["platform/exports.redis"]}));
    assert_eq!(config["data"]["ENVIRONMENT"], "staging");
    assert_eq!(config["metadata"]["name"], config["data"]["REDIS_URL"]);
    let server = json(&planned, "Deployment/shop-pr1/shop-pr1-server");
    let container = &server["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["image"], json!({"$unknown": ["platform/exports.repository"]}));
    assert_eq!(container["envFrom"][0]["configMapRef"]["name"], config["metadata"]["name"]);
    assert_eq!(
        json(&planned, "Secret/shop-pr1/shop-pr1-secrets")["data"]["DATABASE_URL"],
        json!({"$unknown": ["platform/exports.password"]})
    );
    let host = &json(&planned, "Ingress/shop-pr1/shop-pr1-client")["spec"]["rules"][0]["host"];
    assert_eq!(*host, json!({"$unknown": ["platform/exports.host"]}));

    // What comes out once it is known is the same but for the holes.
    let applied = objects(preview(), &known("1")).unwrap();
    for (key, planned) in &planned {
        assert_same_but_holes(planned, &applied[key], key);
    }
    assert_eq!(planned.len(), applied.len());
}

fn assert_same_but_holes(planned: &Data, applied: &Data, path: &str) {
    match (planned, applied) {
        (Data::Unknown(_), _) => {}
        (Data::Map(planned), Data::Map(applied)) => {
            assert!(planned.keys().eq(applied.keys()), "{path}");
            for (key, value) in planned {
                assert_same_but_holes(value, &applied[key], &format!("{path}.{key}"));
            }
        }
        (Data::List(planned), Data::List(applied)) => {
            assert_eq!(planned.len(), applied.len(), "{path}");
            for (planned, applied) in planned.iter().zip(applied) {
                assert_same_but_holes(planned, applied, path);
            }
        }
        (planned, applied) => assert_eq!(planned, applied, "{path}"),
    }
}

#[test]
fn an_unknown_frame_makes_all_objects_unknown() {
    let node = node(|platform| {
        App::new()
            .cluster(cluster())
            .overlay("kube/overlays/staging")
            .namespace("n")
            .name_prefix(text![platform.host, "-"])
    });
    let mut node = node;
    App::embed(project(), &mut node.fields).unwrap();
    let expanded = App::expand(node.evaluate(&Known::default())).unwrap();
    assert!(matches!(expanded.get("objects"), Some(Data::Unknown(_))));
}

#[test]
fn an_overlay_without_generators_gets_them() {
    let node = node(|_| {
        App::new()
            .cluster(cluster())
            .overlay("kube/bases/redis")
            .namespace("n")
            .create_namespace(false)
            .config(map! { "A": "1" })
    });
    let objects = objects(node, &Known::default()).unwrap();
    let keys: Vec<&str> = objects.keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        ["ConfigMap/n/config", "Deployment/n/redis", "NetworkPolicy/n/redis", "Service/n/redis"]
    );
}

#[test]
fn every_overlay_of_the_repository_renders() {
    for overlay in ["production", "staging", "beta"] {
        let node = node(|platform| {
            App::new()
                .cluster(cluster())
                .overlay(format!("kube/overlays/{overlay}"))
                .namespace("shop")
                .name_prefix(format!("shop-{overlay}-"))
                .images(map! { "client": "c:1", "server": "s:1" })
                .hosts(map! { "shop": platform.host })
        });
        let objects = objects(node, &known("1")).unwrap();
        let stem = format!("shop/shop-{overlay}-server");
        for kind in ["Deployment", "Service", "ServiceAccount", "PodDisruptionBudget"] {
            let object = json(&objects, &format!("{kind}/{stem}"));
            let labels = &object["metadata"]["labels"];
            assert_eq!((&labels["app"], &labels["environment"]), (&json!("shop"), &json!(overlay)));
            assert_eq!(labels["release"], json!(format!("shop-{overlay}")));
        }
        let own = json(&objects, &format!("Deployment/{stem}"));
        let container = &own["spec"]["template"]["spec"]["containers"][0];
        for probe in
            ["startupProbe", "readinessProbe", "livenessProbe", "resources", "securityContext"]
        {
            assert!(container[probe].is_object(), "{overlay} {probe}");
        }
    }
}

#[track_caller]
fn refused<D: Draft>(app: impl FnOnce(Platform) -> D, message: &str, hint: &str) {
    let failure = objects(node(app), &known("1")).unwrap_err();
    assert!(failure.message.contains(message), "{}", failure.message);
    let given = failure.hint.unwrap_or_default();
    assert!(given.contains(hint), "{given}");
}

#[test]
fn mistakes_name_their_place_and_the_next_step() {
    let app = || App::new().cluster(cluster()).namespace("n");
    let good = || app().overlay("kube/overlays/staging");
    refused(
        |_| app().overlay("kube/overlays/nowhere"),
        "there is no directory kube/overlays/nowhere",
        "beta, production, staging",
    );
    refused(|_| app().overlay("../kube"), "is not a path inside of the project", "project's root");
    refused(
        |p| app().overlay(text!["kube/", p.host]),
        "`overlay` can't come from another resource",
        "write the path out",
    );
    refused(
        |_| good().images(map! { "sever": "s:1" }),
        "no container of the overlay has the image `sever`",
        "client, server",
    );
    refused(
        |_| good().hosts(map! { "shpo": "h" }),
        "has the host `shpo`",
        "as the overlay writes it",
    );
    refused(
        |_| good().replicas(map! { "sever": 1u16 }),
        "the overlay doesn't take what the App gives it",
        "compare the App's fields",
    );
    refused(|_| good().config(map! { "A B": "1" }), "`A B` can't be a key in `config`", "letters");
    refused(|_| good().conflicts("ask"), "`conflicts` can't be \"ask\"", "\"leave\"");
    refused(|_| good().keep_releases(0u16), "`keep_releases` can't be 0", "at least 1");
    refused(|_| good().objects(map! {}), "`objects` of an App is made", "take `objects` out");
}

#[test]
fn broken_yaml_gives_file_line_and_column() {
    let directory = std::env::temp_dir().join(format!("formwork-render-{}", std::process::id()));
    let overlay = directory.join("kube/broken");
    std::fs::create_dir_all(&overlay).unwrap();
    std::fs::write(overlay.join("kustomization.yaml"), "resources:\n  - a.yaml\n").unwrap();
    std::fs::write(overlay.join("a.yaml"), "kind: Service\nmetadata:\n  name: [a\n").unwrap();
    let mut node = node(|_| App::new().cluster(cluster()).overlay("kube/broken").namespace("n"));
    let failure = App::embed(&directory, &mut node.fields).unwrap_err();
    std::fs::remove_dir_all(&directory).unwrap();
    assert!(failure.message.starts_with("kube/broken/a.yaml:"), "{}", failure.message);
    assert!(failure.hint.unwrap().starts_with("mend kube/broken/a.yaml:"));
}

/// An App of one overlay with these objects and images.
fn app_of(objects: &str, images: Value<BTreeMap<String, String>>) -> Result<Vec<String>, Failure> {
    let directory = tempfile::tempdir().unwrap();
    let overlay = directory.path().join("kube/app");
    std::fs::create_dir_all(&overlay).unwrap();
    std::fs::write(overlay.join("kustomization.yaml"), "resources:\n  - web.yaml\n").unwrap();
    std::fs::write(overlay.join("web.yaml"), objects).unwrap();
    let mut node =
        node(|_| App::new().cluster(cluster()).overlay("kube/app").namespace("n").images(images));
    App::embed(directory.path(), &mut node.fields).unwrap();
    Ok(App::remarks(&App::expand(node.evaluate(&known("1")))?))
}

fn pod(lines: &str) -> String {
    let requests = "resources: {requests: {cpu: 1, memory: 1Gi}}";
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: web}}\nspec:\n  containers:\n  - name: web\n    {requests}\n{lines}"
    )
}

#[test]
fn what_the_api_server_would_refuse_fails_the_plan_with_its_place() {
    let failure =
        app_of(&pod("    image: w:1\n    porst: []\n"), map! {}.into_value()).unwrap_err();
    assert!(
        failure.message.contains(
            "FWK001 Pod n/web: spec.containers[0].porst: there is no such field; did you mean `ports`? (kube/app/web.yaml:9:5)"
        ),
        "{}",
        failure.message
    );
    assert!(failure.hint.unwrap().contains("formwork kube checks"));
}

#[test]
fn what_a_team_would_want_to_know_is_said_beside_the_plan() {
    let said =
        |image: &str, images| app_of(&pod(&format!("    image: {image}\n")), images).unwrap();
    assert_eq!(
        said("w:latest", map! {}.into_value()),
        [
            "FWK113 Pod n/web: spec.containers[0].image: the tag of w:latest is moved to other builds (kube/app/web.yaml:8:12)"
        ]
    );
    assert!(said("w", map! { "w": "w:1" }.into_value()).is_empty());
}
