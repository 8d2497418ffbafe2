//! HTTP/1.1 by hyper, over a connection of our own.

use std::io;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;

use super::tcp::Connection;
use super::{ProbeError, RESET, error_queue};
use crate::observation::HttpAnswer;

/// How much of a body is kept.
pub const LARGEST_BODY: usize = 1024 * 1024;

/// What is asked.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    /// The URL, for the answer.
    pub url: &'a str,
    /// The `Host` field.
    pub host: &'a str,
    /// Path and query.
    pub path: &'a str,
    /// The method.
    pub method: &'a str,
    /// Header fields.
    pub headers: &'a [(String, String)],
    /// The body.
    pub body: &'a str,
}

/// What came back over an open connection.
#[derive(Debug)]
pub enum Exchange {
    /// An answer.
    Answer(HttpAnswer),
    /// The connection was open, and by the deadline there was no answer.
    Silent,
    /// The connection broke, or what came back is not HTTP.
    Broken(String),
}

/// Sends a request over an open connection and reads the answer, until `end` is ready.
///
/// # Errors
///
/// When the request could not be made.
pub async fn exchange(
    connection: Connection,
    asked: Asked<'_>,
    end: impl Future<Output = ()>,
) -> Result<Exchange, ProbeError> {
    if connection.was_reset() {
        return Ok(Exchange::Broken(RESET.to_owned()));
    }
    let flow = connection.flow;
    let failed = |error: io::Error| ProbeError::io("cannot use a TCP socket", &error);
    let stream = connection.into_stream().map_err(failed)?;
    let mut request = Request::builder().method(asked.method).uri(asked.path);
    if !asked.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        request = request.header("host", asked.host);
    }
    for (name, value) in asked.headers {
        request = request.header(name, value);
    }
    let request = request
        .body(Full::new(Bytes::copy_from_slice(asked.body.as_bytes())))
        .map_err(|error| ProbeError(format!("this request cannot be made: {error}")))?;
    let talk = async {
        let (mut sender, driver) = http1::handshake(TokioIo::new(stream)).await?;
        let driver = tokio::spawn(driver);
        let answer = sender.send_request(request).await?;
        let status = answer.status().as_u16();
        let headers = answer
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        let (body, cut) = read_body(answer.into_body()).await?;
        driver.abort();
        let body = String::from_utf8_lossy(&body).into_owned();
        Ok::<_, hyper::Error>(HttpAnswer {
            status,
            headers,
            body,
            cut,
            url: asked.url.to_owned(),
            astray: None,
            flow: Some(flow),
            seen_from: None,
        })
    };
    tokio::select! {
        biased;
        answer = talk => match answer {
            Ok(answer) => Ok(Exchange::Answer(answer)),
            Err(error) => Ok(Exchange::Broken(if is_reset(&error) { RESET.to_owned() } else { with_causes(&error) })),
        },
        () = end => Ok(Exchange::Silent),
    }
}

/// Whether the other side has reset the connection.
fn is_reset(error: &(dyn std::error::Error + 'static)) -> bool {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.filter_map(|cause| cause.downcast_ref::<io::Error>()).any(error_queue::is_reset)
}

/// What went wrong, and what made it: hyper's own words for a closed connection say nothing else.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

async fn read_body(mut body: hyper::body::Incoming) -> Result<(Vec<u8>, bool), hyper::Error> {
    let mut kept = Vec::new();
    while let Some(frame) = body.frame().await {
        if let Some(data) = frame?.data_ref() {
            let room = LARGEST_BODY - kept.len();
            kept.extend_from_slice(&data[..data.len().min(room)]);
            if data.len() > room {
                return Ok((kept, true));
            }
        }
    }
    Ok((kept, false))
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use super::*;

    #[derive(Debug)]
    struct Failure(&'static str, Option<Box<Failure>>);

    impl fmt::Display for Failure {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl std::error::Error for Failure {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            self.1.as_deref().map(|cause| cause as &(dyn std::error::Error + 'static))
        }
    }

    #[test]
    fn every_cause_is_told() {
        let reset = Failure("connection reset by peer", None);
        let broken = Failure("connection error", Some(Box::new(reset)));
        assert_eq!(with_causes(&broken), "connection error: connection reset by peer");
    }
}
