//! What the machine must have.

use super::lab::Lab;
use super::steps::Told;
use crate::case::CaseList;
use crate::diagnostic::{Diagnostic, Diagnostics, suggest};
use crate::plan::{Need, Service, ServiceKind, runs};
use crate::source::Spanned;

/// The needs that the case states, and those that follow from what it says.
pub(super) fn resolve(
    written: Option<CaseList<Spanned<String>>>,
    lab: &Lab,
    services: &[Service],
    told: &Told,
    out: &mut Diagnostics,
) -> Vec<Need> {
    let mut needs: Vec<Need> = Vec::new();
    let mut add = |need: Need| {
        if !needs.contains(&need) {
            needs.push(need);
        }
    };
    for word in written.map(|written| written.items).unwrap_or_default() {
        match read(&word) {
            Ok(need) => add(need),
            Err(wrong) => out.push(wrong),
        }
    }
    let services = services.iter().filter_map(|service| match &service.kind {
        ServiceKind::Command { run, .. } => run.first().cloned(),
        _ => None,
    });
    let runs = runs(&told.steps, &told.expectations).filter_map(|run| run.command.first()?.fill(|_| None));
    // A path from the case's folder may be a program that a script makes first.
    for program in services.chain(runs).filter(|it| it.starts_with('/') || !it.contains('/')) {
        add(Need::Program(program));
    }
    let interfaces = lab.nodes.iter().flat_map(|node| &node.interfaces);
    for kind in interfaces.filter_map(|interface| interface.kind.as_ref()) {
        // No case runs without the others.
        if kind.is_optional() {
            add(Need::Link(kind.word().to_owned()));
        }
    }
    if lab.ends().any(|end| end.interface > 0 && lab.at(end).ipv6()) {
        add(Need::Ipv6);
    }
    needs
}

fn read(word: &Spanned<String>) -> Result<Need, Diagnostic> {
    if let Some(need) = Need::from_word(word) {
        return Ok(need);
    }
    let kind = word.split(':').next().unwrap_or_default();
    Err(match kind {
        "link" => Diagnostic::error(word.span, "which kind of link is needed?").label("such as \"link:vxlan\""),
        "program" => Diagnostic::error(word.span, "which program is needed?").label("such as \"program:nginx\""),
        _ => {
            let known = suggest(kind, ["ipv6", "link:KIND", "program:NAME"]);
            Diagnostic::error(word.span, format!("unknown need `{}`", **word)).label(known)
        }
    })
}
