//! An API server whose watch expires: what it held of the past is gone (410).

use super::tolerance;
use formwork_kubernetes::{
    Connection, KubeconfigFile,
    rollout::{Target, Verdict, WorkloadKind, follow},
};
use serde_json::{Value as Json, json};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// Longer than the test takes.
const NO_NEWS: Duration = Duration::from_secs(600);

#[tokio::test]
async fn a_watch_that_expires_begins_anew() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let lists = Arc::new(AtomicUsize::new(0));
    let counted = lists.clone();
    let serving = tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(serve(client, counted.clone()));
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kubeconfig");
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": format!("http://{address}")}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": {}}],
    });
    std::fs::write(&path, config.to_string()).unwrap();
    let file = KubeconfigFile { path: path.display().to_string(), context: None };
    let connection = Connection::of_file(file).await.unwrap();
    let targets = [Target::new(WorkloadKind::Deployment, "server", "u", 1)];
    let verdict = follow(&connection, "n", &targets, &tolerance(), &|_| ()).await.unwrap();
    serving.abort();
    assert_eq!(verdict, Verdict::Healthy { notes: vec![] });
    assert_eq!(lists.load(Ordering::SeqCst), 2);
}

async fn serve(mut client: TcpStream, lists: Arc<AtomicUsize>) {
    let mut head = vec![];
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if client.read(&mut byte).await.unwrap_or(0) == 0 {
            return;
        }
        head.extend(byte);
    }
    let head = String::from_utf8(head).unwrap();
    let url = head.split(' ').nth(1).unwrap();
    let (watches, deployments) = (url.contains("watch=true"), url.contains("/deployments"));
    let body = match (watches, deployments) {
        (false, true) => {
            let ready = lists.fetch_add(1, Ordering::SeqCst);
            list(json!([deployment(ready)]))
        }
        (false, false) if url.contains("/replicasets") => list(json!([replica_set()])),
        (false, false) => list(json!([])),
        (true, true) if lists.load(Ordering::SeqCst) == 1 => json!({
            "type": "ERROR",
            "object": {
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                "message": "too old resource version: 1 (2)", "reason": "Expired", "code": 410,
            },
        }),
        (true, _) => {
            let _ = client
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
                .await;
            tokio::time::sleep(NO_NEWS).await;
            return;
        }
    };
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n{body}\n"
    );
    let _ = client.write_all(answer.as_bytes()).await;
}

fn list(items: Json) -> Json {
    json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": items})
}

fn template() -> Json {
    json!({"metadata": {}, "spec": {"containers": [{"name": "main", "readinessProbe": {}}]}})
}

fn deployment(ready: usize) -> Json {
    json!({
        "metadata": {"name": "server", "uid": "u", "generation": 1, "resourceVersion": "1"},
        "spec": {"replicas": 1, "template": template()},
        "status": {
            "observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": ready,
        },
    })
}

fn replica_set() -> Json {
    let owner = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "server", "uid": "u", "controller": true});
    json!({
        "metadata": {"name": "r", "uid": "r", "resourceVersion": "1", "ownerReferences": [owner]},
        "spec": {"template": template()},
    })
}
