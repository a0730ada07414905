//! PostgreSQL's protocol, passed on message by message.
//!
//! <https://www.postgresql.org/docs/current/protocol-message-formats.html>

use std::{
    collections::HashMap,
    io::{self, ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use super::{
    Fault,
    calls::{Call, statements},
    connect,
    faults::{Faults, Visit},
};

/// The longest message, in bytes.
const MAX_MESSAGE: usize = 64 * 1024 * 1024;
/// The version number by which a client asks for encryption, which is answered by a single byte.
const ENCRYPTION: u32 = 80_877_103;
/// Ends a series of the extended protocol.
const SYNC: [u8; 5] = [b'S', 0, 0, 0, 4];

/// Passes on what a client of PostgreSQL says.
pub(super) fn relay(faults: &Arc<Faults>, client: TcpStream, to: SocketAddr) {
    let visit = faults.enter(&client);
    // However a connection ends, the client sees it.
    let _ = both_ways(visit, &client, to);
    let _ = client.shutdown(Shutdown::Both);
}

fn both_ways(visit: Visit<'_>, client: &TcpStream, to: SocketAddr) -> io::Result<()> {
    client.set_nodelay(true)?;
    let server = connect(to)?;
    let doomed = Doomed::default();
    thread::scope(|scope| {
        let answers = scope.spawn(|| {
            let ended = answers(visit, &server, client, &doomed);
            let _ = client.shutdown(Shutdown::Both);
            ended
        });
        let asked = questions(visit, client, &server, &doomed);
        // After a late call its answer is waited for; else nobody wants to know any more.
        if !doomed.is_late() {
            let _ = server.shutdown(Shutdown::Both);
        }
        let answered = answers.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let _ = server.shutdown(Shutdown::Both);
        if doomed.is_late() {
            visit.landed();
        }
        asked.and(answered)
    })
}

/// The call whose answer isn't to get through.
#[derive(Default)]
struct Doomed(Mutex<Option<(Call, Fault)>>);

impl Doomed {
    fn set(&self, call: Call, fault: Fault) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((call, fault));
    }

    fn get(&self) -> Option<(Call, Fault)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn is_late(&self) -> bool {
        self.get().is_some_and(|(_, fault)| fault == Fault::Late)
    }
}

/// From the client to the server.
fn questions(
    visit: Visit<'_>,
    mut client: &TcpStream,
    mut server: &TcpStream,
    doomed: &Doomed,
) -> io::Result<()> {
    loop {
        let startup = startup(client)?;
        server.write_all(&startup)?;
        if startup.get(4..8) != Some(&ENCRYPTION.to_be_bytes()[..]) {
            break;
        }
    }
    let mut session = Session::default();
    while let Some(message) = message(&mut client)? {
        let Some(call) = session.call(&message) else {
            server.write_all(&message)?;
            continue;
        };
        match visit.call(&call) {
            None => server.write_all(&message)?,
            Some(fault @ (Fault::After | Fault::LostAnswer)) => {
                doomed.set(call, fault);
                server.write_all(&message)?;
            }
            Some(Fault::Before) => {
                visit.strike(&call);
                visit.until_over();
                return Ok(());
            }
            Some(Fault::Late) => {
                if visit.until_landing(&call) {
                    doomed.set(call, Fault::Late);
                    server.write_all(&message)?;
                    if message[0] == b'E' {
                        server.write_all(&SYNC)?;
                    }
                }
                return Ok(());
            }
            Some(Fault::Throttled | Fault::OutOfOrder) => {
                visit.strike(&call);
                return Ok(());
            }
        }
    }
    Ok(())
}

/// From the server to the client. Once a call is doomed nothing gets through, and its end is where the server is ready
/// for the next: only then has it been committed.
fn answers(
    visit: Visit<'_>,
    mut server: &TcpStream,
    mut client: &TcpStream,
    doomed: &Doomed,
) -> io::Result<()> {
    let mut first = [0];
    // The answer to a question for encryption has no length.
    loop {
        match server.peek(&mut first)? {
            0 => return Ok(()),
            _ if matches!(first[0], b'N' | b'S') => {
                server.read_exact(&mut first)?;
                client.write_all(&first)?;
            }
            _ => break,
        }
    }
    while let Some(message) = message(&mut server)? {
        let ready = message[0] == b'Z';
        match doomed.get() {
            None => client.write_all(&message)?,
            Some((_, Fault::Late)) if ready => return Ok(()),
            Some((call, fault)) if ready => {
                visit.strike(&call);
                if fault == Fault::After {
                    visit.until_over();
                }
                return Ok(());
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// The first message of a connection, which has no type.
fn startup(mut client: &TcpStream) -> io::Result<Vec<u8>> {
    let mut message = vec![0; 4];
    client.read_exact(&mut message)?;
    rest(&mut client, &mut message, 0)?;
    Ok(message)
}

/// The next message; none at the end of the stream.
fn message(from: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut message = vec![0; 5];
    if from.read(&mut message[..1])? == 0 {
        return Ok(None);
    }
    from.read_exact(&mut message[1..])?;
    rest(from, &mut message, 1)?;
    Ok(Some(message))
}

/// Reads what follows the length at `at`, which counts itself.
fn rest(from: &mut impl Read, message: &mut Vec<u8>, at: usize) -> io::Result<()> {
    let mut length = [0; 4];
    length.copy_from_slice(&message[at..at + 4]);
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if !(4..=MAX_MESSAGE).contains(&length) {
        return Err(io::Error::new(ErrorKind::InvalidData, "no message of PostgreSQL"));
    }
    message.resize(at + length, 0);
    from.read_exact(&mut message[at + 4..])
}

/// What a session has prepared: the statements by their names, and which one each portal runs.
#[derive(Default)]
struct Session {
    prepared: HashMap<Vec<u8>, String>,
    portals: HashMap<Vec<u8>, Vec<u8>>,
}

impl Session {
    /// The call that a message is: a query, or the execution of what was prepared.
    fn call(&mut self, message: &[u8]) -> Option<Call> {
        let mut texts = message[5..].split(|byte| *byte == 0);
        let mut text = || texts.next().unwrap_or_default();
        match message[0] {
            b'Q' => Some(statements(&String::from_utf8_lossy(text()))),
            b'P' => {
                let name = text().to_vec();
                self.prepared.insert(name, String::from_utf8_lossy(text()).into_owned());
                None
            }
            b'B' => {
                let portal = text().to_vec();
                self.portals.insert(portal, text().to_vec());
                None
            }
            b'E' => {
                let prepared = self.portals.get(text()).and_then(|name| self.prepared.get(name));
                prepared.map(|sql| statements(sql))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(kind: u8, texts: &[&str]) -> Vec<u8> {
        let body: Vec<u8> =
            texts.iter().flat_map(|text| [text.as_bytes(), &[0]].concat()).collect();
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        [&[kind][..], &length, &body].concat()
    }

    #[test]
    fn a_prepared_statement_counts_when_it_is_executed() {
        let mut session = Session::default();
        assert_eq!(session.call(&sent(b'P', &["s1", "DROP ROLE a"])), None);
        assert_eq!(session.call(&sent(b'P', &["s2", "SELECT 1"])), None);
        assert_eq!(session.call(&sent(b'B', &["", "s1"])), None);
        let dropped = session.call(&sent(b'E', &[""])).unwrap();
        assert_eq!((dropped.name.as_str(), dropped.changes), ("sql DROP ROLE", true));
        session.call(&sent(b'B', &["", "s2"]));
        assert!(!session.call(&sent(b'E', &[""])).unwrap().changes);
        assert!(session.call(&sent(b'Q', &["CREATE ROLE a"])).unwrap().changes);
        assert_eq!(session.call(&sent(b'S', &[])), None);
    }

    #[test]
    fn messages_are_read_whole_or_not_at_all() {
        let bytes = [sent(b'Q', &["SELECT 1"]), sent(b'X', &[])].concat();
        let mut from = &bytes[..];
        assert_eq!(message(&mut from).unwrap().unwrap()[0], b'Q');
        assert_eq!(message(&mut from).unwrap().unwrap()[0], b'X');
        assert!(message(&mut from).unwrap().is_none());
        assert!(message(&mut &bytes[..9]).is_err());
        assert!(message(&mut &[b'Q', 0xff, 0xff, 0xff, 0xff][..]).is_err());
    }
}
