//! Routing netlink without its three lies: a failed dump is an error and not empty, an interrupted dump is asked for
//! again, and an answer that cannot be decoded is an error and not left out.
//!
//! rtnetlink's own getters tell none of the three, so requests go through [`Netlink::ask`] and [`Netlink::dump`] here;
//! its builders and its connection are used as they are.

mod links;
mod parameters;
mod serve;
mod undecodable;
mod verbs;

use std::io;
use std::time::{Duration, Instant};

use futures_util::{Stream, StreamExt};
use rtnetlink::packet_core::{NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::sys::AsyncSocket;

use super::KernelError;
use crate::extended_ack;
use crate::namespace::Namespace;

pub(super) use links::macvlan_mode;
pub(super) use serve::Table;
pub(super) use verbs::VethEnd;

/// `NLM_F_DUMP_INTR` of linux/netlink.h: the table changed while it was dumped.
const DUMP_INTERRUPTED: u16 = 0x10;

/// How often an interrupted dump is asked for again before it is an error.
const DUMP_TRIES: u32 = 10;

/// How long the kernel may take to answer. It answers at once, but for a kind of link whose module it loads first.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long it has taken before it is looked whether its answer could not be decoded.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// A routing socket of one node.
#[derive(Clone, Debug)]
pub struct Netlink {
    handle: rtnetlink::Handle,
}

impl Netlink {
    /// Opens a socket in the namespace that the thread is in, and drives it from the current runtime.
    ///
    /// # Errors
    ///
    /// What socket(2) and setsockopt(2) say.
    pub fn open() -> io::Result<Self> {
        undecodable::watch();
        let (mut connection, handle, _) = rtnetlink::new_connection_with_strict_check()?;
        connection.set_forward_done(true);
        connection.socket_mut().socket_mut().set_ext_ack(true)?;
        tokio::spawn(connection);
        Ok(Self { handle })
    }

    /// Opens a socket in a namespace.
    ///
    /// # Errors
    ///
    /// As [`Netlink::open`].
    pub fn open_in(namespace: &Namespace) -> io::Result<Self> {
        namespace.within(Self::open)
    }

    /// Takes up the loopback interface, which is 1 in every namespace.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub async fn take_loopback_up(&self) -> Result<(), KernelError> {
        let message = rtnetlink::LinkUnspec::new_with_index(1).up().build();
        self.ask(RouteNetlinkMessage::SetLink(message), 0, || "ip link set lo up".to_owned()).await
    }

    /// A request that the kernel answers with yes or no.
    pub(super) async fn ask(
        &self,
        message: RouteNetlinkMessage,
        flags: u16,
        operation: impl FnOnce() -> String,
    ) -> Result<(), KernelError> {
        match self.answers(message, NLM_F_REQUEST | NLM_F_ACK | flags).await {
            Ok(_) => Ok(()),
            Err(refusal) => Err(refusal.named(operation())),
        }
    }

    /// A request that the kernel answers with one message.
    pub(super) async fn get(
        &self,
        message: RouteNetlinkMessage,
        operation: impl FnOnce() -> String,
    ) -> Result<Option<RouteNetlinkMessage>, KernelError> {
        match self.answers(message, NLM_F_REQUEST | NLM_F_ACK).await {
            Ok(mut answers) => Ok(answers.messages.pop()),
            Err(refusal) => Err(refusal.named(operation())),
        }
    }

    /// A whole table.
    pub(super) async fn dump(
        &self,
        message: RouteNetlinkMessage,
        operation: &str,
    ) -> Result<Vec<RouteNetlinkMessage>, KernelError> {
        whole(operation, async || self.answers(message.clone(), NLM_F_REQUEST | NLM_F_DUMP).await).await
    }

    async fn answers(&self, message: RouteNetlinkMessage, flags: u16) -> Result<Answers, Refusal> {
        let mut request = NetlinkMessage::from(message);
        request.header.flags = flags;
        let undecodable = undecodable::count();
        let stream =
            self.handle.clone().request(request).map_err(|_| Refusal::broken("the routing socket is closed"))?;
        collect(stream, undecodable).await
    }
}

/// Asks for a table until it is whole.
async fn whole(
    operation: &str,
    mut ask: impl AsyncFnMut() -> Result<Answers, Refusal>,
) -> Result<Vec<RouteNetlinkMessage>, KernelError> {
    for _ in 0..DUMP_TRIES {
        let answers = ask().await.map_err(|refusal| refusal.named(operation.to_owned()))?;
        if !answers.done {
            return Err(KernelError::broken(operation, "the kernel's answer has no end"));
        }
        if !answers.interrupted {
            return Ok(answers.messages);
        }
    }
    Err(KernelError::broken(operation, format!("the table changed during each of {DUMP_TRIES} dumps")))
}

/// Takes in every answer to one request; `undecodable` is how many could not be decoded before it.
async fn collect(
    mut stream: impl Stream<Item = NetlinkMessage<RouteNetlinkMessage>> + Unpin,
    undecodable: usize,
) -> Result<Answers, Refusal> {
    let mut answers = Answers::default();
    while let Some(answer) = next(&mut stream, undecodable).await? {
        answers.interrupted |= answer.header.flags & DUMP_INTERRUPTED != 0;
        match answer.payload {
            NetlinkPayload::InnerMessage(message) => answers.messages.push(message),
            NetlinkPayload::Done(done) if done.code < 0 => {
                return Err(Refusal { errno: -done.code, text: None });
            }
            NetlinkPayload::Done(_) => answers.done = true,
            NetlinkPayload::Error(error) => {
                let Some(code) = error.code else { continue };
                let text = extended_ack::text(answer.header.flags, &error.header);
                return Err(Refusal { errno: -code.get(), text });
            }
            NetlinkPayload::Noop => {}
            NetlinkPayload::Overrun(_) => return Err(Refusal::broken("an answer of the kernel was lost")),
            _ => return Err(Refusal::broken("the kernel gave an answer of an unknown kind")),
        }
    }
    match undecodable::since(undecodable) {
        Some(message) => Err(Refusal::undecodable(&message)),
        None => Ok(answers),
    }
}

/// The next answer. One that cannot be decoded never comes, so it is looked for meanwhile.
async fn next<T>(stream: &mut (impl Stream<Item = T> + Unpin), undecodable: usize) -> Result<Option<T>, Refusal> {
    let asked = Instant::now();
    loop {
        match tokio::time::timeout(LOOK_AGAIN, stream.next()).await {
            Ok(next) => return Ok(next),
            Err(_) => {
                if let Some(message) = undecodable::since(undecodable) {
                    return Err(Refusal::undecodable(&message));
                }
                if asked.elapsed() > PATIENCE {
                    return Err(Refusal::broken("the kernel gave no answer"));
                }
            }
        }
    }
}

#[derive(Debug, Default)]
struct Answers {
    messages: Vec<RouteNetlinkMessage>,
    done: bool,
    interrupted: bool,
}

/// A refusal without the name of what was asked: that is put together only when it is needed.
#[derive(Debug)]
struct Refusal {
    errno: i32,
    text: Option<String>,
}

impl Refusal {
    fn broken(text: &str) -> Self {
        Self { errno: 0, text: Some(text.to_owned()) }
    }

    fn undecodable(message: &str) -> Self {
        Self::broken(&format!("the kernel's answer could not be decoded: {message}"))
    }

    fn named(self, operation: String) -> KernelError {
        KernelError { operation, errno: self.errno, text: self.text }
    }
}

#[cfg(test)]
mod tests;
