//! An HTTP server with one answer, by hyper.

use std::convert::Infallible;
use std::io;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Response, StatusCode};
use hyper_util::rt::TokioIo;
use socket2::Socket;
use tokio::net::TcpListener;

use super::Running;

/// The one answer.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
}

impl Answer {
    /// An answer from its parts.
    pub(super) fn new(status: u16, headers: &[(String, String)], body: &str) -> io::Result<Self> {
        let invalid = |error: &dyn std::fmt::Display| io::Error::new(io::ErrorKind::InvalidInput, error.to_string());
        Ok(Self {
            status: StatusCode::from_u16(status).map_err(|error| invalid(&error))?,
            headers: headers
                .iter()
                .map(|(name, value)| {
                    Ok((
                        HeaderName::try_from(name).map_err(|error| invalid(&error))?,
                        HeaderValue::try_from(value).map_err(|error| invalid(&error))?,
                    ))
                })
                .collect::<io::Result<_>>()?,
            body: Bytes::copy_from_slice(body.as_bytes()),
        })
    }

    fn response(&self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(self.body.clone()));
        *response.status_mut() = self.status;
        for (name, value) in &self.headers {
            response.headers_mut().append(name, value.clone());
        }
        response
    }
}

/// Serves a bound and listening socket until the worker ends.
pub(super) fn serve(socket: Socket, answer: Answer, running: &Running) -> io::Result<()> {
    let listener = TcpListener::from_std(socket.into())?;
    let connections = running.clone();
    running.spawn(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            let answer = answer.clone();
            connections.spawn(async move {
                let respond = service_fn(move |_| {
                    let response = answer.response();
                    async move { Ok::<_, Infallible>(response) }
                });
                // A connection that breaks is what the probe will see; the server has nobody to tell.
                let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), respond).await;
            });
        }
    });
    Ok(())
}
