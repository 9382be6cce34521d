//! From a proposal to a policy in force over HTTP, and the ledger that says so, taken along and checked elsewhere.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]

mod common;

use std::time::Duration;

use banyan_assembly::people::SetupCode;
use banyan_assembly::{Assembly, rooms};
use banyan_identity::SigningKey;
use banyan_ledger::{LedgerError, verify_file};
use banyan_store::{Store, StoreKey};
use http::{Method, Request, Response};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use crate::common::{TestBox, whole};

/// The box's key in this test.
const BOX_KEY: [u8; 32] = [7; 32];

/// A founded box with three members, and their cookies.
struct Town {
    web: TestBox,
    store: Store,
    members: Vec<String>,
}

impl Town {
    async fn founded() -> Self {
        let mut opened = None;
        let web = TestBox::with(|config| {
            let store = Store::open(&config.data_dir, &StoreKey::from_bytes([3; 32]), &rooms()).unwrap();
            opened = Some(store.clone());
            config.assembly = Some(Assembly::open(store, SigningKey::from_bytes(&BOX_KEY)).unwrap());
        })
        .await;
        let mut town = Self { web, store: opened.unwrap(), members: Vec::new() };
        let setup_code = SetupCode::of_box(town.web.dir.path()).load_or_create().unwrap();
        let founding = json!({
            "setup_code": setup_code, "community": "Riverside", "kit": "circle", "name": "Ada", "secret": "2580",
        });
        let (founded, body) = town.post(None, "/api/founding", &founding).await;
        town.members.push(session(&founded));
        for name in ["Ben", "Cleo"] {
            let joining = json!({ "code": body["invitation"]["code"], "name": name, "secret": "2580" });
            let (joined, _) = town.post(None, "/api/join", &joining).await;
            town.members.push(session(&joined));
        }
        town
    }

    fn request(&self, method: Method, member: Option<usize>, path: &str, body: String) -> Request<String> {
        let cookie = member.map_or("", |member| self.members[member].as_str());
        Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", "application/json")
            .header("cookie", cookie)
            .body(body)
            .unwrap()
    }

    async fn send(&self, method: Method, member: usize, path: &str, body: &Value) -> (Response<()>, Value) {
        let request = self.request(method, Some(member), path, body.to_string());
        let (response, text) = whole(self.web.send(request).await).await;
        (response, serde_json::from_str(&text).unwrap_or_default())
    }

    async fn get(&self, member: usize, path: &str) -> Value {
        let (response, body) = self.send(Method::GET, member, path, &Value::Null).await;
        assert_eq!(response.status(), 200, "{path}: {body}");
        body
    }

    async fn post(&self, member: Option<usize>, path: &str, body: &Value) -> (Response<()>, Value) {
        let request = self.request(Method::POST, member, path, body.to_string());
        let (response, text) = whole(self.web.send(request).await).await;
        (response, serde_json::from_str(&text).unwrap_or_default())
    }

    /// Fills the ledger with so many entries of about so many bytes, as years would.
    async fn many_entries(&self, entries: usize, bytes: usize) {
        self.store
            .write(move |tx| {
                let key = SigningKey::from_bytes(&BOX_KEY);
                for number in 0..entries {
                    let payload = json!({ "number": number, "filling": "x".repeat(bytes) }).to_string();
                    banyan_ledger::append(tx, &key, 1_800_000_000, "test", payload.as_bytes())?;
                }
                Ok::<_, LedgerError>(())
            })
            .await
            .unwrap();
    }
}

fn session(response: &Response<()>) -> String {
    let mut set = response.headers().get_all("set-cookie").iter().map(|value| value.to_str().unwrap());
    let set = set.rfind(|cookie| cookie.starts_with("banyan_session=")).unwrap();
    set.split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn members_agree_on_closing_words_and_the_ledger_proves_it() {
    let town = Town::founded().await;
    let mut policy = town.get(0, "/api/policy").await;
    assert_eq!((&policy["version"], &policy["proposal"]), (&json!(1), &Value::Null));
    policy["policy"]["closing"] = "Peace be with you.".into();
    let proposal = json!({
        "title": "Our greeting", "text": "So that everybody feels welcome.", "submit": true,
        "options": [{
            "title": "Yes",
            "decision": { "type": "set_policy", "policy": policy["policy"], "based_on": policy["version"] },
        }],
    });
    let (created, view) = town.post(Some(0), "/api/proposals", &proposal).await;
    assert_eq!((created.status().as_u16(), &view["proposal"]["state"]), (201, &json!("open")), "{view}");
    let id = view["proposal"]["id"].as_str().unwrap();
    let path = format!("/api/proposals/{id}");

    let yes = json!({ "choice": { "kind": "yes" } });
    for member in 0..3 {
        let (voted, view) = town.send(Method::PUT, member, &format!("{path}/ballot"), &yes).await;
        assert_eq!(voted.status(), 200, "{view}");
    }
    let view = town.get(1, &path).await;
    assert_eq!(view["proposal"]["state"], "enacted");
    let (late, error) = town.send(Method::PUT, 2, &format!("{path}/ballot"), &yes).await;
    assert_eq!((late.status().as_u16(), &error["error"]["code"]), (409, &json!("vote_not_open")));

    let policy = town.get(2, "/api/policy").await;
    assert_eq!((&policy["version"], &policy["proposal"]), (&json!(2), &json!(id)));
    let page = town.get(2, "/api/ledger?limit=200").await;
    let entries = page["entries"].as_array().unwrap();
    let decision = entries.iter().find(|entry| entry["seq"] == policy["entry"]).unwrap();
    assert_eq!(decision["payload"]["authority"], json!({ "by": "proposal", "proposal": id }));
    assert_eq!(decision["payload"]["decision"]["policy"]["closing"], "Peace be with you.");
    let (_, verdict) = town.post(Some(2), "/api/ledger/verify", &Value::Null).await;
    assert_eq!((&verdict["ok"], &verdict["entries"]), (&json!(true), &page["head"]["seq"]), "{verdict}");
    let second = town.get(2, "/api/ledger?limit=1&before=3").await;
    assert_eq!(second["entries"][0]["seq"], 2);
}

#[tokio::test]
async fn the_ledger_is_downloaded_piece_by_piece_and_verifies_on_another_machine() {
    let town = Town::founded().await;
    town.many_entries(3000, 0).await;
    let request = town.request(Method::GET, Some(1), "/api/ledger/export", String::new());
    let response = town.web.send(request).await;
    assert_eq!(response.headers()["content-disposition"], "attachment; filename=\"banyan-ledger.jsonl\"");
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    assert!(bytes.len() > 10 * 64 * 1024, "{} bytes are no test of a download in pieces", bytes.len());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("banyan-ledger.jsonl");
    std::fs::write(&path, &bytes).unwrap();
    let key = SigningKey::from_bytes(&BOX_KEY).public();
    let verified = verify_file(&path, Some(&key), &[], |_| ()).unwrap();
    assert!(verified.verified.entries > 3000);
}

#[tokio::test(flavor = "multi_thread")]
async fn downloads_that_stand_still_do_not_hold_up_the_others() {
    let town = Town::founded().await;
    // More than the system buffers on the way.
    town.many_entries(400, 100_000).await;
    let mut standing = Vec::new();
    let others_go_on = async {
        // More than the store has readers.
        for _ in 0..6 {
            let request = town.request(Method::GET, Some(1), "/api/ledger/export", String::new());
            standing.push(town.web.send(request).await);
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        town.get(2, "/api/policy").await;
    };
    // A download that stands still is given up after thirty seconds only.
    tokio::time::timeout(Duration::from_secs(15), others_go_on).await.unwrap();
}

#[tokio::test]
async fn a_download_that_somebody_breaks_off_lets_the_others_go_on() {
    let town = Town::founded().await;
    town.many_entries(3000, 0).await;
    // More than the store has readers.
    for _ in 0..12 {
        let request = town.request(Method::GET, Some(1), "/api/ledger/export", String::new());
        drop(town.web.send(request).await);
    }
    let page = tokio::time::timeout(Duration::from_secs(20), town.get(2, "/api/ledger")).await.unwrap();
    assert!(page["head"]["seq"].as_u64().unwrap() > 3000);
}
