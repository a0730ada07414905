//! A random tree: bases, components, and an overlay over them.

use crate::kustomizations::Kustomization;
use crate::objects::Object;
use crate::random::Random;
use std::collections::BTreeMap;

/// Files by path.
pub struct Tree {
    files: BTreeMap<String, String>,
}

impl Tree {
    pub fn new(files: BTreeMap<String, String>) -> Self {
        Self { files }
    }

    pub fn random(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut tree = Self { files: BTreeMap::new() };
        let mut objects = Vec::new();
        let mut bases = Vec::new();
        for number in 0..1 + random.below(3) {
            let mut own = Vec::new();
            for _ in 0..1 + random.below(4) {
                let object = Object::random(&mut random);
                // Two of the same name would only be refused, again and again.
                if !objects.contains(&object) && !own.contains(&object) {
                    own.push(object);
                }
            }
            let base = format!("base{number}");
            tree.kustomize(&mut random, &base, &[], &own, &own);
            objects.extend(own);
            bases.push(format!("../{base}"));
        }
        if random.percent(30) {
            let names = bases.clone();
            tree.kustomize(&mut random, "middle", &names, &[], &objects);
            bases = vec!["../middle".to_owned()];
        }
        let mut own = Vec::new();
        if random.percent(50) {
            let object = Object::random(&mut random);
            if !objects.contains(&object) {
                own.push(object);
            }
        }
        objects.extend(own.clone());
        tree.kustomize(&mut random, "overlay", &bases, &own, &objects);
        tree
    }

    pub fn root(&self) -> &'static str {
        "overlay"
    }

    pub fn files(&self) -> impl Iterator<Item = (&String, &String)> {
        self.files.iter()
    }

    /// Writes a kustomization of these bases and objects; `all` are the objects that it can change.
    fn kustomize(
        &mut self,
        random: &mut Random,
        folder: &str,
        bases: &[String],
        own: &[Object],
        all: &[Object],
    ) {
        let mut kustomization = Kustomization::new(folder);
        for base in bases {
            kustomization.resource(base);
        }
        // Several objects in one file, or one file each.
        let together = random.percent(40);
        let mut joined = String::new();
        for (number, object) in own.iter().enumerate() {
            let text = object.yaml(random);
            if together {
                joined.push_str(if number == 0 { "" } else { "---\n" });
                joined.push_str(&text);
            } else {
                let name = format!("{}-{number}.yaml", object.kind().to_lowercase());
                kustomization.resource(&name);
                kustomization.file(&name, &text);
            }
        }
        if together && !joined.is_empty() {
            kustomization.resource("objects.yaml");
            kustomization.file("objects.yaml", &joined);
        }
        kustomization.change(random, all);
        self.files.extend(kustomization.into_files());
    }
}
