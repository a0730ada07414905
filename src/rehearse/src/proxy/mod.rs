//! A fault proxy: it stands between a program and a site of the local cloud, and makes calls go wrong.
//!
//! It tells calls that change something from reads, counts them, and holds, cuts, delays or refuses the one that it is
//! aimed at. So a program can be killed just before a call is sent, or just after its answer, and nobody needs the
//! program's own word for where that was.
//!
//! One call, whatever the service: a request to the AWS APIs or to Kubernetes, or a statement of PostgreSQL.

mod calls;
mod faults;
mod http;
mod relay;
mod sql;
mod tls;

use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

pub use self::faults::{Aim, Fault};
use self::{calls::Service, faults::Faults, tls::Tls};
use crate::{Site, kubeconfig, pki::Pki, start_error::StartError};

/// How long the connection to a part may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// How long a part may take to answer; PostgreSQL copies databases.
const ANSWER_LIMIT: Duration = Duration::from_secs(120);

/// A running proxy in front of one site. Dropping it cuts its connections.
#[derive(Debug)]
pub struct FaultProxy {
    site: Site,
    faults: Arc<Faults>,
    listeners: Vec<(SocketAddr, JoinHandle<()>)>,
}

impl FaultProxy {
    /// Starts one in front of `site`, with a certificate authority of its own, which it writes into `folder`.
    pub fn start(site: &Site, folder: &Path) -> Result<Self, StartError> {
        fs::create_dir_all(folder).map_err(StartError::io("make the folder", folder))?;
        let pki = Pki::make(folder)?;
        let tls = Arc::new(Tls::between(&pki, &site.kubeconfig)?);
        let faults = Arc::new(Faults::default());
        let mut proxy = Self { site: site.clone(), faults, listeners: Vec::new() };

        let aws = host_and_port(&site.aws_endpoint)?;
        let port = proxy.listen(folder, move |faults, client| {
            relay::plain(&faults, Service::Aws, client, aws);
        })?;
        proxy.site.aws_endpoint = format!("http://127.0.0.1:{port}");
        let kubernetes = host_and_port(&site.kubernetes_endpoint)?;
        let port = proxy.listen(folder, move |faults, client| {
            relay::encrypted(&faults, &tls, client, kubernetes);
        })?;
        proxy.site.kubernetes_endpoint = format!("https://127.0.0.1:{port}");
        proxy.site.kubeconfig = folder.join("kubeconfig");
        let endpoint = &proxy.site.kubernetes_endpoint;
        kubeconfig::write(&proxy.site.kubeconfig, &site.name, endpoint, &pki, &pki.admin)?;
        let postgres = SocketAddr::from((Ipv4Addr::LOCALHOST, site.postgres_port));
        proxy.site.postgres_port = proxy.listen(folder, move |faults, client| {
            sql::relay(&faults, client, postgres);
        })?;
        Ok(proxy)
    }

    /// The site as it is reached through the proxy.
    pub fn site(&self) -> &Site {
        &self.site
    }

    /// Begins a run: connections of earlier ones are cut, what they held is dropped, and counting starts anew.
    pub fn begin(&self, fault: Option<(Aim, Fault)>) {
        self.faults.begin(fault);
    }

    /// Waits until the fault has happened, and names the call that it happened to; none if it hasn't by then.
    pub fn struck(&self, wait: Duration) -> Option<String> {
        self.faults.struck(wait)
    }

    /// The calls of this run that change something, in the order in which they came: `ec2 CreateVpc`.
    pub fn changes(&self) -> Vec<String> {
        self.faults.changes()
    }

    /// Calls of this run so far, reads included.
    pub fn requests(&self) -> usize {
        self.faults.requests()
    }

    /// Sends the call that an earlier run's [`Fault::Late`] held, and waits for its answer. False where there is none.
    pub fn land(&self) -> bool {
        self.faults.land()
    }

    fn listen(
        &mut self,
        folder: &Path,
        serve: impl Fn(Arc<Faults>, TcpStream) + Clone + Send + 'static,
    ) -> Result<u16, StartError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let listener = listener.map_err(StartError::io("listen for", folder))?;
        let address = listener.local_addr().map_err(StartError::io("listen for", folder))?;
        let faults = Arc::clone(&self.faults);
        let thread = thread::spawn(move || {
            for client in listener.incoming() {
                if faults.has_ended() {
                    return;
                }
                let Ok(client) = client else { continue };
                let (faults, serve) = (Arc::clone(&faults), serve.clone());
                thread::spawn(move || serve(faults, client));
            }
        });
        self.listeners.push((address, thread));
        Ok(address.port())
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.faults.end();
        for (address, thread) in self.listeners.drain(..) {
            // Wakes the listener, which then sees that it is over.
            if TcpStream::connect_timeout(&address, CONNECT_LIMIT).is_ok() {
                // A panic in there has already been reported.
                let _ = thread.join();
            }
        }
    }
}

/// The address of a URL of the local cloud.
fn host_and_port(url: &str) -> Result<SocketAddr, StartError> {
    let address =
        url.split_once("://").and_then(|(_, rest)| rest.trim_end_matches('/').parse().ok());
    address.ok_or_else(|| StartError::Options(format!("{url} is no URL of the local cloud")))
}

/// A connection to a part.
fn connect(to: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&to, CONNECT_LIMIT)?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
