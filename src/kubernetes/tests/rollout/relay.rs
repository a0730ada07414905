//! A relay in front of an API server, which can be cut.

use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// Passes bytes on; TLS goes through it.
pub struct Relay {
    /// `https://127.0.0.1:PORT`.
    pub endpoint: String,
    open: watch::Sender<bool>,
    accepting: JoinHandle<()>,
}

impl Relay {
    /// Starts one in front of `https://127.0.0.1:PORT`.
    pub async fn start(endpoint: &str) -> Self {
        let target = endpoint.strip_prefix("https://").unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("https://{}", listener.local_addr().unwrap());
        let (open, is_open) = watch::channel(true);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if *is_open.borrow() {
                    tokio::spawn(pass(client, target.clone(), is_open.clone()));
                }
            }
        });
        Self { endpoint, open, accepting }
    }

    /// Cuts all connections, and new ones at once.
    pub fn cut(&self) {
        self.open.send(false).unwrap();
    }

    pub fn mend(&self) {
        self.open.send(true).unwrap();
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn pass(mut client: TcpStream, target: String, mut is_open: watch::Receiver<bool>) {
    let mut server = TcpStream::connect(target).await.unwrap();
    tokio::select! {
        // Whichever side ends it.
        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
        _ = is_open.wait_for(|open| !open) => {}
    }
}
