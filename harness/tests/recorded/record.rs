//! What was gathered of a broken lab and what was said of it, in a file.

use std::fs;
use std::path::Path;
use std::process::Command;

use netcase::evidence::{Evidence, Explanation};
use netcase::plan::Plan;
use netcase::verdict::{Explained, Probed};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::bundle::{Bundle, blamed_line};
use crate::cases;
use crate::lab::{Lab, Variant};
use crate::program::told;

/// A record. The plan is not in it: it is made of the lab's own text.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    /// What was said.
    pub(crate) explanation: Explanation,
    /// The line that each cause blames.
    pub(crate) blamed: Vec<String>,
    pub(crate) probed: Probed,
    pub(crate) evidence: Evidence,
}

impl Record {
    pub(crate) fn read(place: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(place).map_err(|error| format!("{}: {error}", place.display()))?;
        serde_json::from_str(&text).map_err(|error| format!("{}: {error}", place.display()))
    }

    pub(crate) fn write(&self, place: &Path) -> Result<(), String> {
        let value = serde_json::to_value(self).map_err(|error| error.to_string())?;
        let text = laid_out(&value, "") + "\n";
        let made = place.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(place, text));
        made.map_err(|error| format!("{}: {error}", place.display()))
    }

    /// Runs a lab and takes what it leaves behind.
    pub(crate) fn of(lab: &Lab) -> Result<Self, String> {
        let place = lab.stage(Variant::Plain, &[])?;
        let output = Command::new(env!("CARGO_BIN_EXE_netcase"))
            .args(["run", "--color", "never", "--junit", "reports/junit.xml", "--bundle", "always"])
            .arg(format!("{}.toml", lab.name))
            .current_dir(&place)
            .output()
            .map_err(|error| format!("netcase cannot be started: {error}"))?;
        let bundle = Bundle::read(&place).map_err(|fault| format!("{fault}\n{}", told(&output)))?;
        if bundle.again()? != bundle.explanation {
            return Err(format!("from its bundle another explanation comes than was said:\n{}", told(&output)));
        }
        let Bundle { plan, probed, evidence, explanation } = bundle;
        let same = serde_json::to_value(&plan.nodes).ok() == serde_json::to_value(lab.plan().nodes).ok();
        if !same {
            return Err("the plan of the bundle is not the one of the lab's text".to_owned());
        }
        let record = Self { explanation, blamed: Vec::new(), probed, evidence };
        Ok(Self { blamed: record.blamed(lab), ..record })
    }

    /// What is said of the evidence now.
    pub(crate) fn explain(&self, plan: &Plan) -> Result<Explanation, String> {
        match self.probed.explain(plan, &self.evidence) {
            Explained::Done(explanation) => Ok(*explanation),
            Explained::Asks(asks) => Err(format!("the kernels' answers to this are not recorded: {asks:?}")),
            Explained::SendOn(packet) => Err(format!("what became of this is not recorded: {packet:?}")),
        }
    }

    /// The lines of the lab, or of the files beside it, that the causes blame.
    pub(crate) fn blamed(&self, lab: &Lab) -> Vec<String> {
        self.explanation.causes.iter().map(|cause| blamed_line(lab.case(), cause)).collect()
    }
}

impl Lab {
    /// The plan of the case as it stands.
    pub(crate) fn plan(&self) -> Plan {
        cases::plan(self.case())
    }
}

/// The longest value that stands on one line.
const LONGEST_LINE: usize = 140;

/// A value as text in which each thing that a reader looks for - a frame, a rule, an interface - has a line of its own.
fn laid_out(value: &Value, indent: &str) -> String {
    let short = value.to_string();
    if short.len() <= LONGEST_LINE {
        return short;
    }
    let more = format!("{indent} ");
    let lines = |items: Vec<String>| items.join(&format!(",\n{more}"));
    match value {
        Value::Object(fields) => {
            let fields =
                fields.iter().map(|(key, value)| format!("{}: {}", Value::from(&**key), laid_out(value, &more)));
            format!("{{\n{more}{}\n{indent}}}", lines(fields.collect()))
        }
        Value::Array(items) => {
            format!("[\n{more}{}\n{indent}]", lines(items.iter().map(|item| laid_out(item, &more)).collect()))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => short,
    }
}

#[test]
fn what_is_laid_out_is_the_same() {
    let long = "x".repeat(LONGEST_LINE);
    let value = serde_json::json!({ "short": [1, 2], "long \"one\"": [{ "a": long, "b": null }, "c"], "empty": {} });
    let text = laid_out(&value, "");
    assert_eq!(serde_json::from_str::<Value>(&text).expect("it is JSON"), value);
    assert!(text.contains("\n \"short\": [1,2]") && text.contains("\n   \"b\": null\n  },\n  \"c\"\n ]"), "{text}");
}
