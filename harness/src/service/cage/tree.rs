//! Mounts held by a descriptor: the system calls of Linux 5.2 and 5.12 that the libraries have no names for.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// `struct mount_attr` (linux/mount.h).
#[repr(C)]
#[derive(Default)]
struct Attributes {
    set: u64,
    clear: u64,
    propagation: u64,
    users: u64,
}

/// `linux/mount.h`.
const MOUNT_ATTR_RDONLY: u64 = 0x1;
const MOUNT_ATTR_IDMAP: u64 = 0x0010_0000;
const OPEN_TREE_CLONE: libc::c_uint = 1;
const OPEN_TREE_CLOEXEC: libc::c_uint = libc::O_CLOEXEC.cast_unsigned();
const MOVE_MOUNT_F_EMPTY_PATH: libc::c_uint = 0x4;

/// A folder as a mount of its own, read-only, that is not yet anywhere.
///
/// # Errors
///
/// What `open_tree(2)` and `mount_setattr(2)` say.
pub fn pick(folder: &Path) -> io::Result<OwnedFd> {
    let path = c_string(folder)?;
    // SAFETY: the path is a C string that lives through the call; what comes back is a descriptor of our own.
    #[expect(unsafe_code, reason = "no library has this system call")]
    let tree = unsafe {
        let flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
        OwnedFd::from_raw_fd(checked(libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, path.as_ptr(), flags))?)
    };
    change(tree.as_fd(), &Attributes { set: MOUNT_ATTR_RDONLY, ..Attributes::default() })?;
    Ok(tree)
}

/// Shows the files of root in such a mount as files of the root of a user namespace.
///
/// # Errors
///
/// What `mount_setattr(2)` says; `EINVAL` where the file system cannot do it.
pub fn give_to(tree: &OwnedFd, users: BorrowedFd<'_>) -> io::Result<()> {
    let users = u64::from(users.as_raw_fd().cast_unsigned());
    change(tree.as_fd(), &Attributes { set: MOUNT_ATTR_IDMAP, users, ..Attributes::default() })
}

/// Puts such a mount where it is to be.
pub(super) fn attach(tree: &OwnedFd, place: &Path) -> io::Result<()> {
    let path = c_string(place)?;
    // SAFETY: both paths are C strings that live through the call.
    #[expect(unsafe_code, reason = "no library has this system call")]
    unsafe {
        checked(libc::syscall(
            libc::SYS_move_mount,
            tree.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_FDCWD,
            path.as_ptr(),
            MOVE_MOUNT_F_EMPTY_PATH,
        ))?;
    }
    Ok(())
}

/// Makes a mount read-only, and leaves its other attributes, some of which may be locked.
pub(super) fn make_read_only(place: &Path) -> io::Result<()> {
    let mount = nix::fcntl::open(
        place,
        nix::fcntl::OFlag::O_PATH | nix::fcntl::OFlag::O_CLOEXEC,
        nix::sys::stat::Mode::empty(),
    )?;
    change(mount.as_fd(), &Attributes { set: MOUNT_ATTR_RDONLY, ..Attributes::default() })
}

fn change(mount: BorrowedFd<'_>, attributes: &Attributes) -> io::Result<()> {
    // SAFETY: the structure is the kernel's, of the size that is said, and lives through the call.
    #[expect(unsafe_code, reason = "no library has this system call")]
    unsafe {
        checked(libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH,
            std::ptr::from_ref(attributes),
            size_of::<Attributes>(),
        ))?;
    }
    Ok(())
}

fn c_string(path: &Path) -> io::Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| io::ErrorKind::InvalidInput.into())
}

fn checked(result: libc::c_long) -> io::Result<i32> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(i32::try_from(result).unwrap_or(0)) }
}
