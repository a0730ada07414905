//! What comes before and after a rollout, in a real cluster: migrations, Jobs of the team's, smoke checks.
#![allow(clippy::unwrap_used, reason = "a test that can't go on says so by panicking")]

mod support;

use formwork_engine::{
    Failure, FailureKind, Graph, IntoValue as _, Reconcile as _, Subject, Value,
    apply::{Event, Reporter},
    each, map,
};
use formwork_kubernetes::{
    App, Check, Rollout,
    release::{self, Revision, Status},
};
use formwork_rehearse::{BEHAVIOUR, Site};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use support::{Platform, World, on_a_cloud, project, write};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinHandle,
};

const SERVER: &str = "
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
---
apiVersion: v1
kind: Service
metadata: {name: server}
spec:
  selector: {app: server}
  ports: [{port: 80}]
";
/// The longest that something in the cluster may take that a case waits for.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// Bytes of a request that a server of these tests reads at most.
const REQUEST: usize = 16 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn before_and_after_a_rollout() {
    on_a_cloud(async |site| {
        futures::join!(
            an_answer_that_is_wrong_is_a_bad_release(site),
            a_migration_comes_before_everything_else(site),
            a_migration_is_not_torn_out_of_its_work(site),
            a_job_afterwards_counts(site),
            what_is_not_waited_for_is_migrated_all_the_same(site),
            what_somebody_undid_is_not_gone_back_to(site),
            what_is_not_wanted_goes_once_the_rest_is_well(site),
        );
    })
    .await;
}

/// A Job of a step whose pods behave.
fn job(name: &str, step: &str, behaviour: &str, image: &str) -> String {
    format!(
        "
apiVersion: batch/v1
kind: Job
metadata: {{name: {name}, annotations: {{formwork/step: {step}}}}}
spec:
  backoffLimit: 0
  template:
    metadata: {{labels: {{{BEHAVIOUR}: {behaviour}}}}}
    spec:
      restartPolicy: Never
      containers: [{{name: main, image: {image}}}]
"
    )
}

/// A case: one App in a namespace of its own.
struct Case<'a> {
    world: World<'a>,
    stack: &'static str,
    project: tempfile::TempDir,
}

impl<'a> Case<'a> {
    async fn new(site: &'a Site, stack: &'static str, files: &[(&str, &str)]) -> Self {
        let project = project(files);
        let world = World::new(site, project.path().to_owned()).await;
        Self { world, stack, project }
    }

    fn graph(&self, image: &str, checks: Vec<Value<Check>>) -> Graph {
        self.world.graph(self.stack, |_: Platform| {
            App::new()
                .cluster(self.world.cluster())
                .overlay("overlay")
                .namespace(self.stack)
                .images(map! { "server": image })
                .rollout(Rollout::new().steady(0u32))
                .checks(each(checks))
        })
    }

    /// Deploys; a second plan is empty.
    async fn deploy(&self, image: &str) {
        self.world.apply(&self.graph(image, vec![])).await;
        assert_eq!(self.newest().await.status, Status::Good);
    }

    /// A deploy that is hopeless: why, and the evidence.
    async fn hopeless(&self, graph: &Graph) -> (String, Told) {
        let told = Told::default();
        let outcome = self.world.try_apply_told(graph, &told).await;
        let [failed] = outcome.failed.as_slice() else { panic!("{:?}", outcome.failed) };
        assert_eq!(failed.failure.kind, FailureKind::Hopeless, "{:?}", failed.failure);
        let why = failed.failure.message.clone();
        assert_eq!(self.newest().await.status, Status::Bad(why.clone()));
        (why, told)
    }

    async fn go_back(&self) {
        let outcome = self.world.go_back(self.stack).await;
        assert!(outcome.succeeded(), "{:?}", outcome.failed);
        let newest = self.newest().await;
        assert_eq!(newest.status, Status::Good);
        assert!(newest.restores.is_some());
    }

    async fn newest(&self) -> Revision {
        let (cluster, subject) = self.world.reached(self.stack).await;
        release::history(&cluster, &subject).await.unwrap().pop().unwrap()
    }

    fn get(&self, object: &str, path: &str) -> String {
        let path = format!("jsonpath={{{path}}}");
        self.world.kubectl(&["get", object, "-n", self.stack, "-o", &path])
    }

    fn image(&self) -> String {
        self.get("deployment/server", ".spec.template.spec.containers[0].image")
    }

    fn uid(&self, object: &str) -> String {
        self.get(object, ".metadata.uid")
    }

    async fn gone(&self) {
        self.world.apply(&Graph::empty(self.stack)).await;
    }
}

/// What was told of an apply.
#[derive(Default)]
struct Told(Mutex<Vec<Event>>);

impl Reporter for Told {
    fn report(&self, event: Event) {
        self.0.lock().unwrap().push(event);
    }
}

impl Told {
    fn evidence(&self) -> String {
        let events = self.0.lock().unwrap();
        let evidence = events.iter().filter_map(|event| match event {
            Event::Evidence { evidence, .. } => Some(evidence.clone()),
            _ => None,
        });
        evidence.collect()
    }

    /// What was told of a part, in order: whether it was through, and the reason.
    fn part(&self, name: &str) -> Vec<(bool, String)> {
        let events = self.0.lock().unwrap();
        let parts = events.iter().filter_map(|event| match event {
            Event::Progress { progress, .. } => Some(progress.parts.clone()),
            _ => None,
        });
        let of_name = parts.flatten().filter(|part| part.name == name);
        of_name.map(|part| (part.done, part.reason.unwrap_or_default())).collect()
    }
}

/// A server that answers each request by its path and its number, `None` by hanging up.
struct Server {
    address: String,
    asked: Arc<AtomicUsize>,
    serving: JoinHandle<()>,
}

impl Server {
    async fn start(answer: impl Fn(&str, usize) -> Option<String> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        let serving = tokio::spawn(async move {
            // As long as the test: it is told to end.
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = vec![];
                while !request.ends_with(b"\r\n\r\n") && request.len() < REQUEST {
                    let mut part = [0; 1024];
                    match stream.read(&mut part).await {
                        Ok(read) if read > 0 => request.extend_from_slice(&part[..read]),
                        _ => break,
                    }
                }
                let request = String::from_utf8_lossy(&request);
                let path = request.split(' ').nth(1).unwrap_or_default();
                let number = count.fetch_add(1, Ordering::SeqCst);
                if let Some(answer) = answer(path, number) {
                    let _ = stream.write_all(answer.as_bytes()).await;
                }
            }
        });
        Self { address, asked, serving }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn answer(status: &str, more: &str, body: &str) -> Option<String> {
    let length = body.len();
    Some(format!(
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{more}\r\n{body}"
    ))
}

async fn an_answer_that_is_wrong_is_a_bad_release(site: &Site) {
    let case = Case::new(site, "checked", &[("server.yaml", SERVER)]).await;
    let cookie = "Set-Cookie: session=hunter2\r\nServer: shop\r\n";
    let server = Server::start(move |path, _| match path {
        "/" => answer("200 OK", "", "the shop is open"),
        "/moved" => answer("302 Found", "Location: /\r\n", ""),
        "/broken" => answer("500 Internal Server Error", cookie, "a stack trace"),
        _ => None,
    })
    .await;
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = format!("http://{}/", closed.local_addr().unwrap());
    drop(closed);
    let at = |path: &str| Check::new().url(format!("{}{path}", server.address)).patience(1u32);

    let good = || {
        vec![
            at("/").body("shop").into_value(),
            at("/moved").body("open").into_value(),
            at("/moved").status(302u16).into_value(),
            at("/broken").status(500u16).into_value(),
        ]
    };
    case.world.apply(&case.graph("server:1", good())).await;
    assert_eq!(case.newest().await.status, Status::Good);

    let bad = vec![
        at("/broken").into_value(),
        at("/").body("sold out").into_value(),
        at("/silent").into_value(),
        Check::new().url(nobody.as_str()).patience(0u32).into_value(),
        at("/").into_value(),
    ];
    let (why, told) = case.hopeless(&case.graph("server:2", bad)).await;
    let address = &server.address;
    for words in [
        &format!("GET {address}/broken: answered 500, not 200"),
        &format!("GET {address}/: answered 200, and its body doesn't have the text \"sold out\""),
        &format!("GET {address}/silent: no answer: "),
        "and 1 more",
    ] {
        assert!(why.contains(words), "{why}");
    }
    let evidence = told.evidence();
    for words in ["a stack trace", "server: shop", "the shop is open", &nobody] {
        assert!(evidence.contains(words), "{evidence}");
    }
    assert!(!evidence.contains("hunter2"), "{evidence}");
    let broken = told.part(&format!("GET {address}/broken"));
    assert_eq!(broken, [(false, "answered 500, not 200".to_owned())]);
    // Checks are the revision's own: what is put back is checked as it was then.
    case.go_back().await;
    assert_eq!(case.image(), "server:1");

    // Well after two tries; each is told.
    let slow = Server::start(|_, number| match number {
        0 => None,
        1 => answer("503 Service Unavailable", "", ""),
        _ => answer("200 OK", "", "at last"),
    })
    .await;
    let told = Told::default();
    let url = format!("{}/slow?token=hunter2", slow.address);
    let check = Check::new().url(url).body("at last").patience(60u32);
    let graph = case.graph("server:3", vec![check.into_value()]);
    let outcome = case.world.try_apply_told(&graph, &told).await;
    assert!(outcome.succeeded(), "{:?}", outcome.failed);
    let slow_part = told.part(&format!("GET {}/slow", slow.address));
    assert_eq!(slow_part.len(), 3, "{slow_part:?}");
    assert_eq!(slow_part[1..], [(false, "answered 503, not 200".into()), (true, String::new())]);
    assert_eq!(slow.asked.load(Ordering::SeqCst), 3);
    case.gone().await;
}

async fn a_migration_comes_before_everything_else(site: &Site) {
    let migration = |behaviour: &str, image: &str| job("migrate", "before", behaviour, image);
    let files =
        [("server.yaml", SERVER), ("migrate.yaml", &migration("succeeds", "migrate:1") as &str)];
    let case = Case::new(site, "migrated", &files).await;
    let changed = |behaviour: &str, image: &str| {
        write(case.project.path(), "migrate.yaml", &migration(behaviour, image));
    };
    case.deploy("server:1").await;
    let ended = case.get("job/migrate", ".status.completionTime");
    for object in ["deployment/server", "service/server"] {
        let made = case.get(object, ".metadata.creationTimestamp");
        assert!(made >= ended, "{object} was made at {made}, and the migration ended at {ended}");
    }

    // The same migration has run.
    let first = case.uid("job/migrate");
    case.deploy("server:2").await;
    assert_eq!(case.uid("job/migrate"), first);
    changed("succeeds", "migrate:2");
    case.deploy("server:2").await;
    let second = case.uid("job/migrate");
    assert_ne!(second, first);

    // One that fails with nothing else changed: it isn't through, and every deploy tries it again.
    changed("fails", "migrate:3");
    for _ in 0..2 {
        let (why, _) = case.hopeless(&case.graph("server:2", vec![])).await;
        assert!(why.contains("Job/migrate"), "{why}");
        case.go_back().await;
    }
    let plan = case.world.plan(&case.graph("server:2", vec![])).await;
    let reasons: Vec<&String> = plan.changes().flat_map(|step| &step.reasons).collect();
    assert!(reasons[0].starts_with("a part of it isn't through: Job migrate: "), "{reasons:?}");
    changed("succeeds", "migrate:2");
    case.deploy("server:2").await;

    // One that fails: nothing else is changed, not even the way of requests.
    let untouched = ["deployment/server", "service/server", "endpoints/server"];
    let versions = || untouched.map(|object| case.get(object, ".metadata.resourceVersion"));
    let before = versions();
    changed("fails", "migrate:3");
    write(case.project.path(), "server.yaml", &SERVER.replace("port: 80", "port: 81"));
    let (why, told) = case.hopeless(&case.graph("server:3", vec![])).await;
    assert!(why.contains("Job/migrate"), "{why}");
    assert!(told.evidence().contains("error Command"), "{}", told.evidence());
    let (done, reason) = told.part("Job/migrate").pop().unwrap();
    assert!(!done && !reason.is_empty());
    assert_eq!(versions(), before);
    let failed = case.uid("job/migrate");

    // There is nothing to put back, and going back runs no migration either.
    let outcome = case.world.go_back(case.stack).await;
    assert!(outcome.succeeded(), "{:?}", outcome.failed);
    assert_eq!(versions(), before);
    assert_eq!(case.uid("job/migrate"), failed);
    assert_eq!(case.get("deployment/server", ".metadata.generation"), "2");
    assert_eq!(case.image(), "server:2");

    // Deployed again as it is, it is tried again.
    let (_, _) = case.hopeless(&case.graph("server:3", vec![])).await;
    assert_ne!(case.uid("job/migrate"), failed);
    assert_eq!(case.image(), "server:2");
    changed("succeeds", "migrate:4");
    case.deploy("server:3").await;
    assert_eq!(
        (case.image().as_str(), case.get("service/server", ".spec.ports[0].port").as_str()),
        ("server:3", "81")
    );

    // One that went well, and a server that doesn't start: the server goes back, the migration isn't undone, and the
    // one before isn't run.
    changed("succeeds", "migrate:5");
    let broken = SERVER.replace("image: server}", "image: server, command: [yarn, foo]}");
    write(case.project.path(), "server.yaml", &broken);
    let (why, _) = case.hopeless(&case.graph("server:5", vec![])).await;
    assert!(why.contains("crash loop"), "{why}");
    assert_eq!(case.image(), "server:5");
    let ran = case.uid("job/migrate");
    case.go_back().await;
    assert_eq!(case.image(), "server:3");
    assert_eq!(case.uid("job/migrate"), ran);
    assert_eq!(case.get("job/migrate", ".spec.template.spec.containers[0].image"), "migrate:5");
    case.gone().await;
}

async fn what_somebody_undid_is_not_gone_back_to(site: &Site) {
    let case = Case::new(site, "undone", &[("server.yaml", SERVER)]).await;
    let file = |text: &str| write(case.project.path(), "server.yaml", text);
    let slow = SERVER.replace(
        "{app: server}}\n    spec",
        &format!("{{app: server, {BEHAVIOUR}: slow}}}}\n    spec"),
    );
    assert_ne!(slow, SERVER);
    let broken = SERVER.replace("image: server}", "image: server, command: [yarn, foo]}");
    let undo = || case.world.kubectl(&["rollout", "undo", "deployment/server", "-n", case.stack]);
    let behaviour = || case.get("deployment/server", ".spec.template.metadata.labels");
    case.deploy("server:1").await;
    let labels = behaviour();

    // Somebody undoes it while it is followed.
    file(&slow);
    let graph = case.graph("server:2", vec![]);
    let undone = async {
        until(|| case.image() == "server:2").await;
        undo();
    };
    let (outcome, ()) = futures::join!(case.world.try_apply(&graph), undone);
    let [failed] = outcome.failed.as_slice() else { panic!("{:?}", outcome.failed) };
    assert!(failed.failure.message.contains("somebody changed it"), "{}", failed.failure);
    assert_eq!(case.newest().await.status, Status::Superseded);

    // What runs by now is deployed: it is a revision of its own, and what is gone back to.
    file(SERVER);
    case.deploy("server:1").await;
    assert_eq!(case.newest().await.images["server"], "server:1");
    file(&broken);
    case.hopeless(&case.graph("server:3", vec![])).await;
    case.go_back().await;
    assert_eq!((case.image().as_str(), behaviour()), ("server:1", labels));

    // The same where nobody followed what was undone, and the stack says it too by now.
    file(SERVER);
    case.deploy("server:4").await;
    undo();
    until(|| case.image() == "server:1").await;
    case.deploy("server:1").await;
    assert_eq!(case.newest().await.images["server"], "server:1");
    file(&broken);
    case.hopeless(&case.graph("server:5", vec![])).await;
    case.go_back().await;
    assert_eq!(case.image(), "server:1");
    case.gone().await;
}

async fn what_is_not_wanted_goes_once_the_rest_is_well(site: &Site) {
    let worker = SERVER.replace("server", "worker");
    let quota =
        "apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: one}\nspec: {hard: {pods: 2}}\n";
    let files = [("server.yaml", SERVER), ("worker.yaml", &worker), ("quota.yaml", quota)];
    let case = Case::new(site, "pruned", &files).await;
    let resources = |names: &str| {
        let text = format!("resources: [{names}]");
        write(case.project.path(), "kustomization.yaml", &text);
    };
    let there = |kind: &str| {
        let names = "jsonpath={.items[*].metadata.name}";
        case.world.kubectl(&["get", kind, "-n", case.stack, "-o", names])
    };
    case.deploy("server:1").await;
    let uid = case.uid("deployment/worker");

    // A bad release takes nothing away that its callers have.
    let broken = SERVER.replace("image: server}", "image: server, command: [yarn, foo]}");
    write(case.project.path(), "server.yaml", &broken.replace("replicas: 1", "replicas: 2"));
    resources("server.yaml");
    case.hopeless(&case.graph("server:2", vec![])).await;
    assert_eq!(case.uid("deployment/worker"), uid);
    assert_eq!(there("resourcequota"), "", "what holds its pods back goes before");
    case.go_back().await;
    assert_eq!(case.uid("deployment/worker"), uid);
    assert_eq!(there("resourcequota"), "one");

    write(case.project.path(), "server.yaml", &SERVER.replace("replicas: 1", "replicas: 3"));
    case.deploy("server:3").await;
    assert_eq!((there("deployment").as_str(), there("resourcequota").as_str()), ("server", ""));
    case.gone().await;
}

/// Waits until something in the cluster is so.
async fn until(there: impl Fn() -> bool) {
    let wait = async {
        while !there() {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap();
}

async fn a_migration_is_not_torn_out_of_its_work(site: &Site) {
    let migration = |behaviour: &str, image: &str| job("migrate", "before", behaviour, image);
    let files =
        [("server.yaml", SERVER), ("migrate.yaml", &migration("succeeds", "migrate:1") as &str)];
    let case = Case::new(site, "working", &files).await;
    case.deploy("server:1").await;
    let (cluster, subject) = case.world.reached(case.stack).await;
    // As the engine calls it, and then is gone.
    let begin = async |behaviour: &str, image: &str| -> Result<(), Failure> {
        write(case.project.path(), "migrate.yaml", &migration(behaviour, image));
        let plan = case.world.plan(&case.graph("server:2", vec![])).await;
        let inputs = plan.changes().next().unwrap().planned.clone();
        let want: App = inputs.parse().unwrap();
        let subject = Subject { inputs, ..subject.clone() };
        App::create(&cluster, &subject, want, case.world.secrets()).await.map(drop)
    };
    begin("slow", "migrate:2").await.unwrap();
    assert_eq!(case.image(), "server:1");
    until(|| case.get("job/migrate", ".status.ready") == "1").await;
    let at_work = case.uid("job/migrate");
    let failure = begin("succeeds", "migrate:3").await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Busy, "{failure}");
    assert!(
        failure.message.contains("Job migrate of the deploy before is still at work"),
        "{failure}"
    );
    // The same is taken up.
    begin("slow", "migrate:2").await.unwrap();
    assert_eq!(case.uid("job/migrate"), at_work);
    assert_eq!(case.image(), "server:1");

    // One that can't begin is in nobody's way.
    case.world.kubectl(&["delete", "job", "migrate", "-n", case.stack]);
    begin("image-pull", "migrate:4").await.unwrap();
    until(|| case.get("job/migrate", ".status.active") == "1").await;
    write(case.project.path(), "migrate.yaml", &migration("succeeds", "migrate:5"));
    case.deploy("server:2").await;
    assert_eq!(case.image(), "server:2");
    case.gone().await;
}

async fn a_job_afterwards_counts(site: &Site) {
    let smoke = |behaviour: &str| job("smoke", "after", behaviour, "smoke:1");
    let files = [("server.yaml", SERVER), ("smoke.yaml", &smoke("succeeds") as &str)];
    let case = Case::new(site, "after", &files).await;
    case.deploy("server:1").await;
    let first = case.uid("job/smoke");
    let made = case.get("job/smoke", ".metadata.creationTimestamp");
    let available = case.get(
        "deployment/server",
        ".status.conditions[?(@.type==\"Available\")].lastTransitionTime",
    );
    assert!(made >= available, "it was made at {made}, and the server was up at {available}");

    // It ran for the deploy before, and runs anew for this one.
    case.deploy("server:2").await;
    let second = case.uid("job/smoke");
    assert_ne!(second, first);

    write(case.project.path(), "smoke.yaml", &smoke("fails"));
    let (why, told) = case.hopeless(&case.graph("server:3", vec![])).await;
    assert!(why.contains("Job/smoke"), "{why}");
    assert!(told.evidence().contains("error Command"), "{}", told.evidence());
    assert_eq!(case.image(), "server:3", "it comes after the rollout");
    case.go_back().await;
    assert_eq!(case.image(), "server:2");
    assert_eq!(case.get("job/smoke", ".status.succeeded"), "1");

    // What the server refuses is known before anything is deleted for it; the release isn't good either.
    let wrong = smoke("succeeds").replace("restartPolicy: Never", "restartPolicy: Always");
    write(case.project.path(), "smoke.yaml", &wrong);
    let there = case.uid("job/smoke");
    case.world.refused(&case.graph("server:4", vec![])).await;
    assert_eq!(case.uid("job/smoke"), there);
    case.gone().await;
}

async fn what_is_not_waited_for_is_migrated_all_the_same(site: &Site) {
    let (migrate, smoke) =
        (job("migrate", "before", "succeeds", "m:1"), job("smoke", "after", "succeeds", "s:1"));
    let files = [
        ("server.yaml", SERVER),
        ("migrate.yaml", migrate.as_str()),
        ("smoke.yaml", smoke.as_str()),
    ];
    let case = Case::new(site, "unwaited", &files).await;
    let graph = case.world.graph(case.stack, |_: Platform| {
        App::new()
            .cluster(case.world.cluster())
            .overlay("overlay")
            .namespace(case.stack)
            .wait(false)
    });
    case.world.apply(&graph).await;
    assert_eq!(case.get("job/migrate", ".status.succeeded"), "1");
    assert_eq!(case.image(), "server");
    assert!(!case.uid("job/smoke").is_empty());
    assert_eq!(case.newest().await.status, Status::Deploying);
    case.gone().await;
}
