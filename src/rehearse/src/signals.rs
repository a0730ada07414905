//! The signals by which a person or a system asks us to end.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Waits for Ctrl-C, SIGTERM or SIGHUP, and names it.
///
/// A program that holds a local cloud waits for this beside its work, then stops the cloud. One that doesn't is ended by
/// the signal, and the parts with it, without having been asked.
pub async fn interrupted() -> std::io::Result<&'static str> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    async fn received(signal: &mut Signal) {
        signal.recv().await;
    }
    tokio::select! {
        () = received(&mut interrupt) => Ok("SIGINT"),
        () = received(&mut terminate) => Ok("SIGTERM"),
        () = received(&mut hang_up) => Ok("SIGHUP"),
    }
}
