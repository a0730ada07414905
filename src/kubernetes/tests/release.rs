//! Releases in a real cluster: what is kept of them, one deploy at a time, and what an apply asks before it acts.
#![allow(clippy::unwrap_used, reason = "a test that can't go on says so by panicking")]

mod support;

use formwork_engine::{
    Data, Failure, FailureKind, Graph, Reconcile as _, Subject, map, secret_text,
};
use formwork_kubernetes::{
    App, Connection,
    release::{self, Holder, Lease, Revision, Status},
};
use formwork_rehearse::Site;
use std::{task::Poll, time::Duration};
use support::{PASSWORD, Platform, World, on_a_cloud, project, write};

const ACCOUNT: &str = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: one}\n";
const DEPLOYMENT: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: server}
spec:
  replicas: 1
  selector: {matchLabels: {app: server}}
  template:
    metadata: {labels: {app: server}}
    spec:
      containers: [{name: server, image: server}]
";

#[tokio::test(flavor = "multi_thread")]
async fn releases_in_a_real_cluster() {
    on_a_cloud(async |site| {
        futures::join!(
            the_last_revisions_are_kept_and_come_back(site),
            a_rotated_secret_does_not_come_back(site),
            a_refused_apply_is_a_bad_revision(site),
            an_apply_that_is_cut_off_anywhere_is_taken_up_again(site),
            one_deploy_at_a_time(site),
            what_can_not_be_changed_is_made_again(site),
            a_custom_resource_that_can_not_be_changed_says_what_to_do(site),
            conflicts_are_taken_left_or_refused(site),
            volumes_stay(site),
        );
    })
    .await;
}

/// An App of the overlay in a namespace of its stack's name, which isn't followed: the tests settle its revisions.
/// A macro, since a draft is of another type with each field.
macro_rules! app {
    ($world:expr, $stack:expr) => {
        App::new().cluster($world.cluster()).overlay("overlay").wait(false).namespace($stack)
    };
}

fn namespaced<'a>(namespace: &'a str, arguments: &[&'a str]) -> Vec<&'a str> {
    [arguments, &["-n", namespace]].concat()
}

async fn history(world: &World<'_>, stack: &str) -> Vec<Revision> {
    let (cluster, subject) = world.reached(stack).await;
    release::history(&cluster, &subject).await.unwrap()
}

fn numbers(history: &[Revision]) -> Vec<u64> {
    history.iter().map(|revision| revision.number).collect()
}

/// Applies inputs as the engine would, with nothing planned: what a rollback does.
async fn bring_back(
    world: &World<'_>,
    cluster: &Connection,
    subject: &Subject,
    inputs: Data,
) -> Result<String, Failure> {
    let want: App = inputs.parse().unwrap();
    let subject = Subject { inputs, ..subject.clone() };
    App::create(cluster, &subject, want, world.secrets()).await
}

async fn the_last_revisions_are_kept_and_come_back(site: &Site) {
    const STACK: &str = "kept";
    let project = project(&[("account.yaml", ACCOUNT)]);
    let world = World::new(site, project.path().to_owned()).await;
    // In a namespace of others, so that deleting the App has to find everything itself.
    world.kubectl(&["create", "namespace", STACK]);
    let graph = |n: usize| {
        world.graph(STACK, |_: Platform| {
            app!(world, STACK)
                .create_namespace(false)
                .config(map! { "VALUE": format!("value-{n}") })
                .commit(format!("c{n}"))
                .author("ann")
        })
    };
    let uid = |name: &str| {
        let path = "jsonpath={.metadata.uid}";
        world.kubectl(&namespaced(STACK, &["get", "configmap", name, "-o", path]))
    };

    world.apply(&graph(1)).await;
    let (cluster, subject) = world.reached(STACK).await;
    assert!(release::last_good(&cluster, &subject).await.unwrap().is_none());
    release::settle(&cluster, &subject, 1, &Status::Good).await.unwrap();
    let objects = subject.inputs.get("objects").unwrap();
    let config = objects.get("ConfigMap/kept/config").unwrap();
    let first = config.get("metadata").unwrap().get("name").unwrap().as_str().unwrap().to_owned();
    let first_uid = uid(&first);

    // Another commit of the same set is no release.
    let same = world.graph(STACK, |_: Platform| {
        app!(world, STACK)
            .create_namespace(false)
            .config(map! { "VALUE": "value-1" })
            .commit("another")
    });
    assert!(world.changes(&same).await.is_empty());

    for n in 2..=12 {
        // A second plan is empty each time: what earlier revisions need is no drift.
        world.apply(&graph(n)).await;
    }
    let found = history(&world, STACK).await;
    assert_eq!(numbers(&found), [1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    assert_eq!(found[0].status, Status::Good);
    assert!(found[1..10].iter().all(|revision| revision.status == Status::Superseded));
    assert_eq!(found[10].status, Status::Deploying);
    assert_eq!(found[10].commit.as_deref(), Some("c12"));
    assert_eq!(found[10].author.as_deref(), Some("ann"));
    assert!(found[10].time.starts_with("20"), "{}", found[10].time);
    let generated = || {
        let list = ["get", "configmap", "-l", "!formwork/role,formwork/node=shop", "-o", "name"];
        let list = world.kubectl(&namespaced(STACK, &list));
        list.lines().filter(|name| name.contains("/config-")).count()
    };
    assert_eq!(generated(), 11, "one per revision that is kept");

    let differences: Vec<String> = release::diff(&found[9], &found[10])
        .into_iter()
        .map(|change| change.path)
        .filter(|path| !path.ends_with("metadata.name"))
        .collect();
    assert_eq!(differences, ["objects[\"ConfigMap/kept/config\"].data.VALUE"]);

    // Back to the first, by the very objects that it had.
    let (cluster, subject) = world.reached(STACK).await;
    let good = release::last_good(&cluster, &subject).await.unwrap().unwrap();
    assert_eq!(good.number, 1);
    let inputs = release::restored(&good, &subject.inputs).unwrap();
    for _ in 0..2 {
        // Cut off or not, the second try is the same revision.
        bring_back(&world, &cluster, &subject, inputs.clone()).await.unwrap();
        let found = history(&world, STACK).await;
        let newest = found.last().unwrap();
        assert_eq!((newest.number, newest.restores), (13, Some(1)));
        assert_eq!(newest.commit.as_deref(), Some("c1"));
    }
    assert_eq!(uid(&first), first_uid);
    let rolled = Status::RolledBack { to: 1, reason: "crash loop".into() };
    release::settle(&cluster, &subject, 12, &rolled).await.unwrap();
    release::settle(&cluster, &subject, 13, &Status::Good).await.unwrap();
    let found = history(&world, STACK).await;
    assert_eq!(found[found.len() - 2].status, rolled);
    let gone = release::settle(&cluster, &subject, 2, &Status::Good).await.unwrap_err();
    assert!(gone.message.contains("revision 2"), "{gone}");
    assert_eq!(release::newest(&cluster, &subject).await.unwrap(), Some((13, Status::Good)));
    assert_eq!(release::find(&cluster, &subject, 12).await.unwrap().status, rolled);
    let gone = release::find(&cluster, &subject, 2).await.unwrap_err();
    assert_eq!(gone.hint.unwrap(), "kept are 1, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13");

    // Fewer are kept from now on, and the stack is the truth again.
    let fewer = world.graph(STACK, |_: Platform| {
        app!(world, STACK)
            .create_namespace(false)
            .config(map! { "VALUE": "last" })
            .keep_releases(2u16)
    });
    world.apply(&fewer).await;
    assert_eq!(numbers(&history(&world, STACK).await), [13, 14]);
    assert_eq!(generated(), 2);

    world.apply(&Graph::empty(STACK)).await;
    let left =
        ["get", "configmap,secret,lease,serviceaccount", "-l", "formwork/node", "-o", "name"];
    assert_eq!(world.kubectl(&namespaced(STACK, &left)), "");
    world.kubectl(&["delete", "namespace", STACK]);
}

async fn a_rotated_secret_does_not_come_back(site: &Site) {
    const STACK: &str = "rotated";
    let project = project(&[("server.yaml", DEPLOYMENT)]);
    let world = World::new(site, project.path().to_owned()).await;
    let graph = |image: &'static str| {
        world.graph(STACK, |platform: Platform| {
            app!(world, STACK)
                .images(map! { "server": image })
                .secrets(map! { "PASSWORD": secret_text!["p:", platform.password] })
        })
    };
    world.apply(&graph("server:1")).await;
    world.export("cache.internal", "2").await;
    world.apply(&graph("server:2")).await;
    let secrets = || {
        let template = "go-template={{range .items}}{{.data.PASSWORD | base64decode}} {{end}}";
        let list = ["get", "secret", "-l", "!formwork/role,formwork/node=shop", "-o", template];
        let list = world.kubectl(&namespaced(STACK, &list));
        let mut texts: Vec<String> = list.split_whitespace().map(str::to_owned).collect();
        texts.sort();
        texts
    };
    let both = [format!("p:{PASSWORD}1"), format!("p:{PASSWORD}2")];
    assert_eq!(secrets(), both, "the earlier revision's is kept");

    let found = history(&world, STACK).await;
    assert_eq!(found[1].images["server"], "server:2");
    let kept = format!("{found:?}");
    assert!(kept.contains("vault") || kept.contains("password@"), "{kept}");
    assert!(!kept.contains(PASSWORD), "a secret text is kept");

    let (cluster, subject) = world.reached(STACK).await;
    let inputs = release::restored(&found[0], &subject.inputs).unwrap();
    bring_back(&world, &cluster, &subject, inputs).await.unwrap();
    let live = "jsonpath={.spec.template.spec.containers[0].image}";
    let live = world.kubectl(&namespaced(STACK, &["get", "deployment", "server", "-o", live]));
    assert_eq!(live, "server:1");
    let found = history(&world, STACK).await;
    let newest = found.last().unwrap();
    let secret = newest.inputs.get("secrets").unwrap().to_json().to_string();
    assert!(secret.contains(r#""version":"2""#), "{secret}");

    // The text of a Secret that the overlay itself holds is in no ConfigMap.
    write(
        project.path(),
        "literal.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: literal}\nstringData: {a: in-the-overlay}\n",
    );
    write(project.path(), "kustomization.yaml", "resources: [server.yaml, literal.yaml]");
    world.apply(&graph("server:2")).await;
    let packed = |kind: &str, path: &str| {
        world.kubectl(&namespaced(STACK, &["get", kind, "formwork.rotated.shop.4", "-o", path]))
    };
    assert_eq!(packed("configmap", "jsonpath={.binaryData}"), "");
    assert_ne!(packed("secret", "jsonpath={.data.inputs}"), "");
    let found = history(&world, STACK).await;
    assert!(found[3].inputs.get("objects").unwrap().get("Secret/rotated/literal").is_some());
    world.apply(&Graph::empty(STACK)).await;
}

async fn a_refused_apply_is_a_bad_revision(site: &Site) {
    const STACK: &str = "refused";
    let service =
        "apiVersion: v1\nkind: Service\nmetadata: {name: one}\nspec: {ports: [{port: 80}]}\n";
    let wrong = service.replace("port: 80", "port: 99999");
    let project = project(&[("account.yaml", ACCOUNT)]);
    let world = World::new(site, project.path().to_owned()).await;
    let graph = || world.graph(STACK, |_: Platform| app!(world, STACK));
    world.apply(&graph()).await;
    write(project.path(), "kustomization.yaml", "resources: [account.yaml, service.yaml]");
    write(project.path(), "service.yaml", &wrong);
    world.refused(&graph()).await;
    let found = history(&world, STACK).await;
    let Status::Bad(reason) = &found[1].status else { panic!("{:?}", found[1].status) };
    assert!(reason.contains("99999"), "{reason}");
    write(project.path(), "service.yaml", service);
    world.apply(&graph()).await;

    // What would be refused of an object that is there is found out before anything is changed.
    write(project.path(), "service.yaml", &wrong);
    write(project.path(), "account.yaml", &ACCOUNT.replace("{name: one}", "{name: two}"));
    let failure = world.refused(&graph()).await;
    assert_eq!(failure.kind, FailureKind::Invalid, "{failure}");
    assert_eq!(numbers(&history(&world, STACK).await), [1, 2, 3]);
    let accounts = namespaced(STACK, &["get", "serviceaccount", "-o", "name"]);
    assert!(!world.kubectl(&accounts).contains("two"));
    world.apply(&Graph::empty(STACK)).await;
}

/// Lets a work go on for so many steps, and drops it there; whether it was through by then.
async fn cut_off<T>(work: impl Future<Output = T>, after: usize) -> Option<T> {
    let mut work = Box::pin(work);
    let mut steps = 0;
    std::future::poll_fn(|context| {
        if steps == after {
            return Poll::Ready(None);
        }
        steps += 1;
        work.as_mut().poll(context).map(Some)
    })
    .await
}

async fn an_apply_that_is_cut_off_anywhere_is_taken_up_again(site: &Site) {
    const STACK: &str = "cut";
    /// Steps that an apply is let go further, each time.
    const STRIDE: usize = 9;
    /// More than an apply has, and tries of one that what was cut off is still in the way of.
    const MOST: usize = 100;
    let project = project(&[("server.yaml", DEPLOYMENT)]);
    let world = World::new(site, project.path().to_owned()).await;
    let app = |value: String| {
        world.graph(STACK, |_: Platform| {
            app!(world, STACK).keep_releases(2u16).config(map! { "VALUE": value })
        })
    };
    // What the engine makes of it: as applied, and as it would be.
    world.apply(&app("other".into())).await;
    let (_, other) = world.reached(STACK).await;
    world.apply(&app("first".into())).await;
    let (cluster, subject) = world.reached(STACK).await;
    let sets = [other.inputs, subject.inputs.clone()];
    let revision = |found: &[Revision]| found.last().unwrap().number;

    let mut through = false;
    for n in 0..MOST {
        let before = revision(&history(&world, STACK).await);
        let inputs = &sets[n % 2];
        let apply = || bring_back(&world, &cluster, &subject, inputs.clone());
        through = cut_off(apply(), 1 + n * STRIDE).await.is_some_and(|done| done.is_ok());
        let mut result = apply().await;
        for _ in 0..MOST {
            // A request that was under way may have come between.
            match &result {
                Err(failure) if failure.kind == FailureKind::Busy => result = apply().await,
                _ => break,
            }
        }
        result.unwrap();
        let found = history(&world, STACK).await;
        assert_eq!(revision(&found), before + 1, "cut off after step {}", 1 + n * STRIDE);
        assert_eq!(numbers(&found), [before, before + 1]);
        assert_eq!(found[1].status, Status::Deploying);
        assert_eq!(found[1].inputs, *inputs);
        assert_eq!(found[0].status, Status::Superseded);
        let kept = ["get", "configmap", "-l", "!formwork/role,formwork/node=shop", "-o", "name"];
        let kept = world.kubectl(&namespaced(STACK, &kept));
        assert_eq!(kept.lines().filter(|name| name.contains("/config-")).count(), 2, "{kept}");
        if through {
            break;
        }
    }
    assert!(through, "an apply takes more than {} steps", MOST * STRIDE);
    world.apply(&Graph::empty(STACK)).await;
}

async fn one_deploy_at_a_time(site: &Site) {
    const STACK: &str = "leased";
    /// Looks at a lease whose holder is dead, each a pause after the one before.
    const LOOKS: usize = 60;
    let project = project(&[("account.yaml", ACCOUNT)]);
    let world = World::new(site, project.path().to_owned()).await;
    world.apply(&world.graph(STACK, |_: Platform| app!(world, STACK))).await;
    let (cluster, subject) = world.reached(STACK).await;
    let (ann, bob) = (Holder::new("ann@laptop 1"), Holder::new("bob@ci 2"));
    let busy = |result: Result<Lease<'_>, Failure>| {
        let failure = result.err().unwrap();
        assert_eq!(failure.kind, FailureKind::Busy);
        failure
    };

    let held = Lease::acquire(&cluster, &subject, &ann).await.unwrap();
    let failure = busy(Lease::acquire(&cluster, &subject, &bob).await);
    assert!(failure.message.contains("being deployed by ann@laptop 1 since 20"), "{failure}");
    held.renew().await.unwrap();
    // An apply is a deploy, too.
    let inputs = subject.inputs.clone();
    let failure = bring_back(&world, &cluster, &subject, inputs.clone()).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Busy);
    assert!(failure.message.contains("ann@laptop 1"), "{failure}");
    // Its holder may take it again; only the outer one lets go.
    Lease::acquire(&cluster, &subject, &ann).await.unwrap().release().await;
    busy(Lease::acquire(&cluster, &subject, &bob).await);
    held.release().await;
    let held = Lease::acquire(&cluster, &subject, &bob).await.unwrap();
    assert_eq!(held.during(async { Ok(7) }).await.unwrap(), 7);
    held.release().await;
    bring_back(&world, &cluster, &subject, inputs).await.unwrap();

    // One that dies: its lease is made to last a second, so that nobody has to wait long for the end of it.
    let dead = Lease::acquire(&cluster, &subject, &ann).await.unwrap();
    let patch = r#"{"spec": {"leaseDurationSeconds": 1}}"#;
    let lease = "lease/formwork.leased.shop";
    world.kubectl(&namespaced(STACK, &["patch", lease, "--type=merge", "-p", patch]));
    let mut taken = None;
    for _ in 0..LOOKS {
        match Lease::acquire(&cluster, &subject, &bob).await {
            Ok(lease) => {
                taken = Some(lease);
                break;
            }
            Err(failure) => assert_eq!(failure.kind, FailureKind::Busy, "{failure}"),
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let taken = taken.unwrap();
    let failure = dead.renew().await.unwrap_err();
    assert!(failure.message.contains("lost to bob@ci 2"), "{failure}");
    // A work under a lost lease is given up, and it lets go of nothing that isn't its own any more.
    let endless = std::future::pending::<Result<(), Failure>>();
    let failure = dead.during(endless).await.unwrap_err();
    assert!(failure.message.contains("lost to bob@ci 2"), "{failure}");
    dead.release().await;
    taken.renew().await.unwrap();
    taken.release().await;

    // What isn't the newest any more and wasn't settled was overtaken.
    assert_eq!(release::begin(&cluster, &subject).await.unwrap(), 1);
    let other = Data::Map([("namespace".to_owned(), Data::Text(STACK.into()))].into());
    let other = Subject { inputs: other, ..subject.clone() };
    assert_eq!(release::begin(&cluster, &other).await.unwrap(), 2);
    assert_eq!(release::begin(&cluster, &other).await.unwrap(), 2);
    let statuses: Vec<Status> =
        history(&world, STACK).await.into_iter().map(|revision| revision.status).collect();
    assert_eq!(statuses, [Status::Superseded, Status::Deploying]);
    world.apply(&Graph::empty(STACK)).await;
}

/// Objects of many kinds, each with a field that can't be changed.
const FIXED: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: server}
spec:
  selector: {matchLabels: {app: server, v: "VERSION"}}
  template:
    metadata: {labels: {app: server, v: "VERSION"}}
    spec: {containers: [{name: server, image: server}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: set}
spec:
  serviceName: set-VERSION
  selector: {matchLabels: {app: set}}
  template:
    metadata: {labels: {app: set}}
    spec: {containers: [{name: set, image: set}]}
---
apiVersion: batch/v1
kind: Job
metadata: {name: job}
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{name: job, image: "job:VERSION"}]
---
apiVersion: v1
kind: Service
metadata: {name: service}
spec: {clusterIP: CLUSTER_IP, selector: {app: server}, ports: [{port: 80}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: fixed}
immutable: true
data: {value: "VERSION"}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: binding}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: ROLE}
subjects: [{kind: ServiceAccount, name: default}]
"#;

fn fixed(version: &str, role: &str, cluster_ip: &str) -> String {
    FIXED.replace("VERSION", version).replace("ROLE", role).replace("CLUSTER_IP", cluster_ip)
}

async fn what_can_not_be_changed_is_made_again(site: &Site) {
    const STACK: &str = "fixed";
    /// One of the addresses that the local cluster gives to services, near their end.
    const ADDRESS: &str = "10.100.250.250";
    let project = project(&[("fixed.yaml", &fixed("1", "view", "None"))]);
    let world = World::new(site, project.path().to_owned()).await;
    // Jobs of this cluster don't end.
    let graph = || world.graph(STACK, |_: Platform| app!(world, STACK));
    world.apply(&graph()).await;
    let uid = |object: &str| {
        let path = "jsonpath={.metadata.uid}";
        world.kubectl(&namespaced(STACK, &["get", object, "-o", path]))
    };
    let objects = [
        "deployment/server",
        "statefulset/set",
        "job/job",
        "service/service",
        "configmap/fixed",
        "rolebinding/binding",
    ];
    let wait = ["wait", "--for=create", "pod/set-0", "--timeout=60s"];
    world.kubectl(&namespaced(STACK, &wait));
    let before = objects.map(uid);
    let pod = uid("pod/set-0");

    write(
        project.path(),
        "fixed.yaml",
        &fixed("2", "edit", "\"\"").replace("clusterIP: \"\", ", ""),
    );
    let plan = world.plan(&graph()).await;
    let remarks: Vec<&String> = plan.changes().flat_map(|step| &step.remarks).collect();
    let again = remarks.iter().filter(|remark| remark.contains("is deleted and made again"));
    let mut titles: Vec<&str> = again.map(|r| r.split(" is deleted").next().unwrap()).collect();
    titles.sort_unstable();
    assert_eq!(
        titles,
        [
            "ConfigMap fixed",
            "Deployment server",
            "Job job",
            "RoleBinding binding",
            "Service service",
            "StatefulSet set"
        ]
    );
    world.apply(&graph()).await;
    let after = objects.map(uid);
    for ((object, before), after) in objects.iter().zip(&before).zip(&after) {
        assert_ne!(before, after, "{object}");
    }
    let address = || {
        let address = ["get", "service", "service", "-o", "jsonpath={.spec.clusterIP}"];
        world.kubectl(&namespaced(STACK, &address))
    };
    assert_ne!(address(), "None");
    assert_eq!(uid("pod/set-0"), pod, "its pods stay with a StatefulSet");

    // What the server wouldn't take is found out before the old one is deleted for it.
    write(project.path(), "fixed.yaml", &fixed("2", "edit", "192.0.2.1"));
    let failure = world.refused(&graph()).await;
    assert_eq!(failure.kind, FailureKind::Invalid, "{failure}");
    assert!(failure.message.contains("Service \"service\" is invalid"), "{failure}");
    assert_eq!(uid("service/service"), after[3]);
    write(project.path(), "fixed.yaml", &fixed("2", "edit", ADDRESS));
    world.apply(&graph()).await;
    assert_eq!(address(), ADDRESS);
    assert_ne!(uid("service/service"), after[3]);
    // An address that isn't asked for any more is left as it is.
    let again = uid("service/service");
    let unasked = fixed("2", "edit", "\"\"").replace("clusterIP: \"\", ", "");
    write(project.path(), "fixed.yaml", &unasked);
    world.apply(&graph()).await;
    assert_eq!((uid("service/service"), address().as_str()), (again, ADDRESS));
    world.apply(&Graph::empty(STACK)).await;
}

async fn a_custom_resource_that_can_not_be_changed_says_what_to_do(site: &Site) {
    const DEFINITION: &str = "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: kilns.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Kiln, plural: kilns, singular: kiln, listKind: KilnList}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            size:
              type: integer
              x-kubernetes-validations: [{rule: self == oldSelf, message: size is immutable}]
";
    const STACK: &str = "kiln";
    let kiln = "apiVersion: example.com/v1\nkind: Kiln\nmetadata: {name: one}\nsize: 1\n";
    let project = project(&[("kiln.yaml", kiln), ("definition.yaml", DEFINITION)]);
    let world = World::new(site, project.path().to_owned()).await;
    let graph = || world.graph(STACK, |_: Platform| app!(world, STACK));
    world.apply(&graph()).await;
    write(project.path(), "kiln.yaml", &kiln.replace("size: 1", "size: 2"));
    write(project.path(), "account.yaml", ACCOUNT);
    write(
        project.path(),
        "kustomization.yaml",
        "resources: [definition.yaml, kiln.yaml, account.yaml]",
    );
    let failure = world.refused(&graph()).await;
    assert_eq!(failure.kind, FailureKind::Invalid, "{failure}");
    let hint = failure.hint.unwrap();
    assert!(hint.contains("kubectl delete kiln.example.com one -n kiln"), "{hint}");
    let accounts = world.kubectl(&namespaced(STACK, &["get", "serviceaccount", "-o", "name"]));
    assert!(!accounts.contains("one"), "nothing was changed: {accounts}");

    // As it says.
    world.kubectl(&namespaced(STACK, &["delete", "kiln.example.com", "one"]));
    world.apply(&graph()).await;
    world.apply(&Graph::empty(STACK)).await;
}

async fn conflicts_are_taken_left_or_refused(site: &Site) {
    const STACK: &str = "contested";
    let project = project(&[("server.yaml", DEPLOYMENT)]);
    let world = World::new(site, project.path().to_owned()).await;
    let graph = |conflicts: &'static str, image: &'static str| {
        world.graph(STACK, |_: Platform| {
            app!(world, STACK).images(map! { "server": image }).conflicts(conflicts)
        })
    };
    let live = || {
        let path = "jsonpath={.spec.replicas} {.spec.template.spec.containers[0].image}";
        world.kubectl(&namespaced(STACK, &["get", "deployment", "server", "-o", path]))
    };
    let scale = |count: &str| {
        world.kubectl(&namespaced(STACK, &["scale", "deployment/server", count]));
    };
    world.apply(&graph("refuse", "server:1")).await;
    scale("--replicas=2");
    let plan = world.plan(&graph("take", "server:2")).await;
    let remarks: Vec<&String> = plan.changes().flat_map(|step| &step.remarks).collect();
    let held = "objects[\"Deployment/contested/server\"].spec.replicas` is held by kubectl (scale), and taken";
    assert!(remarks.iter().any(|remark| remark.contains(held)), "{remarks:?}");
    let failure = world.refused(&graph("refuse", "server:2")).await;
    assert_eq!(failure.kind, FailureKind::Invalid, "{failure}");
    assert!(
        failure.message.contains("Deployment server: .spec.replicas is held by kubectl"),
        "{failure}"
    );
    assert_eq!(live(), "2 server:1");

    // Left to others, it is no drift; and the rest is applied.
    assert_eq!(world.changes(&graph("leave", "server:1")).await, Vec::<String>::new());
    world.apply(&graph("leave", "server:2")).await;
    assert_eq!(live(), "2 server:2");
    scale("--replicas=3");
    assert!(world.changes(&graph("leave", "server:2")).await.is_empty());
    world.apply(&graph("take", "server:3")).await;
    assert_eq!(live(), "1 server:3");
    world.apply(&Graph::empty(STACK)).await;
}

async fn volumes_stay(site: &Site) {
    const STACK: &str = "volumes";
    const CLAIM: &str = "
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec:
  accessModes: [ReadWriteOnce]
  storageClassName: slow
  resources: {requests: {storage: 1Gi}}
";
    let project = project(&[("account.yaml", ACCOUNT), ("claim.yaml", CLAIM)]);
    let world = World::new(site, project.path().to_owned()).await;
    let graph =
        |delete: bool| world.graph(STACK, |_: Platform| app!(world, STACK).delete_volumes(delete));
    let claims = || world.kubectl(&namespaced(STACK, &["get", "pvc", "-o", "name"]));
    let with = |resources: &str| {
        write(project.path(), "kustomization.yaml", &format!("resources: [{resources}]"));
    };
    world.apply(&graph(false)).await;

    with("account.yaml");
    let plan = world.plan(&graph(false)).await;
    let remarks: Vec<&String> = plan.changes().flat_map(|step| &step.remarks).collect();
    let stays = "PersistentVolumeClaim data leaves the overlay and stays";
    assert!(remarks.iter().any(|remark| remark.contains(stays)), "{remarks:?}");
    // The second plan is empty, though it is still there.
    world.apply(&graph(false)).await;
    assert_eq!(claims(), "persistentvolumeclaim/data");

    // It comes back into the overlay as it is.
    with("account.yaml, claim.yaml");
    world.apply(&graph(false)).await;

    // Another class would be another volume.
    write(project.path(), "claim.yaml", &CLAIM.replace("slow", "fast"));
    let failure = world.refused(&graph(false)).await;
    assert_eq!(failure.kind, FailureKind::Invalid);
    assert!(failure.message.contains("its data would be lost"), "{failure}");
    world.apply(&graph(true)).await;
    let class = ["get", "pvc", "data", "-o", "jsonpath={.spec.storageClassName}"];
    assert_eq!(world.kubectl(&namespaced(STACK, &class)), "fast");

    with("account.yaml");
    world.apply(&graph(true)).await;
    assert_eq!(claims(), "");

    // Or by consent for the one.
    let mine =
        CLAIM.replace("{name: data}", "{name: data, annotations: {formwork/delete: \"true\"}}");
    write(project.path(), "claim.yaml", &mine);
    with("account.yaml, claim.yaml");
    world.apply(&graph(false)).await;
    with("account.yaml");
    world.apply(&graph(false)).await;
    assert_eq!(claims(), "");
    world.apply(&Graph::empty(STACK)).await;
}
