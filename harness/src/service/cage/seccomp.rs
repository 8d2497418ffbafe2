//! Processes that wait at a system call until another answers: the calls of `seccomp_unotify(2)`.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};

/// Whether processes can be watched here, by a copy of this one that ends.
pub(super) fn possible() -> io::Result<()> {
    // SAFETY: the process has one thread, so no lock is held by another at the time of the fork.
    #[expect(unsafe_code, reason = "a filter stays for ever, so it is tried in a process that ends")]
    let forked = unsafe { fork() }?;
    match forked {
        ForkResult::Child => {
            let tried = prctl::set_no_new_privs().map_err(io::Error::from).and_then(|()| listen());
            let code = tried.map_or_else(|error| error.raw_os_error().unwrap_or(libc::EIO), |_| 0);
            // SAFETY: _exit(2) only ends the process.
            #[expect(unsafe_code, reason = "std offers no exit without running the parent's handlers")]
            unsafe {
                libc::_exit(code)
            }
        }
        ForkResult::Parent { child } => match waitpid(child, None)? {
            WaitStatus::Exited(_, 0) => Ok(()),
            WaitStatus::Exited(_, code) => Err(io::Error::from_raw_os_error(code)),
            _ => Err(io::Error::other("the process that tried it died")),
        },
    }
}

/// What a filter does (`linux/bpf_common.h`): takes a word of what it looks at, compares it or its bits, and gives the
/// outcome.
const LOAD: u16 = 0x20;
const EQUALS: u16 = 0x15;
const HAS_ANY: u16 = 0x45;
const GIVE: u16 = 0x06;

/// Where in `struct seccomp_data` the number of the call stands, and the lower half of an argument.
const CALL: u32 = 0;
const fn argument(number: u32) -> u32 {
    16 + 8 * number + if cfg!(target_endian = "big") { 4 } else { 0 }
}

/// `SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV` (`linux/seccomp.h`, Linux 5.19): no signal but a deadly one interrupts a
/// call that is looked at, which a program would see.
const KILLABLE: libc::c_ulong = 1 << 5;

/// `linux/fs.h`, in which `O_WRONLY` and `O_RDWR` are.
const WRITES: u32 = 0o3;

/// `SECCOMP_USER_NOTIF_FLAG_CONTINUE` (`linux/seccomp.h`).
const CONTINUE: u32 = 1;

/// Installs the filter; gives the descriptor that hears of what it stops: whatever a program may do to the settings of a
/// network namespace, or by which others come to one. It executes a program, mounts, opens a file to write, or has a
/// socket that is not local.
pub(super) fn listen() -> io::Result<OwnedFd> {
    let step = |code, k, jt, jf| libc::sock_filter { code, jt, jf, k };
    let number = |call: libc::c_long| u32::try_from(call).unwrap_or(u32::MAX);
    // Another architecture's calls have other numbers: whichever those stop goes on as well, and nothing but namespaces
    // that nobody knows is changed.
    let mut filter = vec![step(LOAD, CALL, 0, 0)];
    let always = [libc::SYS_execve, libc::SYS_execveat, libc::SYS_mount, libc::SYS_move_mount, libc::SYS_openat2];
    for call in always {
        filter.push(step(EQUALS, number(call), 0, 1));
        filter.push(step(GIVE, libc::SECCOMP_RET_USER_NOTIF, 0, 0));
    }
    #[cfg(target_arch = "x86_64")]
    let opens = [(libc::SYS_openat, 2), (libc::SYS_open, 1)];
    #[cfg(not(target_arch = "x86_64"))]
    let opens = [(libc::SYS_openat, 2)];
    for (call, flags) in opens {
        filter.push(step(EQUALS, number(call), 0, 4));
        filter.push(step(LOAD, argument(flags), 0, 0));
        filter.push(step(HAS_ANY, WRITES, 0, 1));
        filter.push(step(GIVE, libc::SECCOMP_RET_USER_NOTIF, 0, 0));
        filter.push(step(GIVE, libc::SECCOMP_RET_ALLOW, 0, 0));
    }
    filter.push(step(EQUALS, number(libc::SYS_socket), 0, 3));
    filter.push(step(LOAD, argument(0), 0, 0));
    filter.push(step(EQUALS, libc::AF_UNIX.cast_unsigned(), 1, 0));
    filter.push(step(GIVE, libc::SECCOMP_RET_USER_NOTIF, 0, 0));
    filter.push(step(GIVE, libc::SECCOMP_RET_ALLOW, 0, 0));
    match install(&filter, KILLABLE) {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => install(&filter, 0),
        installed => installed,
    }
}

fn install(filter: &[libc::sock_filter], flags: libc::c_ulong) -> io::Result<OwnedFd> {
    let length = u16::try_from(filter.len()).map_err(io::Error::other)?;
    let program = libc::sock_fprog { len: length, filter: filter.as_ptr().cast_mut() };
    // SAFETY: the kernel copies the filter before the call returns, and gives a descriptor of ours.
    #[expect(unsafe_code, reason = "nix has no name for this system call")]
    unsafe {
        let flags = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER | flags;
        let listener =
            libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, std::ptr::from_ref(&program));
        match i32::try_from(listener) {
            Ok(listener) if listener >= 0 => Ok(OwnedFd::from_raw_fd(listener)),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// The process that waits; none when it has ended meanwhile.
pub(super) fn receive(listener: BorrowedFd<'_>) -> io::Result<Option<libc::seccomp_notif>> {
    // SAFETY: the structure is plain numbers, and the kernel wants it to be zero; it fills what it is given.
    #[expect(unsafe_code, reason = "nix has no name for this system call")]
    let (done, asked) = unsafe {
        let mut asked: libc::seccomp_notif = std::mem::zeroed();
        (libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut asked), asked)
    };
    if done == 0 { Ok(Some(asked)) } else { gone().map(|()| None) }
}

/// Has a process go on, or has its call fail.
pub(super) fn send(listener: BorrowedFd<'_>, id: u64, error: i32) -> io::Result<()> {
    let flags = if error == 0 { CONTINUE } else { 0 };
    let mut answer = libc::seccomp_notif_resp { id, val: 0, error: -error, flags };
    // SAFETY: the kernel reads the structure, which lives through the call.
    #[expect(unsafe_code, reason = "nix has no name for this system call")]
    let done = unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, &raw mut answer) };
    if done == 0 { Ok(()) } else { gone() }
}

/// Whether a call failed only because the process that waited has ended, or was interrupted and asks again.
fn gone() -> io::Result<()> {
    match Errno::last() {
        Errno::ENOENT | Errno::EINTR => Ok(()),
        errno => Err(errno.into()),
    }
}
