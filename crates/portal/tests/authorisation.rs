//! Who gets what from each address of the API: a table of all of them, held against the description. An address that is
//! not in the table fails the test, so nobody adds one without saying whose it is.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]

mod common;
#[path = "authorisation/shelf.rs"]
mod shelf;
#[path = "authorisation/table.rs"]
mod table;
#[path = "authorisation/village.rs"]
mod village;

use std::collections::BTreeSet;

use http::{Method, Request};

use self::table::{COLUMNS, TABLE};
use self::village::Village;

/// Addresses and methods of the description, such as `GET /api/me`.
fn described() -> BTreeSet<String> {
    let description: serde_json::Value = serde_json::from_str(banyan_portal::openapi_json()).unwrap();
    let methods = ["get", "post", "put", "delete", "patch", "head", "options", "trace"];
    let mut found = BTreeSet::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys().filter(|key| methods.contains(&key.as_str())) {
            found.insert(format!("{} {path}", method.to_uppercase()));
        }
    }
    found
}

#[test]
fn every_address_has_one_row_and_every_row_an_address() {
    let described = described();
    let rows: Vec<&str> = TABLE.iter().map(|row| row.route).collect();
    let tabled: BTreeSet<String> = rows.iter().map(|route| (*route).to_owned()).collect();
    let missing: Vec<&String> = described.difference(&tabled).collect();
    let stale: Vec<&String> = tabled.difference(&described).collect();
    assert!(missing.is_empty(), "without a row, so nobody has said whose it is: {missing:?}");
    assert!(stale.is_empty(), "rows of addresses that are gone: {stale:?}");
    assert_eq!(rows.len(), tabled.len(), "an address has two rows");
}

#[tokio::test]
async fn everybody_gets_what_the_table_says_from_every_address() {
    let village = Village::founded().await;
    let mut wrong = Vec::new();
    for row in TABLE {
        let (method, path) = row.route.split_once(' ').unwrap();
        let mut found = [0_u16; COLUMNS.len()];
        for (column, status) in found.iter_mut().enumerate() {
            let path = village.filled_in(row.route, path);
            let mut request = Request::builder()
                .method(Method::from_bytes(method.as_bytes()).unwrap())
                .uri(path)
                .header("content-type", "application/json");
            if let Some((header, value)) = village.credential(COLUMNS[column]) {
                request = request.header(header, value);
            }
            let body = village.filled_in(row.route, row.body);
            *status = village.web.send(request.body(body).unwrap()).await.status().as_u16();
        }
        if found != row.expected {
            wrong.push(format!("{}\n  expected {:?}\n  found    {found:?}", row.route, row.expected));
        }
    }
    assert!(wrong.is_empty(), "columns: {COLUMNS:?}\n{}", wrong.join("\n"));
}
