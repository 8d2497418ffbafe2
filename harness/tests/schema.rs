//! What `netcase schema` prints agrees with what is read: every case of the tree satisfies it, and typical slips do not.

use std::fs;
use std::path::{Path, PathBuf};

use netcase::case;
use serde_json::{Map, Value};

/// Why a value does not satisfy a schema, as far as the schemas of cases go: the part of draft 2020-12 that they use.
fn faults(value: &Value, schema: &Value, root: &Value, place: &str) -> Vec<String> {
    let rules = match schema {
        Value::Bool(true) => return Vec::new(),
        Value::Object(rules) => rules,
        other => return vec![format!("{place}: no value satisfies {other}")],
    };
    rules.iter().flat_map(|(rule, wanted)| fault(value, (rule, wanted), rules, root, place)).collect()
}

fn fault(
    value: &Value,
    (rule, wanted): (&str, &Value),
    rules: &Map<String, Value>,
    root: &Value,
    place: &str,
) -> Vec<String> {
    let holds = |schema: &&Value| faults(value, schema, root, place).is_empty();
    let options = || wanted.as_array().expect("a list of schemas");
    let unless = |good: bool| if good { Vec::new() } else { vec![format!("{place}: {value} is not {rule} {wanted}")] };
    match rule {
        "$ref" => {
            let name = wanted.as_str().and_then(|name| name.strip_prefix("#/$defs/")).expect("a definition of its own");
            faults(value, &root["$defs"][name], root, place)
        }
        "anyOf" => unless(options().iter().any(|schema| holds(&schema))),
        "oneOf" => unless(options().iter().filter(holds).count() == 1),
        "type" => unless(match wanted {
            Value::Array(types) => types.iter().any(|word| is_of(value, word)),
            word => is_of(value, word),
        }),
        "const" => unless(value == wanted),
        "enum" => unless(options().contains(value)),
        "minimum" => unless(value.as_f64().is_none_or(|number| number >= wanted.as_f64().expect("a number"))),
        "maximum" => unless(value.as_f64().is_none_or(|number| number <= wanted.as_f64().expect("a number"))),
        "minItems" => {
            unless(value.as_array().is_none_or(|items| items.len() as u64 >= wanted.as_u64().expect("a number")))
        }
        "pattern" => {
            let pattern = regex::Regex::new(wanted.as_str().expect("a pattern")).expect("a pattern");
            unless(value.as_str().is_none_or(|text| pattern.is_match(text)))
        }
        "required" => unless(
            value
                .as_object()
                .is_none_or(|table| options().iter().all(|key| table.contains_key(key.as_str().expect("a key")))),
        ),
        "items" => {
            let items = value.as_array().into_iter().flatten();
            items.flat_map(|item| faults(item, wanted, root, &format!("{place}[]"))).collect()
        }
        "properties" => {
            let below = |(key, schema): (&String, &Value)| {
                let value = value.get(key)?;
                Some(faults(value, schema, root, &format!("{place}.{key}")))
            };
            wanted.as_object().expect("schemas by key").iter().filter_map(below).flatten().collect()
        }
        "additionalProperties" => {
            let known = |key: &String| rules.get("properties").is_some_and(|known| known.get(key).is_some());
            let others = value.as_object().into_iter().flatten().filter(|(key, _)| !known(key));
            others.flat_map(|(key, value)| faults(value, wanted, root, &format!("{place}.{key}"))).collect()
        }
        // Words for people, and what no editor checks.
        "$defs" | "$schema" | "title" | "description" | "format" | "default" => Vec::new(),
        other => panic!("this test does not know `{other}`"),
    }
}

fn is_of(value: &Value, word: &Value) -> bool {
    match word.as_str().expect("the word of a type") {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        other => panic!("this test does not know the type `{other}`"),
    }
}

fn check(text: &str) -> Vec<String> {
    let table: toml::Table = toml::from_str(text).expect("it is TOML");
    let value = serde_json::to_value(table).expect("TOML without dates is JSON");
    let schema = case::schema();
    faults(&value, &schema, &schema, "case")
}

/// Every case below a folder.
fn cases(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("the folder can be read").path();
        if path.is_dir() {
            cases(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            found.push(path);
        }
    }
}

#[test]
fn every_case_of_the_tree_satisfies_the_schema() {
    let mut paths = Vec::new();
    cases(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../cases"), &mut paths);
    paths.retain(|path| !path.to_string_lossy().ends_with(case::LAB_ENDING));
    assert!(paths.len() > 10, "only {} cases were found", paths.len());
    let mut wrong = Vec::new();
    for path in paths {
        let text = fs::read_to_string(&path).expect("a case can be read");
        wrong.extend(check(&text).into_iter().map(|fault| format!("{}: {fault}", path.display())));
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn a_parameter_may_stand_for_any_value_and_nothing_else_may() {
    let case = |keys: &str| format!("title = \"t\"\nexpect = [{{ {keys} }}]\n");
    for (keys, good) in [
        ("link = { on = \"a.b\", mtu = \"${mtu}\", carrier = \"${up}\" }", true),
        ("link = { on = \"a.b\", mtu = 1400, carrier = true }", true),
        ("link = { on = \"a.b\", mtu = \"1400\" }", false),
        ("link = { on = \"a.b\", carrier = \"true\" }", false),
        ("link = { on = \"a.b\", mtu = true }", false),
        ("ping = { from = \"a\", to = \"${b}\", outcome = \"${outcome}\", family = \"${family}\" }", true),
        ("ping = { from = \"a\", to = [\"${b}\"], outcome = [\"${outcome}\", \"silent\"] }", true),
        ("ping = { from = \"a\", to = \"b\", outcome = \"reachabel\" }", false),
        ("ping = { from = \"a\", to = \"b\", count = \"${n}\", ttl = 1001 }", false),
        ("ping = { from = \"a\", to = \"b\", dropped-by = \"${fw}\" }", true),
        ("dns = { from = \"a\", name = \"b\", rejected-by = { node = \"fw\", rule = \"${rule}\" } }", true),
        ("ping = { from = \"a\", to = \"b\", dropped-by = { rule = \"drop\" } }", false),
        ("ping = { from = \"a\", to = \"b\", dropped-by = [\"fw\"] }", false),
        ("trace = { from = \"a\", to = \"b\", via = [], dropped-by = \"fw\" }", false),
        ("ping = { from = \"a\" }", false),
        ("ping = { from = \"a\", to = [] }", false),
        ("pign = { from = \"a\", to = \"b\" }", false),
    ] {
        let faults = check(&case(keys));
        assert_eq!(faults.is_empty(), good, "{keys}: {faults:?}");
    }
    assert_eq!(
        check("title = \"t\"\ntopology = \"x.lab.toml\"\n[params]\na = 1\n[matrix]\nb = [true, \"x\"]\n"),
        [""; 0]
    );
    assert!(!check("title = \"t\"\n[params]\na = [1]\n").is_empty());
}
