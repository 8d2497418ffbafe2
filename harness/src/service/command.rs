//! A program of the case's own, run as root of its node until the case ends.

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::process::Stdio;
use std::rc::Rc;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::prctl;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::sync::Notify;

use super::cage::{Cage, Room};

/// Where programs are looked for, whatever the environment says: the same on every machine.
pub const SEARCH_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How much of a program's output is kept, from its end.
const KEPT: usize = 64 * 1024;

/// A running program.
#[derive(Debug)]
pub struct Program {
    child: Child,
    output: Output,
}

/// What a program has printed.
#[derive(Clone, Debug, Default)]
struct Output {
    text: Rc<RefCell<Vec<u8>>>,
    changed: Rc<Notify>,
}

impl Program {
    /// Starts a program in a node.
    ///
    /// # Errors
    ///
    /// What execve(2) and the steps into the cage say.
    pub fn start(cage: &Cage, room: &Room<'_>, run: &[String], env: &[(String, String)]) -> io::Result<Self> {
        let (program, arguments) = run.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        let mut command = Command::new(program);
        command.args(arguments).env_clear().env("PATH", SEARCH_PATH).env("HOME", "/root").env("LANG", "C.UTF-8");
        command.envs(env.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).process_group(0);
        let mounts = cage.mounts.as_fd().as_raw_fd();
        let network = room.namespace.as_fd().as_raw_fd();
        let name = room.name.to_owned();
        // SAFETY: the worker has one thread, so its copy may do what it may do: nothing is locked by another thread.
        #[expect(unsafe_code, reason = "std runs code between fork and exec only so")]
        unsafe {
            command.pre_exec(move || step_in(mounts, network, &name));
        }
        let mut child = command.spawn()?;
        let output = Output::default();
        if let Some(pipe) = child.stdout.take() {
            output.clone().follow(pipe);
        }
        if let Some(pipe) = child.stderr.take() {
            output.clone().follow(pipe);
        }
        Ok(Self { child, output })
    }

    /// Ends the program and everything it has started in its process group; when this returns, it has ended.
    ///
    /// # Errors
    ///
    /// What kill(2) and waitpid(2) say.
    pub async fn stop(mut self) -> io::Result<()> {
        if let Some(group) = self.child.id().and_then(|id| i32::try_from(id).ok()) {
            killpg(Pid::from_raw(group), Signal::SIGKILL)?;
        }
        self.child.wait().await.map(drop)
    }

    /// How it has ended, if it has.
    ///
    /// # Errors
    ///
    /// What waitpid(2) says.
    pub fn ended(&mut self) -> io::Result<Option<String>> {
        Ok(self.child.try_wait()?.map(|status| status.to_string()))
    }

    /// Whether it has printed this text.
    pub fn has_printed(&self, text: &str) -> bool {
        let printed = self.output.text.borrow();
        printed.windows(text.len().max(1)).any(|window| window == text.as_bytes())
    }

    /// Returns when it has printed more.
    pub async fn prints(&self) {
        self.output.changed.notified().await;
    }

    /// The last lines that it has printed.
    pub fn last_lines(&self) -> Vec<String> {
        let printed = self.output.text.borrow();
        let text = String::from_utf8_lossy(&printed);
        let lines: Vec<&str> = text.lines().collect();
        lines.iter().skip(lines.len().saturating_sub(10)).map(|line| (*line).to_owned()).collect()
    }
}

impl Output {
    fn follow(self, mut pipe: impl AsyncRead + Unpin + 'static) {
        let local = async move {
            let mut buffer = vec![0; 8192];
            while let Ok(length @ 1..) = pipe.read(&mut buffer).await {
                let mut text = self.text.borrow_mut();
                text.extend_from_slice(&buffer[..length]);
                let surplus = text.len().saturating_sub(KEPT);
                text.drain(..surplus);
                drop(text);
                self.changed.notify_waiters();
            }
            self.changed.notify_waiters();
        };
        tokio::task::spawn_local(local);
    }
}

/// Runs between fork and exec: into the cage, into the node, with the node's own `/sys` and host name.
fn step_in(mounts: i32, network: i32, name: &str) -> io::Result<()> {
    // SAFETY: both descriptors are held open by the worker for as long as it may start programs.
    #[expect(unsafe_code, reason = "the closure outlives the borrow of the descriptors' owners")]
    let (mounts, network) =
        unsafe { (std::os::fd::BorrowedFd::borrow_raw(mounts), std::os::fd::BorrowedFd::borrow_raw(network)) };
    setns(mounts, CloneFlags::CLONE_NEWNS)?;
    setns(network, CloneFlags::CLONE_NEWNET)?;
    unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWUTS)?;
    nix::unistd::sethostname(name)?;
    let none: Option<&str> = None;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("sysfs"), "/sys", Some("sysfs"), flags, none)?;
    prctl::set_no_new_privs()?;
    Ok(())
}
