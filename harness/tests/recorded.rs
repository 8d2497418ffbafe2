//! An explanation is a pure function of what was gathered: `fixtures/evidence/` holds, of one broken lab for each cause,
//! what was gathered and what was said of it, and it is said again without a lab, a network, a clock or a privilege. And
//! what is said rests on that evidence: with one fact changed the cause is another one, or not known.
//!
//! `NETCASE_UPDATE=1 cargo test --test recorded` runs the labs of those records that no longer hold, and keeps what
//! they say now; that needs namespaces. Read the difference before you keep it.

#[path = "broken_labs/bundle.rs"]
mod bundle;
#[expect(dead_code, reason = "no case is written here")]
#[path = "support/cases.rs"]
mod cases;
#[path = "broken_labs/edit.rs"]
mod edit;
#[path = "recorded/facts.rs"]
mod facts;
#[expect(dead_code, reason = "labs are run as they stand")]
#[path = "broken_labs/lab.rs"]
mod lab;
#[path = "recorded/mutations.rs"]
mod mutations;
#[path = "recorded/places.rs"]
mod places;
#[expect(dead_code, reason = "nothing is run but labs")]
#[path = "support/program.rs"]
mod program;
#[path = "recorded/record.rs"]
mod record;
#[expect(dead_code, reason = "nothing is counted here")]
#[path = "broken_labs/table.rs"]
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use facts::Facts;
use lab::Lab;
use netcase::evidence::CauseKind;
use record::Record;
use table::{CAUSES, word};

/// A record is read by people, too.
const LARGEST: u64 = 150 * 1000;

#[test]
fn recorded_evidence_is_explained_as_it_was() {
    let update = std::env::var_os("NETCASE_UPDATE").is_some_and(|value| value == "1");
    let mut faults = Vec::new();
    for lab in labs().values() {
        let mut fault = fault(lab);
        if update && fault.is_some() {
            fault =
                Record::of(lab).and_then(|record| record.write(&place(&lab.name))).err().or_else(|| self::fault(lab));
        }
        faults.extend(fault.map(|fault| format!("{}: {fault}", lab.name)));
    }
    assert!(faults.is_empty(), "\n{}\n\n(NETCASE_UPDATE=1 records them anew)", faults.join("\n\n"));
}

#[test]
fn there_is_a_record_for_every_cause_and_no_other() {
    let labs = labs();
    let missing: Vec<String> =
        CAUSES.iter().filter(|cause| !labs.contains_key(cause)).map(|cause| word(*cause)).collect();
    assert!(missing.is_empty(), "no lab has the one fault {missing:?}");
    let wanted: BTreeSet<String> = labs.values().map(|lab| format!("{}.json", lab.name)).collect();
    let entries = fs::read_dir(folder("evidence")).expect("there is a folder of records");
    let there: BTreeSet<String> =
        entries.map(|entry| entry.expect("it can be read").file_name().to_string_lossy().into_owned()).collect();
    assert_eq!(there, wanted);
}

/// What was gathered of a lab, to be changed.
fn facts(lab: &str) -> Facts {
    let lab = Lab::read(&folder("broken-labs").join(format!("{lab}.toml"))).unwrap_or_else(|fault| panic!("{fault}"));
    let record = Record::read(&place(&lab.name)).unwrap_or_else(|fault| panic!("{fault}"));
    Facts { plan: lab.plan(), record }
}

/// What is wrong with the record of a lab, if anything.
fn fault(lab: &Lab) -> Option<String> {
    let place = place(&lab.name);
    let record = match Record::read(&place) {
        Ok(record) => record,
        Err(fault) => return Some(fault),
    };
    let again = match record.explain(&lab.plan()) {
        Ok(again) => again,
        Err(fault) => return Some(fault),
    };
    let kinds: Vec<CauseKind> = again.causes.iter().map(|cause| cause.kind).collect();
    let size = fs::metadata(&place).map_or(0, |metadata| metadata.len());
    if again != record.explanation {
        Some(format!("it was\n{:#?}\nand is now\n{again:#?}", record.explanation))
    } else if record.blamed(lab) != record.blamed {
        Some(format!("it blamed {:?}, and where that stood there is now {:?}", record.blamed, record.blamed(lab)))
    } else if kinds != lab.head.causes {
        Some(format!("it is {:?}, and what is said is {kinds:?}", lab.head.causes))
    } else if size > LARGEST {
        Some(format!("the record has {size} bytes; {LARGEST} are the most"))
    } else {
        None
    }
}

/// For each cause a lab that has it and no other: the one that there is a record of, or the first.
fn labs() -> BTreeMap<CauseKind, Lab> {
    let entries = fs::read_dir(folder("broken-labs")).expect("there is a folder of broken labs");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("the folder can be read").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    let mut labs: BTreeMap<CauseKind, Lab> = BTreeMap::new();
    for path in paths {
        let lab = Lab::read(&path).unwrap_or_else(|fault| panic!("{}: {fault}", path.display()));
        if let [cause] = *lab.head.causes {
            let is_recorded = |lab: &Lab| place(&lab.name).exists();
            if labs.get(&cause).is_none_or(|known| !is_recorded(known) && is_recorded(&lab)) {
                labs.insert(cause, lab);
            }
        }
    }
    labs
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures").join(name)
}

fn place(name: &str) -> PathBuf {
    folder("evidence").join(format!("{name}.json"))
}
