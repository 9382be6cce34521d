//! Joining and signing in on a phone without JavaScript.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]

mod common;
#[path = "common/community.rs"]
mod community;

use common::{TestBox, form, whole};
use community::{Community, now};
use http::{Request, Response};

fn filled(path: &str, fields: &str, cookie: Option<&str>) -> Request<String> {
    let mut request = Request::post(path)
        .header("host", "box.lan")
        .header("content-type", "application/x-www-form-urlencoded");
    if let Some(cookie) = cookie {
        request = request.header("cookie", cookie);
    }
    request.body(fields.to_owned()).unwrap()
}

fn session(response: &Response<()>) -> Option<String> {
    let cookies = response.headers().get_all("set-cookie").iter();
    let mut values = cookies.filter_map(|cookie| cookie.to_str().ok()?.split(';').next());
    values.find(|cookie| cookie.starts_with("banyan_session=")).map(str::to_owned)
}

async fn post(site: &TestBox, path: &str, fields: &str) -> (Response<()>, String) {
    whole(site.send(filled(path, fields, None)).await).await
}

async fn front_page(site: &TestBox, cookie: &str) -> String {
    let request = Request::get("/").header("cookie", cookie).body(String::new()).unwrap();
    whole(site.send(request).await).await.1
}

#[tokio::test]
async fn somebody_joins_signs_out_and_signs_in_again_with_forms_alone() {
    let community = Community::found("circle").await;
    let site = community.portal().await;
    let _engine = site.engine([]);
    let (_, page) = site.get("/").await;
    assert!(page.contains("members of the community can ask") && page.contains("href=\"/join\""), "{page}");

    let code = community.assembly.invite(&community.founder, 1, 7, now()).await.unwrap().code;
    let (_, page) = site.get(&format!("/join?code={code}")).await;
    assert!(page.contains(&format!("value=\"{code}\"")), "the invitation's code is filled in: {page}");
    let (joined, _) = post(&site, "/join", &format!("code={code}&name=Nia&secret=7391")).await;
    assert_eq!((joined.status().as_u16(), &joined.headers()["location"]), (303, &"/".parse().unwrap()));
    let cookie = session(&joined).unwrap();
    let page = front_page(&site, &cookie).await;
    assert!(page.contains("Signed in: Nia") && !page.contains("href=\"/join\""), "{page}");
    let mut question = form("What is rain?", "");
    question.headers_mut().insert("cookie", cookie.parse().unwrap());
    assert_eq!(site.send(question).await.status(), 303, "a member may ask");

    let (out, _) = whole(site.send(filled("/sign-out", "", Some(&cookie))).await).await;
    assert_eq!(session(&out).as_deref(), Some("banyan_session="));
    assert!(!front_page(&site, &cookie).await.contains("Signed in"), "the session has ended on the box too");

    let (back, _) = post(&site, "/sign-in", "name=nia&secret=7391").await;
    assert!(front_page(&site, &session(&back).unwrap()).await.contains("Signed in: Nia"));
}

#[tokio::test]
async fn a_mistake_is_said_in_words_and_the_secret_never_comes_back() {
    let community = Community::found("circle").await;
    let site = community.portal().await;
    let (response, page) = post(&site, "/join", "code=WRONG-CODE0&name=Nia&secret=73915").await;
    assert_eq!(response.status(), 400);
    assert!(page.contains("This code is not valid") && page.contains("value=\"Nia\""), "{page}");
    assert!(!page.contains("73915") && session(&response).is_none());
    let (_, page) = post(&site, "/join", "code=&name=Nia&secret=73915").await;
    assert!(page.contains("joined with an invitation"), "{page}");
    let (response, page) = post(&site, "/sign-in", "name=Nobody&secret=73915").await;
    assert_eq!(response.status(), 400);
    assert!(page.contains("do not belong together") && !page.contains("73915"), "{page}");
}

#[tokio::test]
async fn a_form_of_another_site_signs_nobody_in() {
    let community = Community::found("circle").await;
    let site = community.portal().await;
    let mut request = filled("/sign-in", "name=Nobody&secret=73915", None);
    request.headers_mut().insert("sec-fetch-site", "cross-site".parse().unwrap());
    assert_eq!(site.send(request).await.status(), 403);
}

#[tokio::test]
async fn pages_have_the_name_that_the_community_gave_itself() {
    let community = Community::found("circle").await;
    let site = community.portal().await;
    let page = front_page(&site, &community.cookie).await;
    assert!(page.contains("data-community=\"Riverside\""), "{page}");
}
