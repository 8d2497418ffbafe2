//! Whether the kernel stamps what it receives.
//!
//! It begins to do so some time after the first socket has asked for it (`net_enable_timestamp` of the kernel has a
//! worker do it), and until then gives each packet the time at which it is read: captures of several nodes would be out
//! of order.

use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrIn, recvmsg, setsockopt, sockopt};

/// How often is looked, and how many times.
const INTERVAL: Duration = Duration::from_millis(1);
const LOOKS: u32 = 300;

/// Returns when what is received is stamped as it arrives: true, or false when that is not so after a while. Looks at
/// datagrams to `lo` of the namespace that the thread is in, which must be up.
///
/// # Errors
///
/// What the system calls say.
pub async fn begun() -> io::Result<bool> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
    let own = socket.local_addr()?;
    for _ in 0..LOOKS {
        socket.send_to(&[0], own)?;
        tokio::time::sleep(INTERVAL).await;
        if read(&socket)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether the datagram that waits was stamped before it is read.
fn read(socket: &UdpSocket) -> io::Result<bool> {
    let before = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut byte = [0];
    let mut parts = [io::IoSliceMut::new(&mut byte)];
    let mut space = nix::cmsg_space!(nix::sys::time::TimeSpec);
    let message = recvmsg::<SockaddrIn>(socket.as_raw_fd(), &mut parts, Some(&mut space), MsgFlags::empty())?;
    Ok(message.cmsgs()?.any(|part| match part {
        ControlMessageOwned::ScmTimestampns(stamp) => Duration::from(stamp) < before,
        _ => false,
    }))
}
