//! Free ports on loopback, outside the range from which the system takes the ports of clients.

use std::{
    net::{Ipv4Addr, TcpListener},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

use crate::start_error::StartError;

/// The first port that is tried. Below 32768 the system doesn't take ports for outgoing connections.
const FIRST: u16 = 20_000;
/// How many ports are tried before giving up.
const COUNT: u32 = 12_000;
/// How far apart the searches of two processes begin.
const STRIDE: u32 = 97;
/// How often a part whose port was taken before it could listen is started again.
const ATTEMPTS: u32 = 4;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A port that nobody listens on; within one process each is given once.
pub(crate) fn free_port() -> Result<u16, StartError> {
    let start = process::id().wrapping_mul(STRIDE);
    for _ in 0..COUNT {
        let offset = start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT;
        let port = FIRST + u16::try_from(offset).unwrap_or_default();
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    let last = FIRST + u16::try_from(COUNT - 1).unwrap_or_default();
    Err(StartError::NoPort { tried: COUNT, first: FIRST, last })
}

/// Starts something on `N` free ports; on others, if one of them was taken in the meantime.
pub(crate) fn on_free_ports<const N: usize, T>(
    mut start: impl FnMut([u16; N]) -> Result<T, StartError>,
) -> Result<T, StartError> {
    let mut attempt = 1;
    loop {
        let mut ports = [0; N];
        for port in &mut ports {
            *port = free_port()?;
        }
        match start(ports) {
            Err(error) if error.port_in_use() && attempt < ATTEMPTS => attempt += 1,
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn taken() -> StartError {
        StartError::Ended {
            part: "part".to_owned(),
            status: "exit status: 1".to_owned(),
            log: PathBuf::new(),
            tail: "listen tcp 127.0.0.1:1: bind: address already in use".to_owned(),
        }
    }

    #[test]
    fn ports_are_free_and_given_once() {
        let (one, two) = (free_port().unwrap(), free_port().unwrap());
        assert_ne!(one, two);
        let _held = TcpListener::bind((Ipv4Addr::LOCALHOST, one)).unwrap();
    }

    #[test]
    fn a_port_taken_meanwhile_is_tried_elsewhere() {
        let mut seen = Vec::new();
        let got = on_free_ports(|[port]| {
            seen.push(port);
            if seen.len() < 3 { Err(taken()) } else { Ok(port) }
        });
        assert_eq!(got.unwrap(), seen[2]);
        assert_ne!(seen[0], seen[1]);
    }

    #[test]
    fn attempts_are_bounded() {
        let mut count = 0;
        let got = on_free_ports(|[_port]| -> Result<(), _> {
            count += 1;
            Err(taken())
        });
        assert!(got.is_err());
        assert_eq!(count, ATTEMPTS);
    }
}
