//! What went wrong on the way to a server or in it, as failures with a next step.

use crate::{Server, Tls};
use formwork_engine::{Failure, FailureKind, causes};
use std::{error::Error as _, io};
use tokio_postgres::{
    Error,
    error::{DbError, SqlState},
};

/// The failure of a statement.
pub(crate) fn of_statement(error: &Error) -> Failure {
    match error.as_db_error() {
        Some(refused) => of_server(refused),
        None => Failure::unreachable(format!("the connection broke: {}", causes(error))),
    }
}

/// The failure of making a connection.
pub(crate) fn of_connecting(server: &Server, database: &str, error: &Error) -> Failure {
    let (place, user) = (server.place(), &server.user);
    if let Some(refused) = error.as_db_error() {
        return match *refused.code() {
            SqlState::INVALID_PASSWORD | SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
                Failure::denied(format!("{place} doesn't let `{user}` in: {}", refused.message()))
                    .hint(format!(
                        "look at the role `{user}`, its password's version and the server's pg_hba.conf"
                    ))
            }
            SqlState::INVALID_CATALOG_NAME => {
                Failure::invalid(format!("{place} has no database `{database}`"))
                    .hint("name one that exists, by `database` of the server for its own")
            }
            _ => of_server(refused).context(format!("connecting to `{database}` at {place}")),
        };
    }
    let why = causes(error);
    if find::<rustls::Error>(error).is_some() {
        return Failure::unreachable(format!(
            "{place} can't prove that it is {}: {why}",
            server.host
        ))
        .hint(match server.tls() {
            Tls::Authorities(file) => format!("check that {file} holds its authority"),
            _ => "name its authority by `tls: Tls::Authorities(\"bundle.pem\")`; \
                      RDS has authorities of its own"
                .to_owned(),
        });
    }
    if why.contains("server does not support TLS") {
        return Failure::unreachable(format!("{place} doesn't speak TLS"))
            .hint("turn TLS on there, or say `tls: Tls::Disable` on a network that you trust");
    }
    if why.contains("password missing") {
        return Failure::denied(format!("{place} asks for the password of `{user}`"))
            .hint("give the server's `password`");
    }
    let failure = Failure::unreachable(format!("can't reach PostgreSQL at {place}: {why}"));
    let refused = find::<io::Error>(error).map(io::Error::kind);
    failure.hint(match refused {
        Some(io::ErrorKind::ConnectionRefused) => {
            "nothing listens there: check host and port, and that the server runs"
        }
        Some(io::ErrorKind::TimedOut) => {
            "no answer: check the security group, and whether it can be reached from here at all"
        }
        _ => "check host, port and the way there; `reach` says where there is none",
    })
}

/// What the server says, by its code: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn of_server(refused: &DbError) -> Failure {
    let kind = match *refused.code() {
        SqlState::INSUFFICIENT_PRIVILEGE => FailureKind::Denied,
        SqlState::DUPLICATE_OBJECT | SqlState::DUPLICATE_DATABASE | SqlState::UNIQUE_VIOLATION => {
            FailureKind::Taken
        }
        SqlState::OBJECT_IN_USE
        | SqlState::LOCK_NOT_AVAILABLE
        | SqlState::T_R_DEADLOCK_DETECTED
        | SqlState::TOO_MANY_CONNECTIONS => FailureKind::Busy,
        SqlState::DEPENDENT_OBJECTS_STILL_EXIST => FailureKind::Invalid,
        SqlState::CANNOT_CONNECT_NOW | SqlState::ADMIN_SHUTDOWN | SqlState::CRASH_SHUTDOWN => {
            FailureKind::Unreachable
        }
        SqlState::QUERY_CANCELED => FailureKind::Service,
        _ => match refused.code().code().get(..2) {
            // Feature not supported, bad data, bad role, bad schema, bad syntax or name.
            Some("0A" | "22" | "23" | "28" | "3D" | "3F" | "42") => FailureKind::Invalid,
            _ => FailureKind::Service,
        },
    };
    let mut message = refused.message().to_owned();
    if let Some(detail) = refused.detail() {
        message.push_str(&format!(" ({})", detail.replace('\n', "; ")));
    }
    let failure = Failure::new(kind, message);
    match refused.hint() {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// The first cause of a type, looking into what I/O errors wrap.
fn find<E: std::error::Error + 'static>(error: &Error) -> Option<&E> {
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(found) = cause.downcast_ref() {
            return Some(found);
        }
        let wrapped = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if let Some(found) = wrapped.and_then(|inner| inner.downcast_ref()) {
            return Some(found);
        }
        source = cause.source();
    }
    None
}
