//! Where releases come from: filled in by whoever runs the program, where a stack doesn't say.

use crate::app::App;
use formwork_engine::{Expr, Graph, Resource as _};

/// Puts the commit and the author into every App of a graph that doesn't say them itself.
///
/// Both are bound late and are the source of no object: neither a plan nor an approval changes with them.
pub fn stamp(graph: &mut Graph, commit: Option<&str>, author: Option<&str>) {
    for node in graph.nodes.iter_mut().filter(|node| node.kind == App::SCHEMA.kind) {
        for (field, text) in [("commit", commit), ("author", author)] {
            if let Some(text) = text {
                node.fields
                    .entry(field.to_owned())
                    .or_insert_with(|| Expr::Literal(text.to_owned().into()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{Cluster, KubeconfigFile};
    use formwork_engine::Stack;

    #[test]
    fn what_a_stack_says_itself_stays() {
        let app = || {
            App::new()
                .cluster(Cluster::new().kubeconfig(KubeconfigFile::new().path("kubeconfig")))
                .overlay("overlay")
                .namespace("n")
        };
        let mut s = Stack::new("shop");
        s.add("silent", app());
        s.add("said", app().commit("by-the-stack"));
        let mut graph = s.finish().unwrap();
        stamp(&mut graph, Some("1f2e"), None);
        let fields = |name: &str| {
            let node = graph.nodes.iter().find(|node| node.address.name() == name).unwrap();
            (node.fields.get("commit").cloned(), node.fields.get("author").cloned())
        };
        let literal = |text: &str| Some(Expr::Literal(text.into()));
        assert_eq!(fields("silent"), (literal("1f2e"), None));
        assert_eq!(fields("said"), (literal("by-the-stack"), None));
    }
}
