//! A policy rule that is to blame, and rules that keep a kernel from a table which has the route.

use super::policy::{self, Looked};
use super::refusal::is_link_local;
use super::world::World;
use super::{blame, command};
use crate::evidence::{Ask, Blame, Cause, CauseKind, PolicyRule};

/// A cause that a policy rule is to blame for.
pub(super) fn policy_cause(world: &World<'_>, node: usize, rule: &PolicyRule, does: String) -> Cause {
    let words = format!("the policy rule `{}` of {} {does}", rule.text, world.name(node));
    let help = Some("`ip rule` lists them in their order".to_owned());
    let place = added(world, node, rule).or_else(|| place_of_rules(world, node));
    blame::by(world, node, Cause::at(CauseKind::PolicyRule, words, place, help))
}

/// The command that added a policy rule: the one with all its selectors, as the one who added it wrote them.
fn added(world: &World<'_>, node: usize, rule: &PolicyRule) -> Option<Blame> {
    let words: Vec<&str> = rule.text.split(' ').collect();
    let values = |keys: &[&str]| -> Vec<&str> {
        let pairs = words.windows(2).filter(|pair| keys.contains(&pair[0]) && pair[1] != "all");
        pairs.map(|pair| pair[1]).collect()
    };
    let priority = rule.priority.to_string();
    let table = values(&["lookup", "goto", "suppress_prefixlength"]);
    let plain = values(&["from", "to", "iif", "oif", "dport", "sport", "ipproto"]);
    let mark = values(&["fwmark"]);
    let refuses: Vec<&str> =
        words.iter().copied().filter(|word| matches!(*word, "blackhole" | "unreachable" | "prohibit")).collect();
    let tries: [Vec<&str>; 5] = [
        [&plain[..], &mark, &table, &refuses].concat(),
        [&plain[..], &table, &refuses].concat(),
        [&plain[..], &mark].concat(),
        table.clone(),
        vec![&priority],
    ];
    let adds = |them: &command::Words<'_>| {
        let verb = them.iter().any(|word| matches!(*word, "add" | "a"));
        verb && them.iter().any(|word| matches!(*word, "rule" | "ru"))
    };
    let tries = tries.iter().filter(|selectors| !selectors.is_empty());
    let mut found = tries.filter_map(|selectors| {
        command::doing(world, node, |them| adds(them) && selectors.iter().all(|word| them.contains(word)))
    });
    found.next().or_else(|| {
        // Of a prefix or a variable it may have been written otherwise.
        let alone = world.node(node).policy.iter().filter(|other| other.v6 == rule.v6).count() == 1;
        alone.then(|| blame::done_by(world, node, &["rule", "add"])).flatten()
    })
}

fn place_of_rules(world: &World<'_>, node: usize) -> Option<Blame> {
    blame::script_of(world, node).or_else(|| blame::of_node(world, node)).map(Blame::Case)
}

/// The table `main` has a route, and the policy rules do not lead there: the one that looks it up is gone, or passes
/// over just this route.
pub(super) fn unreached(world: &World<'_>, ask: &Ask) -> Option<Cause> {
    let (node, to) = (ask.node, ask.to);
    let (line, _) =
        policy::all(world, node, "main", to).into_iter().find(|(line, _)| policy::kind(line) == "unicast")?;
    if is_link_local(to) {
        return None;
    }
    let name = world.name(node);
    match policy::looked(world, ask, "main")? {
        Looked::Used => None,
        Looked::PassedOver(rule) => {
            let does = format!("passes over the route `{line}`, and no other leads to it");
            Some(policy_cause(world, node, rule, does))
        }
        Looked::Never => {
            let words = format!(
                "no policy rule of {name} looks up the table `main` for what is for {to}, though that has the route \
                 `{line}`"
            );
            let help = Some("`ip rule add pref 32766 lookup main` in its namespace".to_owned());
            let removes = |verb: &'static str| {
                let about = |them: &command::Words<'_>| {
                    them.iter().any(|word| matches!(*word, "rule" | "ru")) && them.contains(&verb)
                };
                let named =
                    |them: &command::Words<'_>| about(them) && (them.contains(&"32766") || them.contains(&"main"));
                command::doing(world, node, named).or_else(|| command::doing(world, node, about))
            };
            let done = ["del", "delete", "flush"].into_iter().find_map(removes);
            let place = done.or_else(|| place_of_rules(world, node));
            Some(blame::by(world, node, Cause::at(CauseKind::PolicyRule, words, place, help)))
        }
    }
}
