//! The place where the case's own programs run: the cage, and a room for each node that runs one.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::rc::Rc;

use crate::lab::Lab;
use crate::plan::{NodeId, Plan};
use crate::service::cage::{Cage, Door, Folder, Room, Setting};
use crate::service::command::Place;
use crate::worker::message::Broken;

/// The cage and its rooms so far.
#[derive(Debug)]
pub(super) struct Programs {
    cage: Cage,
    rooms: RefCell<HashMap<NodeId, Rc<Room>>>,
}

impl Programs {
    /// Makes the cage, while the process has one thread.
    pub(super) fn prepare(plan: &Plan, folder: Option<Folder>) -> Result<Self, Broken> {
        let setting = Setting { hosts: &hosts(plan), folder: folder.as_ref() };
        let cage = Cage::make(&setting).map_err(|error| {
            Broken::new(format!("cannot make the place where programs run: {error}"))
                .help("run `netcase doctor`: it says what is missing and how to get it")
        })?;
        Ok(Self { cage, rooms: RefCell::default() })
    }

    /// The room of a node, made for its first program.
    pub(super) fn room(&self, plan: &Plan, lab: &Lab, node: NodeId) -> io::Result<Rc<Room>> {
        if let Some(room) = self.rooms.borrow().get(&node) {
            return Ok(Rc::clone(room));
        }
        let nodes = plan.nodes.iter().zip(&lab.nodes);
        let doors: Vec<Door<'_>> =
            nodes.map(|(node, made)| Door { name: &node.name, namespace: &made.namespace }).collect();
        let room = Rc::new(self.cage.room(&plan.nodes[node].name, &lab.node(node).namespace, &doors)?);
        self.rooms.borrow_mut().insert(node, Rc::clone(&room));
        Ok(room)
    }

    /// Where a node's programs run.
    pub(super) fn place<'a>(&'a self, lab: &'a Lab, node: NodeId, room: &'a Room) -> Place<'a> {
        Place { cage: &self.cage, room, network: &lab.node(node).namespace }
    }

    /// Adds what the cage may have to do with a program that could not be started.
    pub(super) fn explain(&self, run: &[String], error: &io::Error, mut broken: Broken) -> Broken {
        let program = run.first().map(String::as_str).unwrap_or_default();
        let hidden = ["/home/", "/root/", "/tmp/"].iter().any(|folder| program.starts_with(folder));
        if error.kind() == io::ErrorKind::NotFound && hidden {
            broken =
                broken.note("the programs of a case see /home, /root and /tmp empty, but for the case's own folder");
        }
        broken.notes.extend(self.cage.lost.iter().cloned());
        broken
    }
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
