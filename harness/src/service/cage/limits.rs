//! What one program may use, so that one that runs wild takes its case down and not the machine.

use std::io;

use nix::sys::resource::{Resource, rlim_t, setrlimit};

/// Processes and threads of a case at a time. The kernel counts them by user namespace (since 5.14), so each case has
/// its own.
const PROCESSES: rlim_t = 512;

/// Private writable memory of one process, in bytes; address space that is only reserved does not count.
const MEMORY: rlim_t = 2 << 30;

/// The largest file, in bytes: as much as all layers together hold.
const FILE: rlim_t = 256 << 20;

/// Open files: what a login has. Some programs close all that they might have, one by one.
const OPEN: (rlim_t, rlim_t) = (1024, 65_536);

/// The kernel takes one byte for "no core dump, and none to the machine's handler either" (fs/coredump.c).
const CORE: rlim_t = 1;

/// `linux/capability.h`. In a PID namespace reboot(2) kills its first process, and with it everything.
const CAP_SYS_BOOT: libc::c_ulong = 22;

/// Sets the limits of the calling process and of all that it starts.
pub(super) fn set() -> io::Result<()> {
    setrlimit(Resource::RLIMIT_NPROC, PROCESSES, PROCESSES)?;
    setrlimit(Resource::RLIMIT_DATA, MEMORY, MEMORY)?;
    setrlimit(Resource::RLIMIT_FSIZE, FILE, FILE)?;
    setrlimit(Resource::RLIMIT_CORE, CORE, CORE)?;
    let (_, most) = nix::sys::resource::getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, OPEN.0.min(most), OPEN.1.min(most))?;
    // SAFETY: this call takes numbers only.
    #[expect(unsafe_code, reason = "nix has no name for this option")]
    let dropped = unsafe { libc::prctl(libc::PR_CAPBSET_DROP, CAP_SYS_BOOT, 0, 0, 0) };
    if dropped == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
