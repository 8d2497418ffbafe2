//! A DNS server that knows its own records.

use std::io;
use std::rc::Rc;

use socket2::Socket;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::Running;
use super::datagrams::Datagrams;
use crate::dns::{self, Record};

/// Answers queries over a bound UDP socket until it is stopped.
pub(super) fn serve_udp(socket: Socket, zone: Rc<[Record]>, running: &Running) -> io::Result<()> {
    let socket = Datagrams::new(socket)?;
    running.spawn(async move {
        let mut buffer = vec![0; 65_536];
        loop {
            let Ok((length, from)) = socket.receive(&mut buffer).await else { continue };
            if let Some(answer) = dns::respond(&buffer[..length], &zone, true) {
                // An answer that cannot be sent is what the asker will see as silence.
                let _ = socket.answer(&answer, &from).await;
            }
        }
    });
    Ok(())
}

/// Answers queries over connections to a bound and listening TCP socket until it is stopped.
pub(super) fn serve_tcp(socket: Socket, zone: Rc<[Record]>, running: &Running) -> io::Result<()> {
    let listener = TcpListener::from_std(socket.into())?;
    let connections = running.clone();
    running.spawn(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            let zone = Rc::clone(&zone);
            // A connection that breaks is what the asker will see.
            connections.spawn(async move { drop(converse(stream, &zone).await) });
        }
    });
    Ok(())
}

/// Each message has its length before it (RFC 1035, section 4.2.2).
async fn converse(mut stream: TcpStream, zone: &[Record]) -> io::Result<()> {
    loop {
        let mut message = vec![0; usize::from(stream.read_u16().await?)];
        stream.read_exact(&mut message).await?;
        let Some(answer) = dns::respond(&message, zone, false) else { return Ok(()) };
        stream.write_u16(u16::try_from(answer.len()).map_err(io::Error::other)?).await?;
        stream.write_all(&answer).await?;
    }
}
