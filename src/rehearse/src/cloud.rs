//! The local cloud: starts its parts in parallel, holds them, stops them.

use std::{path::PathBuf, process::ExitStatus, thread};

use crate::{
    behaviours,
    launch::Launch,
    parts::{Kwok, MASTER, Parts, joined},
    pki::Pki,
    process::Processes,
    progress::Progress,
    scratch::Scratch,
    site::{Site, Tools},
    start_error::StartError,
};

/// How a local cloud should be.
#[derive(Clone, Debug)]
pub struct Options {
    /// Everything is written here. A new or empty folder, or one that an earlier local cloud used.
    pub scratch: PathBuf,
    /// The region of every account.
    pub region: String,
    /// The environments: a name and an account of twelve digits for each.
    pub sites: Vec<(String, String)>,
    /// Nodes of each control plane.
    pub nodes: u16,
    /// Whether the emulator holds created users and assumed roles to their policies. Roots of accounts are never held.
    pub enforce_iam: bool,
    /// Files of kwok `Stage` documents besides [`BEHAVIOUR`]'s.
    pub stages: Vec<PathBuf>,
    /// Where installing the parts shows its progress.
    pub progress: Progress,
}

impl Options {
    /// Two sites, `production` (account 111111111111) and `staging` (222222222222), in eu-central-1.
    pub fn new(scratch: impl Into<PathBuf>) -> Self {
        let site = |name: &str, account: &str| (name.to_owned(), account.to_owned());
        Self {
            scratch: scratch.into(),
            region: "eu-central-1".to_owned(),
            sites: vec![site("production", "111111111111"), site("staging", "222222222222")],
            nodes: 3,
            enforce_iam: true,
            stages: Vec::new(),
            progress: Progress::on_stderr(),
        }
    }

    /// Only the site of this name, for a test that needs no second one and starts the sooner.
    pub fn only(mut self, name: &str) -> Self {
        self.sites.retain(|(site, _)| site == name);
        self
    }

    fn check(&self) -> Result<(), StartError> {
        let fail = |text: String| Err(StartError::Options(text));
        if self.sites.is_empty() || self.nodes == 0 {
            let sites = "a local cloud needs at least one site and one node; its sites are production and staging";
            return fail(sites.to_owned());
        }
        for (index, (name, account)) in self.sites.iter().enumerate() {
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            if name.is_empty() || !name.chars().all(plain) {
                return fail(format!(
                    "the site {name:?} needs a name of lower-case letters, digits and dashes"
                ));
            }
            if account.len() != 12 || !account.chars().all(|c| c.is_ascii_digit()) {
                return fail(format!("the account {account:?} of site {name} needs twelve digits"));
            }
            if self.sites[..index].iter().any(|(other, number)| other == name || number == account)
            {
                return fail(format!("the site {name} has the name or the account of another"));
            }
        }
        Ok(())
    }
}

/// A running local cloud. Dropping it stops it; so does the end of this process, however it ends.
#[derive(Debug)]
pub struct LocalCloud {
    sites: Vec<Site>,
    parts: Parts,
    // The order matters: the processes are stopped before the folder's lock is let go.
    processes: Processes,
    scratch: Scratch,
}

impl LocalCloud {
    /// Makes the parts available, starts them, and waits until all are ready: about five seconds once they are installed.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let started = tokio::task::spawn_blocking(move || Self::start_blocking(&options));
        started.await.unwrap_or_else(|failure| match failure.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(StartError::Options(
                "the runtime ended while the local cloud started".to_owned(),
            )),
        })
    }

    /// [`Self::start`] for callers without a runtime.
    pub fn start_blocking(options: &Options) -> Result<Self, StartError> {
        options.check()?;
        let parts = Parts::ensure(&options.progress)?;
        let scratch = Scratch::take(&options.scratch)?;
        // Dropped on every way out from here on, which stops what has been started.
        let processes = Processes::new(&scratch.path);
        let starting =
            Starting { options, parts: &parts, processes: &processes, scratch: &scratch };
        let sites = starting.all()?;
        for site in &sites {
            site.write(&scratch.path)?;
        }
        Ok(Self { sites, parts, processes, scratch })
    }

    /// The sites, in the order of the options.
    pub fn sites(&self) -> &[Site] {
        &self.sites
    }

    /// The site of this name.
    pub fn site(&self, name: &str) -> Option<&Site> {
        self.sites.iter().find(|site| site.name == name)
    }

    /// One more account, with a PostgreSQL server of its own, on the control plane of `site`: for what needs many.
    pub fn annex(&self, site: &Site, name: &str, account: &str) -> Result<Site, StartError> {
        let folder = self.scratch.path.join(name);
        let launch = Launch { processes: &self.processes, folder, site: Some(name) };
        let server = self.parts.postgres.start(&launch)?;
        let account = account.to_owned();
        Ok(Site {
            access_key_id: account.clone(),
            account,
            postgres_port: server.port,
            postgres_socket: server.socket,
            ..site.clone()
        })
    }

    /// The scratch folder; the logs are in `logs`.
    pub fn scratch(&self) -> &std::path::Path {
        &self.scratch.path
    }

    /// The programs that it runs.
    pub fn parts(&self) -> &Parts {
        &self.parts
    }

    /// The processes that have ended though nobody stopped them.
    pub fn ended(&self) -> Vec<(String, ExitStatus)> {
        self.processes.ended()
    }

    /// Stops all processes, in order, and waits for their end.
    pub async fn stop(self) {
        // A panic in there has already been reported; the processes die with this one.
        let _ = tokio::task::spawn_blocking(move || self.stop_blocking()).await;
    }

    /// [`Self::stop`] for callers without a runtime.
    pub fn stop_blocking(self) {
        self.processes.stop();
    }
}

/// A cloud on its way up.
struct Starting<'a> {
    options: &'a Options,
    parts: &'a Parts,
    processes: &'a Processes,
    scratch: &'a Scratch,
}

impl Starting<'_> {
    fn all(&self) -> Result<Vec<Site>, StartError> {
        let shared =
            Launch { processes: self.processes, folder: self.scratch.path.clone(), site: None };
        thread::scope(|scope| {
            let sites: Vec<_> = self
                .options
                .sites
                .iter()
                .map(|(name, _)| {
                    (scope.spawn(|| self.postgres(name)), scope.spawn(|| self.control_plane(name)))
                })
                .collect();
            let redis = self.parts.redis.start(&shared);
            let aws = redis.and_then(|redis| {
                let (region, enforce) = (&self.options.region, self.options.enforce_iam);
                Ok((redis, self.parts.ministack.start(&shared, region, redis, enforce)?))
            });
            // Every thread is joined before the first error is passed on.
            let started: Vec<_> = sites
                .into_iter()
                .map(|(postgres, plane)| (joined(postgres), joined(plane)))
                .collect();
            let (redis, aws) = aws?;
            self.options
                .sites
                .iter()
                .zip(started)
                .map(|((name, account), (postgres, plane))| {
                    let (postgres, plane) = (postgres?, plane?);
                    Ok(Site {
                        name: name.clone(),
                        account: account.clone(),
                        region: self.options.region.clone(),
                        aws_endpoint: format!("http://127.0.0.1:{aws}"),
                        access_key_id: account.clone(),
                        secret_access_key: "local".to_owned(),
                        kubeconfig: plane.kubeconfig,
                        kubernetes_endpoint: plane.api,
                        postgres_host: "127.0.0.1".to_owned(),
                        postgres_port: postgres.port,
                        postgres_master: MASTER.to_owned(),
                        postgres_socket: postgres.socket,
                        redis_host: "127.0.0.1".to_owned(),
                        redis_port: redis,
                        tools: Tools {
                            kubectl: self.parts.kubernetes.kubectl.clone(),
                            psql: self.parts.postgres.programs.join("psql"),
                            python: self.parts.ministack.python.clone(),
                        },
                    })
                })
                .collect()
        })
    }

    fn launch<'b>(&'b self, site: &'b str) -> Launch<'b> {
        Launch { processes: self.processes, folder: self.scratch.path.join(site), site: Some(site) }
    }

    fn postgres(&self, site: &str) -> Result<crate::parts::PostgresServer, StartError> {
        self.parts.postgres.start(&self.launch(site))
    }

    fn control_plane(&self, site: &str) -> Result<ControlPlane, StartError> {
        let launch = &self.launch(site);
        let kubernetes = &self.parts.kubernetes;
        let kubeconfig = launch.folder("kubernetes")?.join("kubeconfig");
        let pki = &Pki::make(&launch.folder("pki")?)?;
        let etcd = self.parts.etcd.start(launch)?;
        let api = kubernetes.start_apiserver(launch, pki, &etcd, &kubeconfig)?;
        let folder = launch.folder("kwok")?;
        let behaviours =
            behaviours::write(&folder).map_err(StartError::io("write behaviours into", &folder))?;
        let mut stages = vec![behaviours];
        stages.extend(self.options.stages.iter().cloned());
        let nodes = crate::parts::Nodes {
            count: self.options.nodes,
            region: &self.options.region,
            stages: &stages,
        };
        let kwok: &Kwok = &self.parts.kwok;
        thread::scope(|scope| {
            let controllers =
                scope.spawn(|| kubernetes.start_controller_manager(launch, pki, &api, &kubeconfig));
            let scheduler =
                scope.spawn(|| kubernetes.start_scheduler(launch, pki, &api, &kubeconfig));
            let nodes = kwok.start(launch, pki, kubernetes, &kubeconfig, &nodes);
            let (controllers, scheduler) = (joined(controllers), joined(scheduler));
            nodes.and(controllers).and(scheduler)
        })?;
        Ok(ControlPlane { kubeconfig, api })
    }
}

struct ControlPlane {
    kubeconfig: PathBuf,
    api: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_contradict_themselves_are_named() {
        let check = |sites: &[(&str, &str)]| {
            let mut options = Options::new("/nowhere");
            options.sites = sites.iter().map(|(n, a)| ((*n).to_owned(), (*a).to_owned())).collect();
            options.check().map_err(|error| error.to_string())
        };
        assert!(check(&[("a", "111111111111"), ("b", "222222222222")]).is_ok());
        assert!(check(&[]).unwrap_err().contains("at least one"));
        assert!(check(&[("a", "1")]).unwrap_err().contains("twelve digits"));
        assert!(check(&[("A b", "111111111111")]).unwrap_err().contains("lower-case"));
        let same = check(&[("a", "111111111111"), ("b", "111111111111")]);
        assert!(same.unwrap_err().contains("of another"));
    }
}
