//! Calls to an API server, on objects as plain JSON.

use crate::{
    app::{
        conflict::{self, Conflict},
        immutable,
    },
    cluster::Connection,
};
use formwork_engine::Failure;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use kube::{
    api::{
        ApiResource, DeleteParams, DynamicObject, GetParams, ListParams, LogParams, Patch,
        PatchParams, PostParams, Preconditions, PropagationPolicy,
    },
    core::{GroupVersionKind, Request, Resource as _},
    discovery::Scope,
};
use serde_json::Value as Json;

/// The name under which the API server records which fields are ours.
pub const FIELD_MANAGER: &str = "formwork";
/// Objects per page of a list.
pub const PAGE: u32 = 500;
/// Pages read of one list; more objects of ours than that are refused, not overlooked.
pub const MAX_PAGES: usize = 40;
/// Calls under way at the same time for one App.
pub const PARALLEL_CALLS: usize = 8;

/// A kind that the cluster serves.
#[derive(Clone, Debug)]
pub struct Served {
    pub resource: ApiResource,
    pub namespaced: bool,
}

impl Served {
    /// A namespaced kind that every cluster serves.
    pub fn builtin(group: &str, version: &str, kind: &str) -> Self {
        let kind = GroupVersionKind::gvk(group, version, kind);
        Self { resource: ApiResource::from_gvk(&kind), namespaced: true }
    }

    fn request(&self, namespace: &str) -> Request {
        let namespace = self.namespaced.then_some(namespace);
        Request::new(DynamicObject::url_path(&self.resource, namespace))
    }
}

/// A text at a path of keys, empty where there is none.
pub fn text<'a>(object: &'a Json, path: &[&str]) -> &'a str {
    at(object, path).and_then(Json::as_str).unwrap_or_default()
}

/// What is at a path of keys.
pub fn at<'a>(object: &'a Json, path: &[&str]) -> Option<&'a Json> {
    path.iter().try_fold(object, |value, key| value.get(*key))
}

/// The object's name.
pub fn name(object: &Json) -> &str {
    text(object, &["metadata", "name"])
}

/// Kind and name, for messages.
pub fn title(object: &Json) -> String {
    format!("{} {}", text(object, &["kind"]), name(object))
}

impl Connection {
    /// The kind of an object, `None` where the cluster doesn't serve it.
    pub(crate) async fn served(
        &self,
        api_version: &str,
        kind: &str,
    ) -> Result<Option<Served>, Failure> {
        let kinds = self.kinds().await?;
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let exact = kinds.resolve_gvk(&GroupVersionKind::gvk(group, version, kind));
        // What was applied under a version that is gone is still served under another one.
        let found = exact.or_else(|| kinds.get(group)?.recommended_kind(kind));
        Ok(found.map(|(resource, capabilities)| Served {
            resource,
            namespaced: capabilities.scope == Scope::Namespaced,
        }))
    }

    /// Every object of a kind that the labels select.
    pub(crate) async fn list(
        &self,
        kind: &Served,
        namespace: &str,
        labels: &str,
    ) -> Result<Vec<Json>, Failure> {
        self.pages(kind, namespace, labels, false).await
    }

    /// The metadata of every object of a kind that the labels select.
    pub(crate) async fn list_metadata(
        &self,
        kind: &Served,
        namespace: &str,
        labels: &str,
    ) -> Result<Vec<Json>, Failure> {
        self.pages(kind, namespace, labels, true).await
    }

    async fn pages(
        &self,
        kind: &Served,
        namespace: &str,
        labels: &str,
        metadata_only: bool,
    ) -> Result<Vec<Json>, Failure> {
        let doing = format!("listing {}", kind.resource.plural);
        let mut params = ListParams::default().labels(labels).limit(PAGE);
        let mut items = vec![];
        for _ in 0..MAX_PAGES {
            let request = match metadata_only {
                true => kind.request(namespace).list_metadata(&params),
                false => kind.request(namespace).list(&params),
            };
            let request = request.map_err(|error| self.unbuilt(&doing, error))?;
            let answer = self.client().await?.request(request).await;
            let mut page: Json = match answer {
                Ok(page) => page,
                // The kind was served a moment ago: its definition is gone, and its objects with it.
                Err(kube::Error::Api(status)) if status.code == 404 => {
                    self.forget_kinds().await;
                    return Ok(vec![]);
                }
                Err(error) => return Err(self.failure(&doing, error)),
            };
            let next = text(&page, &["metadata", "continue"]).to_owned();
            if let Some(Json::Array(found)) = page.get_mut("items").map(Json::take) {
                items.extend(found.into_iter().map(|item| identified(kind, item)));
            }
            if next.is_empty() {
                return Ok(items);
            }
            params.continue_token = Some(next);
        }
        let most = MAX_PAGES * PAGE as usize;
        Err(Failure::service(format!("{doing} in {}: more than {most}", self.label)))
    }

    /// The metadata of one object, `None` where it isn't there. Never its content.
    pub(crate) async fn metadata(
        &self,
        kind: &Served,
        namespace: &str,
        name: &str,
    ) -> Result<Option<Json>, Failure> {
        let doing = format!("reading {} {name}", kind.resource.kind);
        let request = kind.request(namespace).get_metadata(name, &GetParams::default());
        let request = request.map_err(|error| self.unbuilt(&doing, error))?;
        let answer = self.client().await?.request(request).await;
        self.found(kind, &doing, answer)
    }

    /// One object, `None` where it isn't there.
    pub(crate) async fn get(
        &self,
        kind: &Served,
        namespace: &str,
        name: &str,
    ) -> Result<Option<Json>, Failure> {
        let doing = format!("reading {} {name}", kind.resource.kind);
        let request = kind.request(namespace).get(name, &GetParams::default());
        let request = request.map_err(|error| self.unbuilt(&doing, error))?;
        let answer = self.client().await?.request(request).await;
        self.found(kind, &doing, answer)
    }

    /// Server-side apply: the object's fields become ours, whoever had them before.
    pub(crate) async fn apply(
        &self,
        kind: &Served,
        namespace: &str,
        object: &Json,
    ) -> Result<Json, Failure> {
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let answer = self.applied(kind, namespace, object, params).await?;
        answer.map_err(|error| self.not_applied("applying", namespace, object, error))
    }

    /// Server-side apply that takes no field from others: a conflict is a failure, busy.
    pub(crate) async fn apply_gently(
        &self,
        kind: &Served,
        namespace: &str,
        object: &Json,
    ) -> Result<Json, Failure> {
        let params = PatchParams::apply(FIELD_MANAGER);
        let answer = self.applied(kind, namespace, object, params).await?;
        answer.map_err(|error| self.not_applied("applying", namespace, object, error))
    }

    /// What the server would say to an apply, with nothing changed; without force, also which fields others have.
    pub(crate) async fn try_out(
        &self,
        kind: &Served,
        namespace: &str,
        object: &Json,
        force: bool,
    ) -> Result<Vec<Conflict>, Failure> {
        let params = PatchParams { force, ..PatchParams::apply(FIELD_MANAGER).dry_run() };
        match self.applied(kind, namespace, object, params).await? {
            Ok(_) => Ok(vec![]),
            Err(kube::Error::Api(status)) if !conflict::read(&status).is_empty() => {
                Ok(conflict::read(&status))
            }
            // A webhook that can't be asked without effect: the apply will tell.
            Err(kube::Error::Api(status)) if status.message.contains("not support dry run") => {
                Ok(vec![])
            }
            Err(error) => Err(self.not_applied("trying out", namespace, object, error)),
        }
    }

    async fn applied(
        &self,
        kind: &Served,
        namespace: &str,
        object: &Json,
        params: PatchParams,
    ) -> Result<Result<Json, kube::Error>, Failure> {
        let params = params.validation_strict();
        let request = kind.request(namespace).patch(name(object), &params, &Patch::Apply(object));
        let request =
            request.map_err(|error| self.unbuilt(&format!("applying {}", title(object)), error))?;
        Ok(self.client().await?.request(request).await)
    }

    fn not_applied(
        &self,
        doing: &str,
        namespace: &str,
        object: &Json,
        error: kube::Error,
    ) -> Failure {
        let fixed = matches!(&error, kube::Error::Api(status) if immutable::is_refusal(status));
        let failure = self.failure(format!("{doing} {}", title(object)), error);
        match fixed {
            true => failure.hint(immutable::next_step(object, namespace)),
            false => failure,
        }
    }

    /// Creates an object; taken where one of its name is there.
    pub(crate) async fn create(
        &self,
        kind: &Served,
        namespace: &str,
        object: &Json,
    ) -> Result<Json, Failure> {
        let doing = format!("creating {}", title(object));
        let request = kind.request(namespace).create(&posted(), object.to_string().into_bytes());
        let request = request.map_err(|error| self.unbuilt(&doing, error))?;
        let answer = self.client().await?.request(request).await;
        answer.map_err(|error| self.failure(&doing, error))
    }

    /// Writes an object over the very one that was read; busy where it changed since.
    pub(crate) async fn replace(
        &self,
        kind: &Served,
        namespace: &str,
        object: &Json,
    ) -> Result<Json, Failure> {
        let doing = format!("writing {}", title(object));
        let content = object.to_string().into_bytes();
        let request = kind.request(namespace).replace(name(object), &posted(), content);
        let request = request.map_err(|error| self.unbuilt(&doing, error))?;
        let answer = self.client().await?.request(request).await;
        answer.map_err(|error| self.failure(&doing, error))
    }

    /// Merges a patch into an object (RFC 7396); `None` where it isn't there.
    pub(crate) async fn patch(
        &self,
        kind: &Served,
        namespace: &str,
        name: &str,
        patch: &Json,
    ) -> Result<Option<Json>, Failure> {
        let doing = format!("changing {} {name}", kind.resource.kind);
        let params =
            PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let request = kind.request(namespace).patch(name, &params, &Patch::Merge(patch));
        let request = request.map_err(|error| self.unbuilt(&doing, error))?;
        let answer = self.client().await?.request(request).await;
        self.found(kind, &doing, answer)
    }

    /// Asks for an object's deletion; `None` where it is gone.
    ///
    /// Workloads stay until their pods are gone. Elsewhere that would wait for the garbage collector,
    /// which takes half a minute to notice a custom kind.
    pub(crate) async fn delete(
        &self,
        kind: &Served,
        namespace: &str,
        object: &Json,
    ) -> Result<Option<Json>, Failure> {
        let dependents = match kind.resource.group.as_str() {
            "apps" | "batch" => PropagationPolicy::Foreground,
            _ => PropagationPolicy::Background,
        };
        self.delete_with(kind, namespace, object, dependents).await
    }

    /// Asks for an object's deletion, and says what becomes of its dependents; `None` where it is gone.
    ///
    /// The uid makes sure that nobody's new object of the same name is hit.
    pub(crate) async fn delete_with(
        &self,
        kind: &Served,
        namespace: &str,
        object: &Json,
        dependents: PropagationPolicy,
    ) -> Result<Option<Json>, Failure> {
        let doing = format!("deleting {}", title(object));
        let uid = Some(text(object, &["metadata", "uid"]).to_owned());
        let params =
            DeleteParams { propagation_policy: Some(dependents), ..DeleteParams::default() };
        let params = params.preconditions(Preconditions { uid, resource_version: None });
        let request = kind.request(namespace).delete(name(object), &params);
        let request = request.map_err(|error| self.unbuilt(&doing, error))?;
        let answer = self.client().await?.request(request).await;
        self.found(kind, &doing, answer)
    }

    /// The first page of a list: for what is only shown, and shown in part.
    pub(crate) async fn first_page(
        &self,
        kind: &Served,
        namespace: &str,
        fields: &str,
    ) -> Result<Vec<Json>, Failure> {
        let doing = format!("listing {} with {fields}", kind.resource.plural);
        let params = ListParams::default().fields(fields).limit(PAGE);
        let request = kind.request(namespace).list(&params);
        let request = request.map_err(|error| self.unbuilt(&doing, error))?;
        let answer = self.client().await?.request(request).await;
        let mut page: Json = answer.map_err(|error| self.failure(&doing, error))?;
        match page.get_mut("items").map(Json::take) {
            Some(Json::Array(items)) => {
                Ok(items.into_iter().map(|item| identified(kind, item)).collect())
            }
            _ => Ok(vec![]),
        }
    }

    /// A container's log.
    pub(crate) async fn log(
        &self,
        kind: &Served,
        namespace: &str,
        pod: &str,
        params: &LogParams,
    ) -> Result<String, Failure> {
        let of = if params.previous { "previous log" } else { "log" };
        let container = params.container.as_deref().unwrap_or_default();
        let doing = format!("reading the {of} of container {container} in pod {pod}");
        let request = kind.request(namespace).logs(pod, params);
        let request = request.map_err(|error| self.unbuilt(&doing, error))?;
        let answer = self.client().await?.request_text(request).await;
        answer.map_err(|error| self.failure(&doing, error))
    }

    fn found(
        &self,
        kind: &Served,
        doing: &str,
        answer: Result<Json, kube::Error>,
    ) -> Result<Option<Json>, Failure> {
        match answer {
            Ok(object) => Ok(Some(identified(kind, object))),
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(None),
            Err(error) => Err(self.failure(doing, error)),
        }
    }

    fn unbuilt(&self, doing: &str, error: kube::core::request::Error) -> Failure {
        self.failure(doing, kube::Error::BuildRequest(error))
    }
}

fn posted() -> PostParams {
    PostParams { dry_run: false, field_manager: Some(FIELD_MANAGER.to_owned()) }
}

/// Items of a list and metadata answers don't say what they are.
fn identified(kind: &Served, mut object: Json) -> Json {
    if let Json::Object(map) = &mut object {
        map.insert("apiVersion".into(), kind.resource.api_version.clone().into());
        map.insert("kind".into(), kind.resource.kind.clone().into());
    }
    object
}

/// Runs calls side by side, a few at a time; the first failure ends it.
///
/// A list and no iterator: the compiler can't see that a closure held over an await is `Send`.
pub async fn side_by_side<T, F>(calls: Vec<F>) -> Result<Vec<T>, Failure>
where
    F: Future<Output = Result<T, Failure>>,
{
    stream::iter(calls).buffer_unordered(PARALLEL_CALLS).try_collect().await
}
