//! A service that listens 5 ms after its start.

use std::net::TcpListener;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

pub(crate) fn main(port: u16) -> ExitCode {
    thread::sleep(Duration::from_millis(5));
    match TcpListener::bind(("0.0.0.0", port)) {
        Ok(listener) => loop {
            // It serves nobody; the case ends it.
            drop(listener.accept());
        },
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
