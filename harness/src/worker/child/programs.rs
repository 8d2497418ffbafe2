//! The place where the case's own programs run: the cage, and a room for each node that runs one.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use super::files::Files;
use super::rules::Load;
use crate::case::LARGEST_FILE;
use crate::lab::{self, Lab};
use crate::plan::{NodeId, Plan};
use crate::service::cage::{Cage, Door, Folder, Room, Setting, Tenant};
use crate::service::command::Place;
use crate::worker::message::Broken;

/// The cage and its rooms so far.
#[derive(Debug)]
pub(super) struct Programs {
    cage: Cage,
    rooms: RefCell<HashMap<NodeId, Rc<Room>>>,
    files: Files,
    loads: RefCell<HashMap<NodeId, Vec<Load>>>,
}

impl Programs {
    /// Makes the cage, while the process has one thread.
    pub(super) fn prepare(plan: &Plan, folder: Option<Folder>, files: Files) -> Result<Self, Broken> {
        let setting = Setting { hosts: &hosts(plan), folder: folder.as_ref(), files: &files.own, settle: lab::settle };
        let cage = Cage::make(&setting).map_err(|error| {
            if error.kind() == io::ErrorKind::PermissionDenied {
                return Broken::lacking(format!("this machine allows no place for the programs of a case: {error}"));
            }
            Broken::new(format!("cannot make the place where programs run: {error}"))
                .help("run `netcase doctor`: it says what is missing and how to get it")
        })?;
        Ok(Self { cage, rooms: RefCell::default(), files, loads: RefCell::default() })
    }

    /// Says which network namespaces are the lab's own.
    pub(super) fn know(&self, lab: &Lab) -> Result<(), Broken> {
        let own = lab.nodes.iter().map(|node| &node.namespace);
        self.cage.know(own).map_err(|error| Broken::new(format!("the guard of programs is gone: {error}")))
    }

    /// Has a network namespace that was found settled as the nodes are.
    pub(super) fn settle(&self, namespace: OwnedFd) -> io::Result<OwnedFd> {
        self.cage.settle(namespace.as_fd())?;
        Ok(namespace)
    }

    /// The room of a node, made for its first program.
    ///
    /// # Errors
    ///
    /// That the node is not there, and what making the room says.
    pub(super) fn room(&self, plan: &Plan, lab: &Lab, node: NodeId) -> io::Result<Rc<Room>> {
        if lab.node(node).absent {
            return Err(io::Error::other(format!("there is no node {} now", plan.nodes[node].name)));
        }
        if let Some(room) = self.rooms.borrow().get(&node) {
            return Ok(Rc::clone(room));
        }
        let made = &plan.nodes[node];
        let own = self.files.placings.iter().filter(|(whose, _)| *whose == node);
        let tenant = Tenant {
            name: &made.name,
            network: &lab.node(node).namespace,
            resolvers: made.resolver.iter().map(|address| format!("nameserver {address}\n")).collect(),
            files: own.map(|(_, placing)| placing).collect(),
        };
        let room = Rc::new(match made.created_by {
            Some(creator) => self.cage.room_within(&*self.room(plan, lab, creator)?, &tenant)?,
            None => {
                lab::speak_ipv6(made, lab.node(node))?;
                let nodes = plan.nodes.iter().zip(&lab.nodes).filter(|(node, _)| node.created_by.is_none());
                let doors: Vec<Door<'_>> =
                    nodes.map(|(node, made)| Door { name: &node.name, namespace: &made.namespace }).collect();
                self.cage.room(&tenant, &doors)?
            }
        });
        self.rooms.borrow_mut().insert(node, Rc::clone(&room));
        Ok(room)
    }

    /// Where a node's programs run.
    pub(super) fn place<'a>(&'a self, lab: &'a Lab, node: NodeId, room: &'a Room) -> Place<'a> {
        Place { cage: &self.cage, room, network: &lab.node(node).namespace }
    }

    /// Forgets the room of a node that may be another one, or none, from now on.
    pub(super) fn forget(&self, node: NodeId) {
        self.rooms.borrow_mut().remove(&node);
        self.loads.borrow_mut().remove(&node);
    }

    /// A path of the case as programs see it.
    pub(super) fn path(&self, written: &str) -> PathBuf {
        self.cage.folder.join(written)
    }

    /// What may be missing to a script that lies outside of the case's own folder: it is seen, what is beside it is not.
    pub(super) fn unseen(&self, script: &str) -> Option<String> {
        is_hidden(&self.cage.folder, &self.cage.folder.join(script))
            .then(|| format!("{HIDDEN}; of what lies beside {script}, there is nothing"))
    }

    /// What the machine refuses of the confinement.
    pub(super) fn lost(&self) -> &[String] {
        &self.cage.lost
    }

    /// The network namespace that stands below `/run/netns` of a node.
    pub(super) fn namespace(&self, plan: &Plan, lab: &Lab, node: NodeId, name: &str) -> io::Result<OwnedFd> {
        self.settle(self.cage.open_namespace(&*self.room(plan, lab, node)?, name)?)
    }

    /// Remembers what a load has made in a node.
    pub(super) fn loaded(&self, node: NodeId, load: Load) {
        self.loads.borrow_mut().entry(node).or_default().push(load);
    }

    /// What loads have made in a node, in their order.
    pub(super) fn loads(&self, node: NodeId) -> Vec<Load> {
        self.loads.borrow().get(&node).cloned().unwrap_or_default()
    }

    /// The names in a folder as the programs of a node see it; none where there is no such folder.
    pub(super) fn list(&self, room: &Room, folder: &Path) -> Vec<String> {
        self.cage.names(room, folder).unwrap_or_default()
    }

    /// The files that the case brings.
    pub(super) fn files(&self) -> &Files {
        &self.files
    }

    /// A line of a file that the case brings.
    pub(super) fn line(&self, written: &str, number: usize) -> Option<String> {
        let text = self.files.text(0, Path::new(written))?;
        text.lines().nth(number.checked_sub(1)?).map(|line| line.trim().to_owned())
    }

    /// The line at which a bash script of a node ended with this exit status, where it is known.
    pub(super) fn failed_line(&self, room: &Room, script: &str, exit: i32) -> Option<usize> {
        let (line, status, file) = self.cage.failed_line(room)?;
        (file == script && status == exit).then_some(line)
    }

    /// A file as the programs of a node see it.
    pub(super) fn read(&self, room: &Room, path: &Path) -> Option<String> {
        self.cage.read(room, &self.cage.folder.join(path), LARGEST_FILE as u64)
    }

    /// What stands below `/run/netns` of a node.
    pub(super) fn names(&self, plan: &Plan, lab: &Lab, node: NodeId) -> String {
        let names = self.room(plan, lab, node).and_then(|room| self.cage.namespaces(&room));
        names.map_or_else(|error| error.to_string(), |names| names.join(", "))
    }

    /// Adds what the cage may have to do with a program that could not be started.
    pub(super) fn explain(&self, run: &[String], error: &io::Error, mut broken: Broken) -> Broken {
        let program = run.first().filter(|program| program.contains('/'));
        let hidden = program.is_some_and(|program| is_hidden(&self.cage.folder, &self.cage.folder.join(program)));
        if error.kind() == io::ErrorKind::NotFound && hidden {
            broken = broken.note(HIDDEN);
        }
        broken.notes.extend(self.cage.lost.iter().cloned());
        broken
    }
}

/// What is said of a path that is hidden.
const HIDDEN: &str = "the programs of a case see /home, /root and /tmp empty, but for the case's own folder";

/// Whether a path lies where programs see nothing of the machine's.
fn is_hidden(own: &Path, path: &Path) -> bool {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(plain.pop()),
            part => plain.push(part),
        }
    }
    ["/home", "/root", "/tmp"].iter().any(|folder| plain.starts_with(folder)) && !plain.starts_with(own)
}

/// The text of `/etc/hosts`: every node by name, at each of its addresses.
fn hosts(plan: &Plan) -> String {
    let mut text = String::from("127.0.0.1\tlocalhost\n::1\tlocalhost\n");
    for node in plan.nodes.iter().filter(|node| !node.switch) {
        for cidr in node.interfaces.iter().flat_map(|interface| &interface.addresses) {
            text.push_str(&format!("{}\t{}\n", cidr.address, node.name));
        }
    }
    text
}
