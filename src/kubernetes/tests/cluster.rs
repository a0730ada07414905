//! Apps in a real cluster: etcd, API server, controllers and scheduler; only nodes and kubelets are kwok's.
#![allow(clippy::unwrap_used, reason = "a test that can't go on says so by panicking")]

mod support;

use formwork_engine::{Draft, FailureKind, Graph, map, plan::Action, secret_text, text};
use formwork_kubernetes::{App, Cluster, Eks, KubeconfigFile};
use formwork_kustomize::Schemas;
use formwork_rehearse::Site;
use std::{path::Path, sync::Arc, sync::atomic::Ordering};
use support::{PASSWORD, Platform, Tokens, World, on_a_cloud, project, repository, write};

const SERVER: &str = "Deployment/shop-pr1/shop-pr1-server";

#[tokio::test(flavor = "multi_thread")]
async fn apps_live_in_a_real_cluster() {
    on_a_cloud(async |site| {
        // Before a test defines kinds of its own.
        the_stored_types_are_those_of_this_api_server(site).await;

        // Side by side: each has its own state and its own namespace.
        futures::join!(
            an_unreachable_cluster_is_said_so(site),
            the_reference_app_lives_and_goes(site),
            definitions_come_before_what_they_define(site),
            a_failed_apply_is_taken_up_again(site),
            a_namespace_of_others_stays(site),
            a_cluster_is_reached_by_token(site),
        );
    })
    .await;
}

/// `formwork kube schemas` writes what is in the tree.
async fn the_stored_types_are_those_of_this_api_server(site: &Site) {
    let kubeconfig = site.kubeconfig.to_str().unwrap();
    let openapi = formwork_kubernetes::openapi(kubeconfig, None).await.unwrap();
    let packed = Schemas::pack(openapi.as_bytes()).unwrap();
    let stored =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../kustomize/data/kubernetes-1.36.schemas");
    assert!(packed == std::fs::read(stored).unwrap(), "write them again: formwork kube schemas");
}

/// What a preview's author would change.
#[derive(Clone)]
struct Preview {
    image: &'static str,
    redis: bool,
    log_level: bool,
}

impl Preview {
    fn app(&self, world: &World<'_>, platform: Platform) -> impl Draft<Resource = App> + use<> {
        let bases: &[&str] = if self.redis { &["kube/bases/redis"] } else { &[] };
        let mut config = map! { "REDIS_URL": text!["rediss://", platform.redis, ":6379"] };
        if self.log_level {
            config = config.with("LOG_LEVEL", "trace");
        }
        App::new()
            .cluster(world.cluster())
            .overlay("kube/overlays/staging")
            .bases(formwork_engine::each(bases.iter().copied()))
            .namespace("shop-pr1")
            // Nothing to go back to: what a release doesn't need is gone with the next one.
            .keep_releases(1u16)
            .name_prefix("shop-pr1-")
            .labels(map! { "release": "shop-pr1" })
            .images(map! { "client": "registry/client:1", "server": self.image })
            .hosts(map! { "shop": "pr1.staging.example.com" })
            .config(config)
            .secrets(map! {
                "DATABASE_URL": secret_text!["postgres://shop:", platform.password, "@db/shop"],
            })
    }

    fn graph(&self, world: &World<'_>) -> Graph {
        world.graph("preview", |platform| self.app(world, platform))
    }
}

fn path(key: &str, field: &str) -> String {
    format!("objects[\"{key}\"].{field}")
}

async fn the_reference_app_lives_and_goes(site: &Site) {
    let world = World::new(site, repository()).await;
    let preview = Preview { image: "registry/server:1", redis: true, log_level: true };
    world.apply(&preview.graph(&world)).await;
    let ready = |name: &str| {
        let of = [
            "get",
            "deployment",
            name,
            "-n",
            "shop-pr1",
            "-o",
            "jsonpath={.status.availableReplicas}",
        ];
        world.kubectl(&of)
    };
    assert_eq!(ready("shop-pr1-server"), "1");
    let created =
        world.kubectl(&["get", "ns", "shop-pr1", "-o", "jsonpath={.metadata.labels.release}"]);
    assert_eq!(created, "shop-pr1");

    what_others_do_is_told_apart(&world, &preview).await;
    a_secret_stays_one(&world, &preview).await;

    // A new image is one change, and rolls the pods.
    let next = Preview { image: "registry/server:2", ..preview };
    let image = path(SERVER, "spec.template.spec.containers[0].image");
    assert_eq!(world.changes(&next.graph(&world)).await, [image]);
    world.apply(&next.graph(&world)).await;
    let images = "jsonpath={.items[*].spec.containers[*].image}";
    let selector = ["-l", "component=server", "-n", "shop-pr1", "-o", images];
    assert_eq!(world.kubectl(&[&["get", "pods"], &selector[..]].concat()), "registry/server:2");

    // A setting that is taken away is a change of the one object, and of its generated name.
    let next = Preview { log_level: false, ..next };
    let config = "ConfigMap/shop-pr1/shop-pr1-config";
    let mut changes = world.changes(&next.graph(&world)).await;
    changes.retain(|change| change.contains("ConfigMap/"));
    assert_eq!(changes, [path(config, "data.LOG_LEVEL"), path(config, "metadata.name")]);
    world.apply(&next.graph(&world)).await;
    let configs =
        world.kubectl(&["get", "configmap", "-n", "shop-pr1", "-l", "app=shop", "-o", "name"]);
    // The one before stays with its release, the last good one.
    assert_eq!(configs.lines().count(), 2, "{configs}");

    // What isn't wanted any more is deleted, and nothing else.
    let next = Preview { redis: false, ..next };
    let mut gone = world.changes(&next.graph(&world)).await;
    gone.sort();
    let redis = ["Deployment", "NetworkPolicy", "Service"]
        .map(|kind| format!("objects[\"{kind}/shop-pr1/shop-pr1-redis\"]"));
    assert_eq!(gone, redis);
    world.apply(&next.graph(&world)).await;
    let left = world.kubectl(&[
        "get",
        "all,netpol",
        "-n",
        "shop-pr1",
        "-l",
        "component=redis",
        "-o",
        "name",
    ]);
    assert!(!left.contains("deployment") && !left.contains("service"), "{left}");

    another_state_takes_nothing_over(site, &next).await;
    assert!(world.changes(&next.graph(&world)).await.is_empty());

    world.apply(&Graph::empty("preview")).await;
    let namespaces = world.kubectl(&["get", "ns", "-o", "name"]);
    assert!(!namespaces.contains("shop-pr1"), "{namespaces}");
}

async fn what_others_do_is_told_apart(world: &World<'_>, preview: &Preview) {
    let graph = preview.graph(world);
    // Fields and items of others are theirs.
    world.kubectl(&["label", "deploy/shop-pr1-server", "-n", "shop-pr1", "theirs=1"]);
    world.kubectl(&["annotate", "svc/shop-pr1-server", "-n", "shop-pr1", "theirs=1"]);
    assert_eq!(world.changes(&graph).await, Vec::<String>::new());

    world.kubectl(&["scale", "deploy/shop-pr1-server", "-n", "shop-pr1", "--replicas=4"]);
    assert_eq!(world.changes(&graph).await, [format!("~{}", path(SERVER, "spec.replicas"))]);
    world.apply(&graph).await;

    world.kubectl(&["delete", "svc/shop-pr1-client", "-n", "shop-pr1"]);
    assert_eq!(world.changes(&graph).await, ["~objects[\"Service/shop-pr1/shop-pr1-client\"]"]);
    world.apply(&graph).await;

    // An atomic list that somebody else has written to.
    let patch = r#"[{"op": "replace", "path": "/spec/rules/0/host", "value": "elsewhere"}]"#;
    let ingress = "ingress/shop-pr1-server";
    world.kubectl(&["patch", ingress, "-n", "shop-pr1", "--type=json", "-p", patch]);
    let host = path("Ingress/shop-pr1/shop-pr1-server", "spec.rules[0].host");
    assert_eq!(world.changes(&graph).await, [format!("~{host}")]);
    world.apply(&graph).await;
}

async fn a_secret_stays_one(world: &World<'_>, preview: &Preview) {
    let graph = preview.graph(world);
    let secrets = || {
        let list = ["get", "secret", "-n", "shop-pr1", "-l", "app=shop", "-o"];
        let template = "go-template={{range .items}}{{.metadata.name}} {{.data.DATABASE_URL | base64decode}}\n{{end}}";
        world.kubectl(&[&list[..], &[template]].concat())
    };
    let first = secrets();
    assert!(first.ends_with(&format!(" postgres://shop:{PASSWORD}1@db/shop")), "{first}");
    let key = "Secret/shop-pr1/shop-pr1-secrets";

    // Changed by hand: seen without its text being shown.
    let name = first.split(' ').next().unwrap();
    let patch = r#"{"stringData": {"DATABASE_URL": "by-hand-7f3a"}}"#;
    world.kubectl(&["patch", "secret", name, "-n", "shop-pr1", "-p", patch]);
    let plan = world.plan(&graph).await;
    let changes: Vec<_> = plan.changes().flat_map(|step| &step.changes).collect();
    assert_eq!(changes.len(), 1, "{changes:?}");
    assert_eq!(changes[0].path, path(key, "data.DATABASE_URL"));
    let shown = format!("{plan:?}{}", serde_json::to_string(&plan).unwrap());
    assert!(!shown.contains("by-hand-7f3a") && !shown.contains("YnktaGFuZC03ZjNh"), "{shown}");
    world.apply(&graph).await;
    assert_eq!(secrets(), first);

    // A new version is another Secret, and pods that use it are rolled.
    world.export("cache.internal", "2").await;
    let mut changes = world.changes(&graph).await;
    changes.sort();
    assert_eq!(
        changes,
        [
            path(SERVER, "spec.template.spec.containers[0].envFrom[1].secretRef.name"),
            path(key, "data.DATABASE_URL"),
            path(key, "metadata.name"),
        ]
    );
    world.apply(&graph).await;
    // The first one stays, for a release to go back to.
    let both = secrets();
    let (old, new): (Vec<&str>, Vec<&str>) = both.lines().partition(|line| **line == first);
    assert_eq!(old.len(), 1, "{both}");
    let [second] = new[..] else { panic!("{both}") };
    assert!(second.ends_with(&format!(" postgres://shop:{PASSWORD}2@db/shop")), "{second}");
    assert_ne!(second.split(' ').next(), first.split(' ').next());

    let written = world.written();
    assert!(written.contains("vault") && !written.contains(PASSWORD), "a secret text was written");
}

async fn another_state_takes_nothing_over(site: &Site, preview: &Preview) {
    let other = World::new(site, repository()).await;
    let failure = other.refused(&preview.graph(&other)).await;
    assert_eq!(failure.kind, FailureKind::Taken);
    assert!(failure.message.contains("is there already"), "{}", failure.message);
    assert!(failure.hint.unwrap().contains("nothing is adopted"));
}

async fn an_unreachable_cluster_is_said_so(site: &Site) {
    let world = World::new(site, repository()).await;
    let kubeconfig = std::fs::read_to_string(&site.kubeconfig).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let check = async |name: &str, kubeconfig: Option<String>, kind: FailureKind, hint: &str| {
        let file = folder.path().join(name);
        if let Some(text) = kubeconfig {
            std::fs::write(&file, text).unwrap();
        }
        let graph = world.graph("lost", |_| {
            App::new()
                .cluster(
                    Cluster::new()
                        .kubeconfig(KubeconfigFile::new().path(file.display().to_string())),
                )
                .overlay("kube/bases/redis")
                .namespace("lost")
        });
        let failure = world.refused(&graph).await;
        assert_eq!(failure.kind, kind, "{failure:?}");
        assert!(failure.hint.as_deref().unwrap_or_default().contains(hint), "{failure:?}");
        world.store.remove("lost").await.unwrap();
    };
    let elsewhere = kubeconfig.replace(&site.kubernetes_endpoint, "https://127.0.0.1:1");
    check("elsewhere", Some(elsewhere), FailureKind::Unreachable, "reachable from here").await;
    check("missing", None, FailureKind::Invalid, "check the path").await;
    let anonymous = kubeconfig.lines().filter(|line| !line.contains("client-")).collect::<Vec<_>>();
    check("anonymous", Some(anonymous.join("\n")), FailureKind::Denied, "rights").await;
}

fn overlay(world: &World<'_>, stack: &str, create_namespace: bool) -> Graph {
    world.graph(stack, |_| {
        App::new()
            .cluster(world.cluster())
            .overlay("overlay")
            .namespace(format!("ns-{stack}"))
            .create_namespace(create_namespace)
    })
}

async fn definitions_come_before_what_they_define(site: &Site) {
    const DEFINITION: &str = "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: moulds.example.com}
spec:
  group: example.com
  scope: Cluster
  names: {kind: Mould, plural: moulds, singular: mould, listKind: MouldList}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              properties:
                size: {type: integer, default: 3}
                parts:
                  type: array
                  x-kubernetes-list-type: map
                  x-kubernetes-list-map-keys: [name]
                  items:
                    type: object
                    required: [name]
                    properties:
                      name: {type: string}
                      count: {type: integer, default: 1}
";
    const MOULD: &str = "
apiVersion: example.com/v1
kind: Mould
metadata: {name: one}
spec: {parts: [{name: lid}, {name: base, count: 2}]}
";
    let project = project(&[("mould.yaml", MOULD), ("definition.yaml", DEFINITION)]);
    let world = World::new(site, project.path().to_owned()).await;
    let graph = overlay(&world, "custom", true);
    world.apply(&graph).await;
    let parts = "jsonpath={.spec.size} {.spec.parts[0].count}";
    assert_eq!(world.kubectl(&["get", "mould", "one", "-o", parts]), "3 1");

    let patch = r#"[{"op": "replace", "path": "/spec/parts/1/count", "value": 9}]"#;
    world.kubectl(&["patch", "mould", "one", "--type=json", "-p", patch]);
    let count = "~objects[\"Mould.example.com/ns-custom/one\"].spec.parts[1].count";
    assert_eq!(world.changes(&graph).await, [count]);
    world.apply(&graph).await;

    // With a definition all objects of its kind would go, whosever they are: it stays.
    let theirs = world.folder().join("theirs.yaml");
    std::fs::write(&theirs, MOULD.replace("name: one", "name: theirs")).unwrap();
    world.kubectl(&["create", "-f", theirs.to_str().unwrap()]);
    let moulds = || world.kubectl(&["get", "moulds", "-o", "name"]);
    const ACCOUNT: &str = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: one}\n";
    write(project.path(), "account.yaml", ACCOUNT);
    write(project.path(), "kustomization.yaml", "resources: [account.yaml]");
    let graph = overlay(&world, "custom", true);
    let plan = world.plan(&graph).await;
    let remarks: Vec<&String> = plan.changes().flat_map(|step| &step.remarks).collect();
    let stays =
        "CustomResourceDefinition moulds.example.com leaves the overlay and stays in the cluster";
    assert!(remarks.iter().any(|remark| remark.contains(stays)), "{remarks:?}");
    world.apply(&graph).await;
    assert_eq!(moulds(), "mould.example.com/theirs");

    let refused = world.refused(&Graph::empty("custom")).await;
    let words =
        "CustomResourceDefinition moulds.example.com would take Mould theirs with it, which is not";
    assert!(refused.message.contains(words), "{refused}");
    assert_eq!(moulds(), "mould.example.com/theirs");
    world.kubectl(&["delete", "mould", "theirs"]);
    world.apply(&Graph::empty("custom")).await;
}

async fn a_failed_apply_is_taken_up_again(site: &Site) {
    const ACCOUNT: &str = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: one}\n";
    const SERVICE: &str = "
apiVersion: v1
kind: Service
metadata: {name: one}
spec: {ports: [{port: 80}]}
";
    // Of its type, so that only the API server knows better.
    let wrong = SERVICE.replace("port: 80", "port: 99999");
    let project = project(&[("account.yaml", ACCOUNT), ("service.yaml", &wrong)]);
    let world = World::new(site, project.path().to_owned()).await;
    let failure = world.refused(&overlay(&world, "half", true)).await;
    // Refused, but not without effect: what came before it is there.
    assert_eq!(failure.kind, FailureKind::Service);
    assert!(failure.message.contains("99999"), "{}", failure.message);
    world.kubectl(&["get", "serviceaccount", "one", "-n", "ns-half"]);

    // What was left half done belongs to the next apply, which prunes what is no longer wanted of it.
    write(project.path(), "kustomization.yaml", "resources: [service.yaml]");
    write(project.path(), "service.yaml", SERVICE);
    world.apply(&overlay(&world, "half", true)).await;
    let accounts = world.kubectl(&["get", "serviceaccount", "-n", "ns-half", "-o", "name"]);
    assert_eq!(accounts, "serviceaccount/default");
    world.apply(&Graph::empty("half")).await;
}

async fn a_namespace_of_others_stays(site: &Site) {
    const ACCOUNT: &str = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: one}\n";
    let project = project(&[("account.yaml", ACCOUNT)]);
    let world = World::new(site, project.path().to_owned()).await;
    let guest = overlay(&world, "guest", false);
    let failure = world.refused(&guest).await;
    assert!(failure.hint.unwrap().contains("create the namespace"), "{}", failure.message);

    world.kubectl(&["create", "namespace", "ns-guest"]);
    let failure = world.refused(&overlay(&world, "guest", true)).await;
    assert_eq!(failure.kind, FailureKind::Taken, "{}", failure.message);
    world.apply(&guest).await;
    let plan = world.plan(&Graph::empty("guest")).await;
    assert_eq!(plan.count(Action::Delete), 1);
    world.apply(&Graph::empty("guest")).await;
    assert_eq!(
        world.kubectl(&["get", "serviceaccount", "-n", "ns-guest", "-o", "name"]),
        "serviceaccount/default"
    );

    // A namespace that was the App's and is given back stays with what others have in it.
    let world = World::new(site, project.path().to_owned()).await;
    world.apply(&overlay(&world, "given", true)).await;
    world.kubectl(&["create", "configmap", "theirs", "-n", "ns-given"]);
    assert_eq!(
        world.changes(&overlay(&world, "given", false)).await,
        ["objects[\"Namespace/ns-given\"]"]
    );
    world.apply(&overlay(&world, "given", false)).await;
    world.apply(&Graph::empty("given")).await;
    world.kubectl(&["get", "configmap", "theirs", "-n", "ns-given"]);
    world.kubectl(&["delete", "namespace", "ns-given", "ns-guest"]);
}

/// As EKS is, by endpoint, certificate authority and token; and into another namespace.
async fn a_cluster_is_reached_by_token(site: &Site) {
    const ACCOUNT: &str = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: one}\n";
    let project = project(&[("account.yaml", ACCOUNT)]);
    let admin = World::new(site, project.path().to_owned()).await;
    admin.kubectl(&["create", "serviceaccount", "deployer", "-n", "default"]);
    let role = ["--clusterrole=cluster-admin", "--serviceaccount=default:deployer"];
    admin.kubectl(&[&["create", "clusterrolebinding", "deployer"], &role[..]].concat());
    let text = admin.kubectl(&["create", "token", "deployer", "-n", "default"]);
    let ca = "jsonpath={.clusters[0].cluster.certificate-authority-data}";
    let ca = admin.kubectl(&["config", "view", "--raw", "-o", ca]);

    let graph = |world: &World<'_>, namespace: &str| {
        let eks =
            Eks::new().name("shop").region("eu-central-1").endpoint(&*site.kubernetes_endpoint);
        let cluster = Cluster::new().eks(eks.ca(&*ca));
        world
            .graph("token", |_| App::new().cluster(cluster).overlay("overlay").namespace(namespace))
    };
    let tokens = Arc::new(Tokens { text, ..Tokens::default() });
    let world = World::with_tokens(site, project.path().to_owned(), tokens.clone()).await;
    world.apply(&graph(&world, "ns-token")).await;
    assert!(tokens.asked.load(Ordering::SeqCst) > 1, "a token at its end is used on");

    // Another namespace is another App: the old one goes with all that is in it.
    let moved = graph(&world, "ns-token-2");
    assert_eq!(world.plan(&moved).await.count(Action::Replace), 1);
    world.apply(&moved).await;
    let namespaces = world.kubectl(&["get", "namespaces", "-o", "name"]);
    assert!(!namespaces.lines().any(|line| line == "namespace/ns-token"), "{namespaces}");

    let stranger = Arc::new(Tokens { text: "nobody".into(), ..Tokens::default() });
    let refused = World::with_tokens(site, project.path().to_owned(), stranger).await;
    let failure = refused.refused(&graph(&refused, "ns-refused")).await;
    assert_eq!(failure.kind, FailureKind::Denied);
    assert!(failure.hint.unwrap().contains("access entry"), "{}", failure.message);

    world.apply(&Graph::empty("token")).await;
    admin.kubectl(&["delete", "clusterrolebinding/deployer"]);
    admin.kubectl(&["delete", "serviceaccount/deployer", "-n", "default"]);
}
