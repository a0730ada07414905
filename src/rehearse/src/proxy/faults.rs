//! What goes wrong, where, and the book that is kept of calls.

use std::{
    collections::BTreeMap,
    net::{Shutdown, TcpStream},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::calls::Call;

/// The longest that a call is held for the end of its run, or for its landing.
const HOLD_LIMIT: Duration = Duration::from_secs(600);

/// What happens to a call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// It is held and never sent. Whoever runs the program kills it meanwhile.
    Before,
    /// It is sent; its answer is held and never delivered. Whoever runs the program kills it meanwhile.
    After,
    /// It is sent, and its connection is cut instead of an answer. Nobody is killed.
    LostAnswer,
    /// It is held while the program is killed, and sent in a later run, when [`FaultProxy::land`] says so.
    ///
    /// [`FaultProxy::land`]: super::FaultProxy::land
    Late,
    /// It isn't sent: the answer is that there were too many of them. PostgreSQL, which has no such answer, hangs up.
    Throttled,
    /// It isn't sent: the answer is that the service is out of order. PostgreSQL hangs up.
    OutOfOrder,
}

/// The call that a fault happens to. Numbers begin at one, in each run anew.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Aim {
    /// The nth call that changes something.
    Change(usize),
    /// The nth of the calls that change something and have this name, such as `ec2 CreateSubnet`. So it is the same call
    /// in each run, though calls are made side by side.
    Named(String, usize),
    /// The nth call of any kind.
    Request(usize),
}

/// Counts calls, and hands out the fault.
#[derive(Debug, Default)]
pub(super) struct Faults {
    book: Mutex<Book>,
    turned: Condvar,
}

#[derive(Debug, Default)]
struct Book {
    run: u64,
    ended: bool,
    fault: Option<(Aim, Fault)>,
    struck: Option<String>,
    requests: usize,
    changes: Vec<String>,
    named: BTreeMap<String, usize>,
    late: Late,
    /// The clients of this run, to be cut with its end.
    clients: Vec<TcpStream>,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Late {
    #[default]
    None,
    Held,
    Landing,
}

impl Faults {
    fn book(&self) -> MutexGuard<'_, Book> {
        // Each change of the book is complete before anything in here could panic.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `done` is content with the book, or for `limit`.
    fn wait(&self, limit: Duration, done: impl Fn(&Book) -> bool) -> MutexGuard<'_, Book> {
        let waiting = self.turned.wait_timeout_while(self.book(), limit, |book| !done(book));
        waiting.unwrap_or_else(PoisonError::into_inner).0
    }

    pub fn begin(&self, fault: Option<(Aim, Fault)>) {
        let mut book = self.book();
        let clients = std::mem::take(&mut book.clients);
        *book = Book {
            run: book.run + 1,
            ended: book.ended,
            late: book.late,
            fault,
            ..Book::default()
        };
        drop(book);
        self.turned.notify_all();
        cut(&clients);
    }

    pub fn end(&self) {
        let mut book = self.book();
        book.ended = true;
        book.run += 1;
        let clients = std::mem::take(&mut book.clients);
        drop(book);
        self.turned.notify_all();
        cut(&clients);
    }

    pub fn has_ended(&self) -> bool {
        self.book().ended
    }

    pub fn struck(&self, limit: Duration) -> Option<String> {
        self.wait(limit, |book| book.struck.is_some()).struck.clone()
    }

    pub fn changes(&self) -> Vec<String> {
        self.book().changes.clone()
    }

    pub fn requests(&self) -> usize {
        self.book().requests
    }

    pub fn land(&self) -> bool {
        let mut book = self.book();
        if book.late != Late::Held {
            return false;
        }
        book.late = Late::Landing;
        drop(book);
        self.turned.notify_all();
        self.wait(HOLD_LIMIT, |book| book.late == Late::None).late == Late::None
    }

    /// Notes a client of this run down.
    pub fn enter(&self, client: &TcpStream) -> Visit<'_> {
        let mut book = self.book();
        // A client that can't be noted down isn't cut before its own end.
        book.clients.extend(client.try_clone());
        Visit { faults: self, run: book.run }
    }
}

fn cut(clients: &[TcpStream]) {
    for client in clients {
        // It may have gone by itself.
        let _ = client.shutdown(Shutdown::Both);
    }
}

/// One client's view of the run that it belongs to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Visit<'a> {
    faults: &'a Faults,
    run: u64,
}

impl Visit<'_> {
    /// Counts a call; what is to happen to it, if anything.
    pub fn call(&self, call: &Call) -> Option<Fault> {
        let mut book = self.faults.book();
        if book.run != self.run {
            return None;
        }
        book.requests += 1;
        let (requests, mut nth) = (book.requests, 0);
        if call.changes {
            book.changes.push(call.name.clone());
            let named = book.named.entry(call.name.clone()).or_default();
            *named += 1;
            nth = *named;
        }
        let changes = book.changes.len();
        let (_, fault) = book.fault.take_if(|(aim, _)| match aim {
            Aim::Change(n) => call.changes && changes == *n,
            Aim::Named(name, n) => call.changes && *name == call.name && nth == *n,
            Aim::Request(n) => requests == *n,
        })?;
        Some(fault)
    }

    /// Says that the fault has happened.
    pub fn strike(&self, call: &Call) {
        let mut book = self.faults.book();
        if book.run == self.run {
            book.struck = Some(call.name.clone());
        }
        drop(book);
        self.faults.turned.notify_all();
    }

    /// Holds until the run is over.
    pub fn until_over(&self) {
        drop(self.faults.wait(HOLD_LIMIT, |book| book.run != self.run));
    }

    /// Holds until the run is over, and then until the call may land; true if it may.
    pub fn until_landing(&self, call: &Call) -> bool {
        self.faults.book().late = Late::Held;
        self.strike(call);
        self.until_over();
        self.faults.wait(HOLD_LIMIT, |book| book.ended || book.late == Late::Landing).late
            == Late::Landing
    }

    /// Says that the late call has landed.
    pub fn landed(&self) {
        self.faults.book().late = Late::None;
        self.faults.turned.notify_all();
    }
}
