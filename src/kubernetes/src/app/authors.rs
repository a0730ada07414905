//! Who changed what of an App: the API server records a manager, and a time, for every field.
//!
//! <https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management>

use super::observe;
use crate::{
    api::{FIELD_MANAGER, at, text},
    cluster::Connection,
};
use formwork_engine::{Author, Failure, Subject};
use serde_json::Value as Json;

/// The managers, other than us, of the fields at these paths of an App's objects.
pub async fn authors(
    cluster: &Connection,
    subject: &Subject,
    paths: &[String],
) -> Result<Vec<(String, Author)>, Failure> {
    let objects = observe::objects(cluster, subject).await?;
    let of_path = |path: &String| {
        let found = place(path).and_then(|(key, keys)| Some((objects.get(&key)?, keys)));
        let authors = found.map(|(object, keys)| managers(object, &keys)).unwrap_or_default();
        authors.into_iter().map(|author| (path.clone(), author)).collect::<Vec<_>>()
    };
    Ok(paths.iter().flat_map(of_path).collect())
}

/// The object's key in a path, and the keys of fields below it, up to the first element of a list:
/// `objects["Deployment/shop/server"].spec.replicas`.
fn place(path: &str) -> Option<(String, Vec<String>)> {
    let mut rest = path.strip_prefix("objects")?;
    let mut keys = vec![];
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(['.', '[']).unwrap_or(after.len());
            keys.push(after[..end].to_owned());
            rest = &after[end..];
        } else if let Some(after) = rest.strip_prefix('[').filter(|after| after.starts_with('"')) {
            let mut texts = serde_json::Deserializer::from_str(after).into_iter::<String>();
            keys.push(texts.next()?.ok()?);
            rest = after[texts.byte_offset()..].strip_prefix(']')?;
        } else {
            break;
        }
    }
    let mut keys = keys.into_iter();
    Some((keys.next()?, keys.collect()))
}

/// The managers other than us that hold the field at these keys, or anything below it.
fn managers(object: &Json, keys: &[String]) -> Vec<Author> {
    let entries = at(object, &["metadata", "managedFields"]).and_then(Json::as_array);
    let others = entries.into_iter().flatten().filter(|entry| {
        let ours = text(entry, &["manager"]) == FIELD_MANAGER;
        let fields = entry.get("fieldsV1").unwrap_or(&Json::Null);
        let held = keys.iter().try_fold(fields, |fields, key| fields.get(format!("f:{key}")));
        !ours && held.is_some()
    });
    let author = |entry: &Json| {
        let part = match text(entry, &["subresource"]) {
            "" => String::new(),
            part => format!(" ({part})"),
        };
        Author {
            who: format!("{}{part}", text(entry, &["manager"])),
            when: entry.get("time").and_then(Json::as_str).map(str::to_owned),
        }
    };
    others.map(author).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_path_names_an_object_and_a_field_of_it() {
        let check = |path: &str, key: &str, keys: &[&str]| {
            let keys = keys.iter().map(|key| (*key).to_owned()).collect();
            assert_eq!(place(path), Some((key.to_owned(), keys)), "{path}");
        };
        check(
            r#"objects["Deployment/n/a"].spec.replicas"#,
            "Deployment/n/a",
            &["spec", "replicas"],
        );
        check(
            r#"objects["Deployment/n/a"].metadata.labels["x.io/y"]"#,
            "Deployment/n/a",
            &["metadata", "labels", "x.io/y"],
        );
        check(r#"objects["Service/n/a"].spec.ports[0].port"#, "Service/n/a", &["spec", "ports"]);
        check(r#"objects["Service/n/a"]"#, "Service/n/a", &[]);
        assert_eq!(place("namespace"), None);
    }

    #[test]
    fn whoever_holds_the_field_and_is_not_us_could_have_changed_it() {
        let object = json!({"metadata": {"managedFields": [
            {"manager": FIELD_MANAGER, "operation": "Apply", "time": "2026-01-01T00:00:00Z",
             "fieldsV1": {"f:spec": {"f:template": {}}}},
            {"manager": "kubectl-scale", "operation": "Update", "subresource": "scale",
             "time": "2026-01-02T00:00:00Z", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
            {"manager": "controller", "operation": "Update", "fieldsV1": {"f:status": {}}},
        ]}});
        let held = |keys: &[&str]| {
            let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
            managers(&object, &keys)
        };
        let scale = Author {
            who: "kubectl-scale (scale)".to_owned(),
            when: Some("2026-01-02T00:00:00Z".to_owned()),
        };
        assert_eq!(held(&["spec", "replicas"]), [scale]);
        assert_eq!(held(&["spec", "template"]), []);
        assert_eq!(held(&[]).len(), 2);
    }
}
