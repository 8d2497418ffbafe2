//! The JSON Schema of a case: a text with `${name}` in it may stand wherever a value is wanted.

use serde_json::{Map, Value, json};

/// Beside every value that is more than a text, lets in a text with a parameter.
pub(super) fn let_parameters_in(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if let Some(Value::Array(words)) = members.get_mut("oneOf")
                && words.iter().all(|word| word.get("const").is_some() || word.get("enum").is_some())
            {
                words.push(template());
                return;
            }
            members.values_mut().for_each(let_parameters_in);
            if is_narrow(members) {
                let narrow = Value::Object(std::mem::take(members));
                members.insert("anyOf".into(), json!([narrow, template()]));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(let_parameters_in),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Whether this is the schema of a single value that not every text is.
fn is_narrow(members: &Map<String, Value>) -> bool {
    let limited = ["enum", "const", "pattern", "format"].iter().any(|key| members.contains_key(*key));
    let types: Vec<&str> = match members.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let text = types.contains(&"string");
    text && limited || !text && types.iter().any(|word| matches!(*word, "integer" | "number" | "boolean"))
}

fn template() -> Value {
    json!({ "type": "string", "pattern": r"\$\{", "description": "a text with a parameter" })
}
