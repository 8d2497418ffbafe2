//! A DNS query over an open connection.

use std::io;
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::tcp::Connection;
use super::{ProbeError, RESET, error_queue};

/// Asks over TCP and gives the answer by `until`; where there is none, why.
///
/// # Errors
///
/// When the connection could not be used at all.
pub async fn exchange(
    connection: Connection,
    question: &[u8],
    until: Instant,
) -> Result<Result<Vec<u8>, String>, ProbeError> {
    if connection.was_reset() {
        return Ok(Err(RESET.to_owned()));
    }
    let stream = connection.into_stream().map_err(|error| ProbeError::io("cannot use a TCP socket", &error))?;
    Ok(match tokio::time::timeout_at(until.into(), converse(stream, question)).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) if error_queue::is_reset(&error) => Err(RESET.to_owned()),
        Ok(Err(error)) => Err(format!("the connection broke: {error}")),
        Err(_) => Err("nothing came over it".to_owned()),
    })
}

/// A message has its length before it (RFC 1035, section 4.2.2).
async fn converse(mut stream: tokio::net::TcpStream, question: &[u8]) -> io::Result<Vec<u8>> {
    stream.write_u16(u16::try_from(question.len()).map_err(io::Error::other)?).await?;
    stream.write_all(question).await?;
    let mut answer = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}
