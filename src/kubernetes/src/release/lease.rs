//! One deploy at a time: a Lease beside the App's objects.
//!
//! Its holder writes it again and again. Whoever finds one that isn't written any more for as long as it lasts
//! takes it over; as in client-go that is measured by the finder's own clock, from the first time that it saw what
//! is written there, so that no clock of another machine is trusted.
//! <https://kubernetes.io/docs/concepts/architecture/leases/>

use crate::{
    api::{Served, text},
    app::{
        marks::{self, Gvk},
        observe::{self, core},
    },
    cluster::Connection,
};
use formwork_engine::{Address, Failure, FailureKind, Subject};
use serde_json::{Value as Json, json};
use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};
use time::{OffsetDateTime, macros::format_description};

/// How long a lease lasts after its holder's last sign.
pub const LASTS: Duration = Duration::from_secs(15);
/// Signs that a holder gives in that time.
pub const RENEWALS: u32 = 3;
/// How often letting go is tried against a sign of our own that was under way; what is left of it then ends.
const RELEASE_TRIES: usize = 3;

/// Who holds a lease: in messages, and told apart from everybody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder(String);

impl Holder {
    /// A holder by a name that no other run has, such as `ann@laptop 01990b1e`.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// This run of the program: user, host, and a number of its own.
    pub fn this_run() -> &'static Self {
        static THIS: OnceLock<Holder> = OnceLock::new();
        THIS.get_or_init(|| {
            let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
            let user = variable("USER").or_else(|| variable("LOGNAME"));
            let host = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
            Self(format!(
                "{}@{} {}",
                user.unwrap_or_else(|| "somebody".into()),
                host.unwrap_or_else(|| "somewhere".into()),
                uuid::Uuid::now_v7()
            ))
        })
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Since when a connection has seen leases as they are.
#[derive(Default)]
pub(crate) struct Sightings(Mutex<HashMap<(String, String), (String, Instant)>>);

impl Sightings {
    /// How long a lease is known not to have moved.
    fn unmoved(&self, namespace: &str, lease: &Json, now: Instant) -> Duration {
        let version = text(lease, &["metadata", "resourceVersion"]);
        let key = (namespace.to_owned(), crate::api::name(lease).to_owned());
        // A panic between two lines that can't: whatever is in there is whole.
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = seen.entry(key).or_insert_with(|| (version.to_owned(), now));
        if entry.0 != version {
            *entry = (version.to_owned(), now);
        }
        now.saturating_duration_since(entry.1)
    }
}

/// The right to deploy an App, for as long as it is renewed.
#[must_use = "a lease that nobody renews ends"]
pub struct Lease<'a> {
    cluster: &'a Connection,
    kind: Served,
    namespace: String,
    name: String,
    address: Address,
    holder: Holder,
    /// An outer one of the same holder lets go.
    nested: bool,
}

impl<'a> Lease<'a> {
    /// Takes the App's lease, or fails as busy with the holder's name and since when: try again, and one that
    /// isn't renewed any more is taken over. A holder may take it again while it has it.
    pub async fn acquire(
        cluster: &'a Connection,
        subject: &Subject,
        holder: &Holder,
    ) -> Result<Lease<'a>, Failure> {
        let owner = &subject.owner;
        let mut lease = Self {
            cluster,
            kind: core(cluster, &Gvk::lease()).await?,
            namespace: observe::namespace(subject)?.to_owned(),
            name: marks::record_name(owner.address),
            address: owner.address,
            holder: holder.clone(),
            nested: false,
        };
        let Some(mut there) = lease.get().await? else {
            let mut object = json!({
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": {"name": lease.name, "namespace": lease.namespace},
            });
            marks::mark_kept(&mut object, owner, marks::LEASE);
            lease.write_down(&mut object);
            let created = cluster.create(&lease.kind, &lease.namespace, &object).await;
            return match created {
                Ok(_) => Ok(lease),
                Err(failure) if failure.kind == FailureKind::Taken => Err(Failure::busy(format!(
                    "another deploy of `{}` began just now",
                    owner.address
                ))),
                Err(failure) => Err(failure),
            };
        };
        if !marks::is_ours(&there, owner) {
            return Err(marks::taken(&there));
        }
        match text(&there, &["spec", "holderIdentity"]) {
            "" => {}
            present if present == holder.0 => lease.nested = true,
            _ => lease.refuse_live(&there)?,
        }
        if !lease.nested {
            lease.write_down(&mut there);
        }
        lease.renewed(&mut there);
        cluster.replace(&lease.kind, &lease.namespace, &there).await?;
        Ok(lease)
    }

    async fn get(&self) -> Result<Option<Json>, Failure> {
        self.cluster.get(&self.kind, &self.namespace, &self.name).await
    }

    /// Puts the holder into a lease that is free or at its end.
    fn write_down(&self, object: &mut Json) {
        let changes = object["spec"]["leaseTransitions"].as_i64().map_or(0, |count| count + 1);
        object["spec"] = json!({
            "holderIdentity": self.holder.0,
            "leaseDurationSeconds": LASTS.as_secs(),
            "acquireTime": now(),
            "renewTime": now(),
            "leaseTransitions": changes,
        });
    }

    fn renewed(&self, object: &mut Json) {
        object["spec"]["renewTime"] = now().into();
    }

    fn refuse_live(&self, there: &Json) -> Result<(), Failure> {
        let seconds = there["spec"]["leaseDurationSeconds"].as_u64();
        let lasts = seconds.map_or(LASTS, Duration::from_secs);
        let unmoved = self.cluster.leases.unmoved(&self.namespace, there, Instant::now());
        if unmoved >= lasts {
            return Ok(());
        }
        let spec = |key| text(there, &["spec", key]);
        Err(Failure::busy(format!(
            "`{}` is being deployed by {} since {}",
            self.address,
            spec("holderIdentity"),
            spec("acquireTime")
        ))
        .hint(format!(
            "wait until that is through; if it is dead, it is taken over {} s after its last sign",
            lasts.as_secs()
        )))
    }

    /// Gives a sign; a failure where the lease was lost.
    pub async fn renew(&self) -> Result<(), Failure> {
        self.sign().await?.map_err(|by| self.lost(&by))
    }

    /// Gives a sign; as the inner error, who has the lease now.
    async fn sign(&self) -> Result<Result<(), String>, Failure> {
        let Some(mut there) = self.get().await? else {
            return Ok(Err("nobody: it is gone".into()));
        };
        match text(&there, &["spec", "holderIdentity"]) {
            present if present == self.holder.0 => {}
            present => return Ok(Err(present.to_owned())),
        }
        self.renewed(&mut there);
        match self.cluster.replace(&self.kind, &self.namespace, &there).await {
            // Somebody wrote in between: who, the next sign finds out.
            Err(failure) if failure.kind == FailureKind::Busy => Ok(Ok(())),
            result => result.map(|_| Ok(())),
        }
    }

    fn lost(&self, by: &str) -> Failure {
        Failure::service(format!("the lease of `{}` was lost to {by}", self.address))
            .hint("look at what the other deploy did, then deploy again")
    }

    /// Does a work while the lease is renewed; gives it up where the lease is lost.
    pub async fn during<T>(
        &self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let lost = async {
            let mut last_sign = Instant::now();
            // As long as the work takes: that is bounded by whoever calls.
            loop {
                tokio::time::sleep(LASTS / RENEWALS).await;
                match self.sign().await {
                    Ok(Ok(())) => last_sign = Instant::now(),
                    Ok(Err(by)) => return self.lost(&by),
                    Err(failure) if last_sign.elapsed() >= LASTS => return failure,
                    // Out of reach for a moment: it lasts on.
                    Err(_) => {}
                }
            }
        };
        tokio::select! {
            biased;
            done = work => done,
            failure = lost => Err(failure),
        }
    }

    /// Lets go, so that the next one need not wait. What fails here ends by itself.
    pub async fn release(self) {
        if self.nested {
            return;
        }
        for _ in 0..RELEASE_TRIES {
            let Ok(Some(mut there)) = self.get().await else { return };
            if text(&there, &["spec", "holderIdentity"]) != self.holder.0 {
                return;
            }
            let transitions = there["spec"]["leaseTransitions"].clone();
            there["spec"] = json!({ "leaseTransitions": transitions });
            match self.cluster.replace(&self.kind, &self.namespace, &there).await {
                Err(failure) if failure.kind == FailureKind::Busy => {}
                _ => return,
            }
        }
    }
}

/// Deletes the lease, with the App.
pub(crate) async fn forget(cluster: &Connection, subject: &Subject) -> Result<(), Failure> {
    let (kind, namespace) = (core(cluster, &Gvk::lease()).await?, observe::namespace(subject)?);
    let name = marks::record_name(subject.owner.address);
    let there = cluster.get(&kind, namespace, &name).await?;
    match there.filter(|there| marks::is_ours(there, &subject.owner)) {
        Some(there) => cluster.delete(&kind, namespace, &there).await.map(drop),
        None => Ok(()),
    }
}

/// The time as Kubernetes' MicroTime: for people, nothing is concluded from it.
fn now() -> String {
    let format =
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");
    // All parts are in a time: there is nothing that could be missing.
    OffsetDateTime::now_utc().format(&format).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_dead_when_it_was_seen_not_to_move() {
        let sightings = Sightings::default();
        let lease = |version: &str| json!({"metadata": {"name": "a", "resourceVersion": version}});
        let start = Instant::now();
        let check = |namespace: &str, version: &str, at: u64, expected: u64| {
            let now = start + Duration::from_secs(at);
            let unmoved = sightings.unmoved(namespace, &lease(version), now);
            assert_eq!(unmoved, Duration::from_secs(expected));
        };
        check("n", "1", 0, 0);
        check("n", "1", 29, 29);
        check("other", "1", 30, 0);
        check("n", "2", 31, 0);
        check("n", "2", 62, 31);
    }

    #[test]
    fn times_are_written_as_the_api_server_reads_them() {
        let now = now();
        assert_eq!((now.len(), &now[10..11], &now[19..20], &now[26..]), (27, "T", ".", "Z"));
    }
}
