//! What is settled in a schema where its author left it open. Every change narrows: what is valid by the changed schema
//! is valid by the original.

use serde_json::{Map, Value, json};

/// JSON on one line, with at most one space behind a comma or a colon: where white space is free a small model spends
/// its tokens, and the members' time, on empty lines and indentation.
const COMMA: &str = ", ?";
const COLON: &str = ": ?";

/// Where closing an object could make a schema unsatisfiable or let two alternatives be told apart that are not: then
/// nothing is closed.
const COMBINING: [&str; 9] =
    ["allOf", "oneOf", "not", "if", "then", "else", "dependentSchemas", "unevaluatedProperties", "contains"];

/// The schema as it is compiled: objects that name their properties and do not speak of others have no others (a small
/// model would invent some for ever), and white space is bounded.
pub(crate) fn prepare(schema: &Value) -> Value {
    let mut schema = schema.clone();
    if !combines(&schema) {
        close(&mut schema);
    }
    if let Some(root) = schema.as_object_mut() {
        root.insert(
            "x-guidance".into(),
            json!({"whitespace_flexible": false, "item_separator": COMMA, "key_separator": COLON}),
        );
    }
    schema
}

fn combines(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.iter().any(|(k, v)| COMBINING.contains(&k.as_str()) || combines(v)),
        Value::Array(list) => list.iter().any(combines),
        _ => false,
    }
}

fn close(schema: &mut Value) {
    let Value::Object(map) = schema else { return };
    for (key, value) in map.iter_mut() {
        match (key.as_str(), value) {
            ("properties" | "patternProperties" | "$defs" | "definitions", Value::Object(named)) => {
                named.values_mut().for_each(close);
            }
            ("anyOf" | "prefixItems" | "items", Value::Array(list)) => list.iter_mut().for_each(close),
            ("items" | "additionalProperties", value) => close(value),
            _ => {}
        }
    }
    if is_open(map) {
        map.insert("additionalProperties".into(), Value::Bool(false));
    }
}

fn is_open(map: &Map<String, Value>) -> bool {
    let names = map.get("properties").and_then(Value::as_object);
    let required = map.get("required").and_then(Value::as_array);
    // Required and not described: such a property is an additional one.
    let described = required.is_none_or(|all| {
        all.iter().all(|name| name.as_str().is_some_and(|name| names.is_some_and(|n| n.contains_key(name))))
    });
    names.is_some()
        && described
        && ["additionalProperties", "patternProperties", "anyOf", "$ref", "minProperties", "enum", "const"]
            .iter()
            .all(|other| !map.contains_key(*other))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed(mut schema: Value) -> Value {
        if !combines(&schema) {
            close(&mut schema);
        }
        schema
    }

    #[test]
    fn objects_that_do_not_speak_of_other_properties_have_none() {
        let schema = closed(json!({"type": "object", "properties": {
            "a": {"type": "array", "items": {"type": "object", "properties": {"b": {}}}},
            "properties": {"type": "object", "additionalProperties": true, "properties": {"c": {}}}}}));
        assert_eq!(schema["additionalProperties"], json!(false));
        assert_eq!(schema["properties"]["a"]["items"]["additionalProperties"], json!(false));
        assert_eq!(schema["properties"]["properties"]["additionalProperties"], json!(true));
        assert!(schema["properties"].get("additionalProperties").is_none(), "names are no schemas");
    }

    #[test]
    fn nothing_is_closed_where_that_could_contradict_the_author() {
        for schema in [
            json!({"type": "object"}),
            json!({"type": "object", "properties": {"a": {}}, "required": ["z"]}),
            json!({"allOf": [{"properties": {"a": {}}}, {"properties": {"b": {}}}]}),
            json!({"properties": {"a": {"const": {"properties": {"x": 1}}}}, "minProperties": 3}),
            json!({"properties": {"a": {}}, "$ref": "#/$defs/b", "$defs": {"b": {"type": "object"}}}),
        ] {
            assert_eq!(closed(schema.clone()), schema);
        }
    }
}
