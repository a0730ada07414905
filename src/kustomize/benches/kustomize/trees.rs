//! The trees that are built: an application as a team has it, and one of any size.

use std::fmt::Write;
use std::fs;
use std::path::Path;

/// One of so many ConfigMaps is used by each of so many Deployments; one of so many Deployments is patched.
const SHARE: usize = 50;
const PATCHED: usize = 10;
/// Images of the Deployments, each with a new tag in the overlay.
const IMAGES: usize = 5;

/// Four bases and an overlay of them; gives the overlay's folder.
pub fn small(folder: &Path) -> String {
    for (number, name) in ["db", "cache", "api", "web"].into_iter().enumerate() {
        write(folder, &format!("{name}/app.yaml"), &app(name, number, &format!("{name}-conf")));
        let kustomization = format!(
            "resources: [app.yaml]\nlabels:\n- pairs: {{component: {name}}}\n{}",
            generator(&format!("{name}-conf"), 3)
        );
        write(folder, &format!("{name}/kustomization.yaml"), &kustomization);
    }
    let patch =
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: api}\nspec: {replicas: 4}\n";
    write(folder, "overlay/api.yaml", patch);
    let overlay = "\
resources: [../db, ../cache, ../api, ../web]
namePrefix: stg-
namespace: staging
images:
- {name: example.com/image1, newTag: '7'}
patches:
- path: api.yaml
- target: {kind: Service, name: web}
  patch: '- {op: replace, path: /spec/ports/0/port, value: 8080}'
secretGenerator:
- {name: token, literals: [token=abc]}
";
    write(folder, "overlay/kustomization.yaml", overlay);
    folder.join("overlay").to_str().unwrap().to_owned()
}

/// A base of so many Deployments and Services, and an overlay that changes them all; gives the overlay's folder.
pub fn large(folder: &Path, count: usize) -> String {
    let configs = (count / SHARE).max(1);
    let mut base = "resources:\n".to_owned();
    let mut patches = "patches:\n".to_owned();
    for number in 0..count {
        let (name, file) = (format!("app-{number:05}"), format!("app-{number:05}.yaml"));
        let conf = format!("conf-{}", number % configs);
        write(folder, &format!("base/{file}"), &app(&name, number, &conf));
        writeln!(base, "- {file}").unwrap();
        if number % PATCHED == 0 {
            write(folder, &format!("overlay/patches/{file}"), &patch(&name));
            writeln!(patches, "- path: patches/{file}").unwrap();
        }
    }
    for number in 0..configs {
        let generator = generator(&format!("conf-{number}"), 8);
        base.push_str(if number == 0 { &generator } else { generator.split_once('\n').unwrap().1 });
    }
    write(folder, "base/kustomization.yaml", &base);
    let images = (0..IMAGES)
        .map(|number| format!("- {{name: example.com/image{number}, newTag: 9.{number}.0}}\n"));
    let overlay = format!(
        "\
resources: [../base]
namePrefix: prod-
namespace: prod
labels:
- pairs: {{env: prod, team: core}}
  includeSelectors: true
commonAnnotations: {{owner: platform}}
images:
{}{patches}- target: {{kind: Deployment, labelSelector: tier=t3}}
  patch: '- {{op: add, path: /spec/template/spec/priorityClassName, value: high}}'
configMapGenerator:
- {{name: conf-0, behavior: merge, literals: [EXTRA=1]}}
",
        images.collect::<String>()
    );
    write(folder, "overlay/kustomization.yaml", &overlay);
    folder.join("overlay").to_str().unwrap().to_owned()
}

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn app(name: &str, number: usize, conf: &str) -> String {
    let (tier, replicas, image, minor) = (number % 7, 1 + number % 3, number % IMAGES, number % 10);
    let (port, cpu, memory) = (8000 + number % 100, 50 + number % 50, 64 + number % 64);
    format!(
        "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  labels:
    tier: t{tier}
spec:
  replicas: {replicas}
  selector:
    matchLabels:
      app: {name}
  template:
    metadata:
      labels:
        app: {name}
    spec:
      containers:
      - name: main
        image: example.com/image{image}:1.{minor}.0
        ports:
        - containerPort: {port}
        envFrom:
        - configMapRef:
            name: {conf}
        env:
        - name: NUMBER
          value: \"{number}\"
        resources:
          requests:
            cpu: {cpu}m
            memory: {memory}Mi
      - name: sidecar
        image: example.com/sidecar:2.0.0
      volumes:
      - name: conf
        configMap:
          name: {conf}
---
apiVersion: v1
kind: Service
metadata:
  name: {name}
spec:
  selector:
    app: {name}
  ports:
  - name: http
    port: 80
    targetPort: {port}
"
    )
}

fn patch(name: &str) -> String {
    format!(
        "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
spec:
  replicas: 5
  template:
    spec:
      containers:
      - name: main
        env:
        - name: PATCHED
          value: \"yes\"
"
    )
}

fn generator(name: &str, literals: usize) -> String {
    let literals: String =
        (0..literals).map(|key| format!("  - KEY_{key}=value-{name}-{key}\n")).collect();
    format!("configMapGenerator:\n- name: {name}\n  literals:\n{literals}")
}
