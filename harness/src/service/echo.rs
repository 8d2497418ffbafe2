//! Servers that send back what they get.

use std::io;

use socket2::Socket;
use tokio::net::TcpListener;

use super::datagrams::Datagrams;
use super::{Arrivals, Running};

/// Serves a bound and listening TCP socket until the worker ends.
pub(super) fn serve_tcp(socket: Socket, running: &Running) -> io::Result<()> {
    let listener = TcpListener::from_std(socket.into())?;
    let connections = running.clone();
    running.spawn(async move {
        // An accept that fails is about one connection that is gone already; the listener goes on.
        loop {
            if let Ok((mut stream, _)) = listener.accept().await {
                connections.spawn(async move {
                    let (mut reader, mut writer) = stream.split();
                    // A connection that breaks is what the probe will see.
                    let _ = tokio::io::copy(&mut reader, &mut writer).await;
                });
            }
        }
    });
    Ok(())
}

/// Serves a bound UDP socket until the worker ends, and notes what has arrived.
pub(super) fn serve_udp(socket: Socket, arrivals: Arrivals, running: &Running) -> io::Result<()> {
    let socket = Datagrams::new(socket)?;
    running.spawn(async move {
        let mut buffer = vec![0; 65_536];
        loop {
            if let Ok((length, from)) = socket.receive(&mut buffer).await {
                arrivals.add(&buffer[..length], from.address().ip());
                // An answer that cannot be sent is what the probe will see as silence.
                let _ = socket.answer(&buffer[..length], &from).await;
            }
        }
    });
    Ok(())
}
