//! Messages of HTTP/1.1 as bytes, read whole. RFC 9112.

use std::io::{self, ErrorKind, Read};

/// The most headers of a message.
const MAX_HEADERS: usize = 128;
/// The longest head of a message, in bytes.
const MAX_HEAD: usize = 256 * 1024;
/// The longest body of a message, in bytes.
const MAX_BODY: usize = 64 * 1024 * 1024;
/// How much is read at once, in bytes.
const CHUNK: usize = 16 * 1024;

/// A request, as it came.
#[derive(Debug)]
pub(super) struct Request {
    pub method: String,
    /// With its query.
    pub path: String,
    headers: Vec<(String, String)>,
    /// The decoded body begins here in `bytes`; none of the calls that are told apart by it is sent in chunks.
    body: usize,
    pub bytes: Vec<u8>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub fn body(&self) -> &[u8] {
        &self.bytes[self.body..]
    }
}

/// How long a body is.
enum Length {
    Known(usize),
    Chunked,
    /// It ends with the connection.
    Open,
}

/// Reads messages from one connection.
pub(super) struct Reader<R> {
    from: R,
    read: Vec<u8>,
}

impl<R: Read> Reader<R> {
    pub fn new(from: R) -> Self {
        Self { from, read: Vec::new() }
    }

    pub fn stream(&mut self) -> &mut R {
        &mut self.from
    }

    /// The next request; none where the client hung up between two.
    pub fn request(&mut self) -> io::Result<Option<Request>> {
        loop {
            let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
            let mut head = httparse::Request::new(&mut headers);
            let status = head.parse(&self.read).map_err(invalid)?;
            if let httparse::Status::Complete(body) = status {
                let method = head.method.unwrap_or_default().to_owned();
                let path = head.path.unwrap_or_default().to_owned();
                let headers = owned(head.headers);
                let length = length(&headers).unwrap_or(Length::Known(0));
                let bytes = self.message(body, &length)?;
                return Ok(Some(Request { method, path, headers, body, bytes }));
            }
            if !self.more()? {
                return if self.read.is_empty() { Ok(None) } else { Err(cut_off()) };
            }
        }
    }

    /// The answer to a request of this method, as it came.
    pub fn answer(&mut self, method: &str) -> io::Result<Vec<u8>> {
        loop {
            let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
            let mut head = httparse::Response::new(&mut headers);
            let status = head.parse(&self.read).map_err(invalid)?;
            if let httparse::Status::Complete(body) = status {
                let code = head.code.unwrap_or_default();
                let bodiless = method == "HEAD" || matches!(code, 100..=199 | 204 | 304);
                let length = match bodiless {
                    true => Length::Known(0),
                    false => length(&owned(head.headers)).unwrap_or(Length::Open),
                };
                return self.message(body, &length);
            }
            if !self.more()? {
                return Err(cut_off());
            }
        }
    }

    /// Takes a whole message whose body begins at `body`.
    fn message(&mut self, body: usize, length: &Length) -> io::Result<Vec<u8>> {
        let end = match length {
            Length::Known(length) => body.saturating_add(*length),
            Length::Chunked => self.chunks(body)?,
            Length::Open => {
                while self.more()? {}
                self.read.len()
            }
        };
        self.until(end)?;
        let rest = self.read.split_off(end);
        Ok(std::mem::replace(&mut self.read, rest))
    }

    /// Where a body in chunks ends.
    fn chunks(&mut self, body: usize) -> io::Result<usize> {
        let mut at = body;
        loop {
            match httparse::parse_chunk_size(&self.read[at..]) {
                Err(error) => {
                    return Err(io::Error::new(ErrorKind::InvalidData, error.to_string()));
                }
                Ok(httparse::Status::Partial) => {
                    if !self.more()? {
                        return Err(cut_off());
                    }
                }
                Ok(httparse::Status::Complete((head, 0))) => return self.trailers(at + head),
                Ok(httparse::Status::Complete((head, size))) => {
                    // Two bytes end each chunk.
                    let size = usize::try_from(size).unwrap_or(usize::MAX);
                    at = at.saturating_add(head).saturating_add(size).saturating_add(2);
                    self.until(at)?;
                }
            }
        }
    }

    /// Where the trailers end that begin at `at`: with an empty line.
    fn trailers(&mut self, mut at: usize) -> io::Result<usize> {
        loop {
            match self.read[at..].windows(2).position(|pair| pair == b"\r\n") {
                Some(0) => return Ok(at + 2),
                Some(line) => at += line + 2,
                None if self.more()? => {}
                None => return Err(cut_off()),
            }
        }
    }

    fn until(&mut self, end: usize) -> io::Result<()> {
        while self.read.len() < end {
            if end > MAX_HEAD + MAX_BODY || !self.more()? {
                return Err(cut_off());
            }
        }
        Ok(())
    }

    /// Reads on; false at the end of the stream.
    fn more(&mut self) -> io::Result<bool> {
        if self.read.len() > MAX_HEAD + MAX_BODY {
            return Err(io::Error::new(ErrorKind::InvalidData, "the message is too long"));
        }
        let mut chunk = [0; CHUNK];
        match self.from.read(&mut chunk) {
            Ok(0) => Ok(false),
            Ok(read) => {
                self.read.extend_from_slice(&chunk[..read]);
                Ok(true)
            }
            // A TLS client that doesn't say goodbye.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn owned(headers: &[httparse::Header<'_>]) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    headers.iter().map(|header| (header.name.to_owned(), text(header.value))).collect()
}

fn length(headers: &[(String, String)]) -> Option<Length> {
    let find = |name: &str| headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    if find("transfer-encoding").is_some_and(|(_, value)| value.contains("chunked")) {
        return Some(Length::Chunked);
    }
    find("content-length").and_then(|(_, value)| value.trim().parse().ok()).map(Length::Known)
}

fn invalid(error: httparse::Error) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, error)
}

fn cut_off() -> io::Error {
    io::Error::new(ErrorKind::UnexpectedEof, "the message was cut off")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte at a time, so that every message is cut everywhere.
    struct Slowly<'a>(&'a [u8]);

    impl Read for Slowly<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let one = self.0.len().min(1);
            into[..one].copy_from_slice(&self.0[..one]);
            self.0 = &self.0[one..];
            Ok(one)
        }
    }

    #[test]
    fn requests_are_read_one_after_the_other() {
        let bytes = b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET /x?y HTTP/1.1\r\n\r\n";
        let mut reader = Reader::new(Slowly(bytes));
        let first = reader.request().unwrap().unwrap();
        assert_eq!((first.method.as_str(), first.body()), ("POST", &b"abc"[..]));
        let second = reader.request().unwrap().unwrap();
        assert_eq!((second.path.as_str(), second.body()), ("/x?y", &b""[..]));
        assert!(reader.request().unwrap().is_none());
    }

    #[test]
    fn answers_end_by_length_by_chunks_or_with_the_connection() {
        let chunked =
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n";
        for (answer, rest) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "next"),
            ("HTTP/1.1 204 No Content\r\n\r\n", "next"),
            (chunked, "next"),
            ("HTTP/1.1 200 OK\r\n\r\nall of it", ""),
        ] {
            let bytes = format!("{answer}{rest}");
            let mut reader = Reader::new(Slowly(bytes.as_bytes()));
            assert_eq!(reader.answer("GET").unwrap(), answer.as_bytes());
        }
    }

    #[test]
    fn a_message_that_is_cut_off_is_an_error() {
        for cut in ["POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nab", "POST / HT"] {
            assert!(Reader::new(cut.as_bytes()).request().is_err());
        }
        assert!(
            Reader::new(&b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"[..])
                .answer("GET")
                .is_err()
        );
    }
}
