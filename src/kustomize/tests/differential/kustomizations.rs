//! Random kustomization files: every field, alone and together.

use crate::objects::{Object, value};
use crate::random::Random;
use std::fmt::Write as _;

/// A kustomization in the making.
pub struct Kustomization {
    folder: String,
    resources: Vec<String>,
    text: String,
    files: Vec<(String, String)>,
}

impl Kustomization {
    pub fn new(folder: &str) -> Self {
        Self {
            folder: folder.to_owned(),
            resources: Vec::new(),
            text: String::new(),
            files: Vec::new(),
        }
    }

    pub fn resource(&mut self, path: &str) {
        self.resources.push(path.to_owned());
    }

    pub fn file(&mut self, name: &str, text: &str) {
        self.files.push((format!("{}/{name}", self.folder), text.to_owned()));
    }

    pub fn into_files(mut self) -> Vec<(String, String)> {
        let mut text = String::new();
        if !self.resources.is_empty() {
            text.push_str("resources:\n");
            for resource in &self.resources {
                let _ = writeln!(text, "- {resource}");
            }
        }
        text.push_str(&self.text);
        self.files.push((format!("{}/kustomization.yaml", self.folder), text));
        self.files
    }

    /// Adds changes to some of these objects.
    pub fn change(&mut self, random: &mut Random, objects: &[Object]) {
        type Change = fn(&mut Kustomization, &mut Random, &[Object]);
        let changes: [(usize, Change); 13] = [
            (35, Self::names),
            (30, Self::namespace),
            (35, Self::labels),
            (20, Self::annotations),
            (30, Self::images),
            (25, Self::replicas),
            (45, Self::generators),
            (35, Self::merges),
            (35, Self::json_patches),
            (30, Self::replacements),
            (10, Self::variables),
            (15, Self::component),
            (15, Self::settings),
        ];
        for (share, change) in changes {
            if !objects.is_empty() && random.percent(share) {
                change(self, random, objects);
            }
        }
    }

    fn names(&mut self, random: &mut Random, _: &[Object]) {
        if random.percent(70) {
            let _ = writeln!(self.text, "namePrefix: {}", random.pick(&["a-", "demo-", "\"1-\""]));
        }
        if random.percent(40) {
            let _ = writeln!(self.text, "nameSuffix: {}", random.pick(&["-b", "-v2"]));
        }
    }

    fn namespace(&mut self, random: &mut Random, _: &[Object]) {
        let _ = writeln!(self.text, "namespace: {}", random.pick(&["shop", "stage", "other"]));
    }

    fn labels(&mut self, random: &mut Random, _: &[Object]) {
        if random.percent(30) {
            self.text.push_str("commonLabels: {team: blue, release: \"7\"}\n");
            return;
        }
        let key = if random.percent(5) { "yes" } else { "\"yes\"" };
        let _ = writeln!(self.text, "labels:\n- pairs: {{team: green, {key}: \"y\"}}");
        if random.percent(40) {
            self.text.push_str("  includeSelectors: true\n");
        } else if random.percent(50) {
            self.text.push_str("  includeTemplates: true\n");
        }
        if random.percent(20) {
            self.text.push_str("  fields: [{path: spec/labels, kind: Widget, create: true}]\n");
        }
    }

    fn annotations(&mut self, random: &mut Random, _: &[Object]) {
        let text = random.pick(&["\"true\"", "plain", "'a: b'", "\"1\""]);
        let _ = writeln!(self.text, "commonAnnotations:\n  example.org/by: {text}");
    }

    fn images(&mut self, random: &mut Random, _: &[Object]) {
        self.text.push_str("images:\n");
        for _ in 0..1 + random.below(2) {
            let name = random.pick(&[
                "nginx",
                "registry.example:5000/shop/web",
                "shop/api",
                "redis",
                "none",
            ]);
            let _ = writeln!(self.text, "- name: {name}");
            if random.percent(40) {
                let _ = writeln!(
                    self.text,
                    "  newName: {}",
                    random.pick(&["mirror.example/x", "other"])
                );
            }
            match random.below(4) {
                0 => self.text.push_str("  newTag: \"2.0\"\n"),
                1 => self.text.push_str("  digest: sha256:feed\n"),
                2 => self.text.push_str("  tagSuffix: -slim\n"),
                _ => {}
            }
        }
    }

    fn replicas(&mut self, random: &mut Random, objects: &[Object]) {
        let scaled: Vec<&Object> = objects
            .iter()
            .filter(|object| matches!(object.kind(), "Deployment" | "StatefulSet"))
            .collect();
        if let Some(object) = scaled.get(random.below(scaled.len().max(1))) {
            let _ = writeln!(
                self.text,
                "replicas:\n- {{name: {}, count: {}}}",
                object.name(),
                random.below(9)
            );
        }
    }

    fn generators(&mut self, random: &mut Random, _: &[Object]) {
        // The same name all the way up, so that merging finds something.
        let behavior = match self.folder.as_str() {
            "overlay" | "middle" => random.pick(&["merge", "replace", "create"]),
            _ => "create",
        };
        let name = match behavior {
            "create" if self.folder != "base0" => format!("settings-{}", self.folder),
            _ => "settings".to_owned(),
        };
        let kind = if random.percent(70) { "configMapGenerator" } else { "secretGenerator" };
        let _ = writeln!(self.text, "{kind}:\n- name: {name}\n  behavior: {behavior}\n  literals:");
        for key in 0..1 + random.below(3) {
            let text = random.pick(&["x", "'quoted'", "\"1\"", "a=b", "yes", "", "snow ☃"]);
            let _ = writeln!(self.text, "  - 'K{key}={}'", text.replace('\'', "''"));
        }
        if random.percent(40) {
            self.text.push_str("  files: [app.conf, renamed=app.conf]\n");
            let content = random.pick(&[
                "one\n",
                "one\ntwo",
                "",
                "tab\there\n",
                "ends with space \nx\n",
                "# c\r\nx\r\n",
            ]);
            self.file("app.conf", content);
        }
        if random.percent(30) {
            self.text.push_str("  envs: [app.env]\n");
            self.file("app.env", "# comment\nE1=one\n\nE2= two \nE3='x'\nE4\n");
        }
        if random.percent(30) {
            self.text.push_str("  options: {disableNameSuffixHash: true, labels: {made: here}}\n");
        }
        if random.percent(20) {
            self.text
                .push_str("generatorOptions:\n  immutable: true\n  annotations: {by: options}\n");
        }
    }

    fn merges(&mut self, random: &mut Random, objects: &[Object]) {
        let object = &objects[random.below(objects.len())];
        let mut patch = object.head();
        if random.percent(40) {
            let _ = write!(
                patch,
                "  labels:\n    patched: {}\n    app: {}\n",
                random.pick(&["\"yes\"", "v", "null"]),
                object.name()
            );
        }
        match object.pods() {
            Some(way) => {
                let mut indent = String::new();
                for part in way.split('/') {
                    let _ = writeln!(patch, "{indent}{part}:");
                    indent.push_str("  ");
                }
                let _ = writeln!(patch, "{indent}containers:");
                let _ = writeln!(patch, "{indent}- name: {}", random.pick(&["main", "side", "new"]));
                match random.below(5) {
                    0 => {
                        let _ = writeln!(patch, "{indent}  $patch: delete");
                    }
                    1 => {
                        let _ = writeln!(patch, "{indent}  env:\n{indent}  - {{name: A, value: {}}}\n{indent}  - {{name: Z, value: z}}", random.pick(&["a", "\"1\"", "null"]));
                    }
                    2 => {
                        let _ = writeln!(patch, "{indent}  ports:\n{indent}  - containerPort: 80\n{indent}    protocol: TCP\n{indent}    name: new");
                    }
                    3 => {
                        let _ = writeln!(patch, "{indent}  args: null\n{indent}  env:\n{indent}  - $patch: replace\n{indent}  - {{name: ONLY, value: x}}");
                    }
                    _ => {
                        let _ = writeln!(patch, "{indent}  image: patched:1\n{indent}  command: [a, \"b c\"]");
                    }
                }
            }
            None => match object.kind() {
                "ConfigMap" | "Secret" => {
                    let _ = writeln!(patch, "data:\n  KEY_0: {}\n  MORE: {}", random.pick(&["null", "changed"]), value(random, "  "));
                }
                "Service" => patch.push_str("spec:\n  ports:\n  - {port: 80, targetPort: 9090}\n  - {port: 53, protocol: UDP}\n"),
                "Widget" => patch.push_str("spec:\n  size: null\n  parts:\n  - {name: a, value: other}\n"),
                "Namespace" => {}
                _ => patch.push_str("spec:\n  patched: true\n"),
            },
        }
        if random.percent(50) {
            self.file("merge.yaml", &patch);
            self.text.push_str("patches:\n- path: merge.yaml\n");
        } else {
            let field = random.pick(&["patches", "patchesStrategicMerge"]);
            let start = if field == "patches" { "- patch: |-" } else { "- |-" };
            let _ = writeln!(self.text, "{field}:\n{start}");
            for line in patch.lines() {
                let _ = writeln!(self.text, "    {line}");
            }
            if field == "patches" && random.percent(30) {
                let _ = writeln!(
                    self.text,
                    "  target: {{kind: {}, name: \"{}\"}}",
                    object.kind(),
                    random.pick(&[".*", object.name(), "w.*|a.*"])
                );
            }
        }
    }

    fn json_patches(&mut self, random: &mut Random, objects: &[Object]) {
        // One list of patches in a file.
        if self.text.contains("patches:\n") {
            return;
        }
        let object = &objects[random.below(objects.len())];
        let operations = match random.below(5) {
            0 => "- {op: add, path: /metadata/labels, value: {only: \"this\", m: \"1\"}}\n".to_owned(),
            1 => "- op: add\n  path: /metadata/annotations\n  value: {a~b: x, c/d: \"y\"}\n- op: copy\n  from: /metadata/name\n  path: /metadata/annotations/copied\n".to_owned(),
            2 => "- op: replace\n  path: /metadata/name\n  value: renamed\n".to_owned(),
            3 => match object.pods() {
                Some(way) => format!("- op: add\n  path: /{way}/containers/-\n  value: {{name: added, image: \"x:1\", env: []}}\n- op: remove\n  path: /{way}/containers/0\n"),
                None => format!("- op: test\n  path: /kind\n  value: {}\n", object.kind()),
            },
            _ => format!("- op: add\n  path: /spec\n  value:\n    replaced: {}\n", random.pick(&["1", "1.5", "\"yes\"", "null", "[1, a, null]", "1e3"])),
        };
        let target = match random.below(4) {
            0 => format!("kind: {}", object.kind()),
            1 => format!("name: {}", object.name()),
            2 => format!("labelSelector: app={}", object.name()),
            _ => format!("kind: {}\n    name: {}", object.kind(), object.name()),
        };
        let _ = writeln!(self.text, "patches:\n- target:\n    {target}\n  patch: |-");
        for line in operations.lines() {
            let _ = writeln!(self.text, "    {line}");
        }
    }

    fn replacements(&mut self, random: &mut Random, objects: &[Object]) {
        let (source, target) =
            (&objects[random.below(objects.len())], &objects[random.below(objects.len())]);
        let field = random.pick(&[
            "metadata.name",
            "metadata.name",
            "kind",
            "apiVersion",
            "metadata.labels.app",
        ]);
        let _ = writeln!(
            self.text,
            "replacements:\n- source:\n    kind: {}\n    name: {}\n    fieldPath: {field}",
            source.kind(),
            source.name()
        );
        if random.percent(20) {
            self.text.push_str("    options: {delimiter: \"/\", index: 0}\n");
        }
        let _ = writeln!(self.text, "  targets:\n  - select: {{kind: {}}}", target.kind());
        if random.percent(20) {
            let _ = writeln!(self.text, "    reject: [{{name: {}}}]", random.pick(&["web", "api"]));
        }
        let path = match target.pods() {
            Some(way) if random.percent(50) => format!(
                "{}.containers.{}.image",
                way.replace('/', "."),
                random.pick(&["0", "[name=main]", "*"])
            ),
            _ => random
                .pick(&[
                    "metadata.annotations.copied",
                    "metadata.labels.[example.org/x]",
                    "spec.host",
                ])
                .to_owned(),
        };
        let _ = writeln!(self.text, "    fieldPaths: [\"{path}\"]");
        match random.below(6) {
            0..4 => self.text.push_str("    options: {create: true}\n"),
            4 => self.text.push_str("    options: {create: true, delimiter: \":\", index: 1}\n"),
            _ => {}
        }
    }

    fn variables(&mut self, random: &mut Random, objects: &[Object]) {
        let object = &objects[random.below(objects.len())];
        let _ = writeln!(
            self.text,
            "vars:\n- name: HOST{}\n  objref: {{apiVersion: {}, kind: {}, name: {}}}",
            if self.folder == "overlay" { "" } else { &self.folder },
            object.api_version(),
            object.kind(),
            object.name()
        );
    }

    fn component(&mut self, random: &mut Random, _: &[Object]) {
        self.text.push_str("components: [part]\n");
        let change = random.pick(&[
            "namePrefix: part-\n",
            "labels: [{pairs: {part: \"1\"}, includeTemplates: true}]\n",
            "configMapGenerator: [{name: part, literals: [A=b]}]\n",
            "patches:\n- target: {kind: Service}\n  patch: '[{\"op\": \"add\", \"path\": \"/spec/type\", \"value\": \"NodePort\"}]'\n",
        ]);
        let text =
            format!("apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n{change}");
        self.file("part/kustomization.yaml", &text);
    }

    fn settings(&mut self, random: &mut Random, _: &[Object]) {
        self.text.push_str(random.pick(&[
            "sortOptions: {order: fifo}\n",
            "sortOptions:\n  order: legacy\n  legacySortOptions: {orderFirst: [Service, Deployment], orderLast: [ConfigMap]}\n",
            "buildMetadata: [originAnnotations]\n",
            "buildMetadata: [transformerAnnotations, managedByLabel]\n",
            "transformers:\n- |-\n  apiVersion: builtin\n  kind: PrefixTransformer\n  metadata: {name: p}\n  prefix: t-\n  fieldSpecs: [{path: metadata/name}]\n",
            "transformers:\n- |-\n  apiVersion: builtin\n  kind: NamespaceTransformer\n  metadata: {name: n, namespace: from-transformer}\n  setRoleBindingSubjects: allServiceAccounts\n  unsetOnly: true\n  fieldSpecs: [{path: metadata/namespace, create: true}]\n",
        ]));
    }
}
