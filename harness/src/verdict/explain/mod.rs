//! Where a packet died, and why.
//!
//! A walk from the sender to the receiver and back, in which the kernels' own answers say what happens at each node and
//! every reason for which a packet would end is noted. What was seen on the interfaces says how far the packet really
//! came: a reason that stands before that place is none, the one at that place is the cause, and those behind it would
//! be the next ones. Where there is no reason at the place, none is named.
//!
//! - The way: `walk` goes from node to node (`travelling` is the packet, `beyond` where it would go from a node without a
//!   way), `trails` are the packets that were seen, `death` the place where one ended, `causes` what of the walk counts there, `hops` and `words` the path that
//!   is shown. `world` is all that is known.
//! - Between nodes: `wire`, `ports`, `macvlan`, `tunnel` and `below`; `neighbour`, `proxy` for who answers there.
//! - Routes: `refusal`, `no_route`, `policy`, `policy_fault`, `detour`, `astray`, `returned`, `loss`, `reverse_path`,
//!   `forwarding`, `leaving`, `expiry`, `martian`, `source`, `mark`, `course`.
//! - Rules: `rules` and `doings` by their traces, `older` by counters, `rule_text` and `conditions` by what they say,
//!   `unmet` where the packet never came to them, `let_through` and `unseen` where they should have refused it.
//! - Translations: `translator`, `translation`, `forward`, `way_back`, `exemption`, `seen_source`.
//! - Ends: `endpoint`, `listener`, `talk`, `server`, `misplaced`, `names`.
//! - A second fault: `send_on` and `craft` put the packet on the wire behind the first one.
//! - The line to blame: `blame`, `command`, `route`.
//!
//! Pure: what only a kernel knows is asked for ([`Explained::Asks`]) and comes with the evidence the next time.

mod again;
mod astray;
mod below;
mod beyond;
mod blame;
mod causes;
mod command;
mod conditions;
mod course;
mod craft;
mod death;
mod detour;
mod doings;
mod endpoint;
mod exemption;
mod expiry;
mod forward;
mod forwarding;
mod hops;
mod known;
mod leaving;
mod let_through;
mod listener;
mod loss;
mod macvlan;
mod mark;
mod martian;
mod misplaced;
mod names;
mod neighbour;
mod no_route;
mod older;
mod passages;
mod policy;
mod policy_fault;
mod ports;
mod proxy;
mod refusal;
mod returned;
mod reverse_path;
mod route;
mod rule_text;
mod rules;
mod seen_source;
mod send_on;
mod server;
mod source;
mod talk;
mod trails;
mod translation;
mod translator;
mod travelling;
mod tunnel;
mod unmet;
mod unseen;
mod walk;
mod way_back;
mod wire;
mod words;
mod world;

use crate::evidence::{Act, Ask, Cause, CauseKind, Evidence, Explanation, SentOn};
use crate::observation::Observation;
use crate::plan::{Check, Node, Operation, Plan};
use crate::source::Span;
use crate::verdict::words::all_of;
pub use again::Probed;
pub use passages::comments;
pub use words::path_lines;
use world::World;

/// What is explained.
#[derive(Clone, Copy, Debug)]
pub struct Matter<'a> {
    /// The plan; its nodes are as the case wants them at this step.
    pub plan: &'a Plan,
    /// The nodes as the case has them at first.
    pub initial: &'a [Node],
    /// What the steps have done so far.
    pub performed: &'a [Operation],
    /// What was probed.
    pub check: &'a Check,
    /// Where that stands.
    pub span: Span,
    /// What the second probe saw.
    pub observation: Option<&'a Observation>,
    /// What was gathered of it.
    pub evidence: &'a Evidence,
}

/// An explanation, or what it lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Explained {
    /// This became of it.
    Done(Box<Explanation>),
    /// The kernels must be asked this first.
    Asks(Vec<Ask>),
    /// A packet must be sent on first, and what became of it be in the evidence.
    SendOn(SentOn),
}

/// Explains what became of a probe.
pub fn explain(matter: Matter<'_>) -> Explained {
    let world = World::new(matter);
    let explanation = certain(seen(walk::explain(&world), &world), &world.unread());
    match world.into_wants() {
        (asks, _) if !asks.is_empty() => Explained::Asks(asks),
        (_, Some(packet)) => Explained::SendOn(packet),
        (_, None) => Explained::Done(Box::new(explanation)),
    }
}

/// Where packets were missed, one that was not seen may have passed all the same. What then still holds: a rule that was
/// seen to end it, and that nobody has the address asked for.
fn seen(explanation: Explanation, world: &World<'_>) -> Explanation {
    let unseen: Vec<&str> = world.evidence().unseen.iter().map(|node| world.name(*node)).collect();
    let holds = |cause: &Cause| cause.kind == CauseKind::NoAddress || rules::is_seen(world, cause);
    if unseen.is_empty() || explanation.causes.first().is_some_and(holds) {
        return explanation;
    }
    let known = format!("not all packets in {} were captured, and without them no cause is certain", all_of(&unseen));
    let hops = explanation.hops.into_iter().filter(|hop| !matches!(hop.act, Act::Dropped { .. })).collect();
    Explanation { hops, causes: Vec::new(), known: vec![known], ..explanation }
}

/// What does not stand in a table that was not read, or not to its end, is not known to be missing: then no cause is.
fn certain(explanation: Explanation, unread: &[&str]) -> Explanation {
    if unread.is_empty() {
        return explanation;
    }
    let known = format!("not all tables of {} are known, and without them no cause is certain", all_of(unread));
    Explanation { causes: Vec::new(), known: vec![known], ..explanation }
}
