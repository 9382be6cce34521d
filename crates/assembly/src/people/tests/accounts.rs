use banyan_governance::Permission;

use super::*;

#[tokio::test]
async fn a_session_ends_at_once_when_its_member_signs_out() {
    let (the_box, ada) = TestBox::founded().await;
    let here = the_box.join(&ada, "Ben").await;
    let there = the_box.assembly.sign_in("ben", SECRET, HERE, NOW).await.unwrap();
    let is_in = |token: &str| {
        let (assembly, token) = (the_box.assembly.clone(), token.to_owned());
        async move { assembly.session(&token, NOW).await.unwrap().is_some() }
    };
    the_box.assembly.sign_out(&here.caller, false, NOW).await.unwrap();
    assert_eq!((is_in(&here.token).await, is_in(&there.token).await), (false, true));
    let again = the_box.assembly.sign_in("BEN", SECRET, HERE, NOW).await.unwrap();
    the_box.assembly.sign_out(&again.caller, true, NOW).await.unwrap();
    assert_eq!((is_in(&again.token).await, is_in(&there.token).await), (false, false));
}

#[tokio::test]
async fn a_session_expires_and_a_made_up_one_is_nobodys() {
    let (the_box, ada) = TestBox::founded().await;
    let ben = the_box.join(&ada, "Ben").await;
    let session = |token: String, now| {
        let assembly = the_box.assembly.clone();
        async move { assembly.session(&token, now).await.unwrap().map(|caller| caller.name) }
    };
    let last = Time(NOW.plus_days(super::super::SESSION_DAYS).0 - 1);
    assert_eq!(session(ben.token.clone(), last).await.as_deref(), Some("Ben"));
    assert_eq!(session(ben.token.clone(), Time(last.0 + 1)).await, None);
    for token in [String::new(), "x".into(), "0".repeat(64), ben.token[1..].to_owned()] {
        assert_eq!(session(token, NOW).await, None);
    }
}

#[tokio::test]
async fn the_members_key_is_the_same_in_every_session_and_no_other_members() {
    let (the_box, ada) = TestBox::founded().await;
    let ben = the_box.join(&ada, "Ben").await.caller;
    let elsewhere = the_box.assembly.sign_in("Ben", SECRET, HERE, NOW).await.unwrap().caller;
    assert_eq!(ben.key().as_bytes(), elsewhere.key().as_bytes());
    assert_ne!(ben.key().as_bytes(), ada.key().as_bytes());
    the_box.assembly.change_secret(&ben, SECRET, "three goats", NOW).await.unwrap();
    let renewed = the_box.assembly.sign_in("Ben", "three goats", HERE, NOW).await.unwrap().caller;
    assert_eq!(ben.key().as_bytes(), renewed.key().as_bytes());
}

#[tokio::test]
async fn a_new_secret_ends_the_other_sessions_and_the_old_secret() {
    let (the_box, ada) = TestBox::founded().await;
    let ben = the_box.join(&ada, "Ben").await;
    let lost = the_box.assembly.sign_in("Ben", SECRET, HERE, NOW).await.unwrap();
    assert_eq!(
        code(the_box.assembly.change_secret(&ben.caller, "9713", "three goats", NOW).await),
        "wrong_secret"
    );
    assert_eq!(
        code(the_box.assembly.change_secret(&ben.caller, SECRET, "1111", NOW).await),
        "secret_too_simple"
    );
    the_box.assembly.change_secret(&ben.caller, SECRET, "three goats", NOW).await.unwrap();
    assert!(the_box.assembly.session(&lost.token, NOW).await.unwrap().is_none());
    assert!(the_box.assembly.session(&ben.token, NOW).await.unwrap().is_some());
    assert_eq!(code(the_box.assembly.sign_in("Ben", SECRET, HERE, NOW).await), "wrong_name_or_secret");
}

#[tokio::test]
async fn whoever_guesses_waits_and_learns_nothing() {
    let (the_box, ada) = TestBox::founded().await;
    the_box.join(&ada, "Ben").await;
    for guess in ["9713", "8246", "7531", "6420", "5193"] {
        assert_eq!(code(the_box.assembly.sign_in("Ben", guess, HERE, NOW).await), "wrong_name_or_secret");
    }
    // The right one does not help any more, from wherever it comes.
    assert_eq!(code(the_box.assembly.sign_in("Ben", SECRET, "10.0.0.9", NOW).await), "too_often");
    assert_eq!(code(the_box.assembly.sign_in("Ben", SECRET, HERE, Time(NOW.0 + 30)).await), "ok");
    assert_eq!(code(the_box.assembly.sign_in("Nobody", SECRET, HERE, NOW).await), "wrong_name_or_secret");
}

#[tokio::test]
async fn a_reset_is_a_stewards_leaves_a_trace_and_loses_what_was_closed() {
    let (the_box, ada) = TestBox::founded().await;
    let ben = the_box.join(&ada, "Ben").await;
    let member = ben.caller.member.clone();
    let cleo = the_box.join(&ada, "Cleo").await.caller;
    assert_eq!(code(the_box.assembly.allow_reset(&cleo, &member, NOW).await), "not_allowed");
    let nobody = MemberId::from_random(5);
    assert_eq!(code(the_box.assembly.allow_reset(&ada, &nobody, NOW).await), "not_found");

    let first = the_box.assembly.allow_reset(&ada, &member, NOW).await.unwrap();
    let second = the_box.assembly.allow_reset(&ada, &member, NOW).await.unwrap();
    assert_eq!(code(the_box.assembly.reset(&first.code, "three goats", NOW).await), "code_invalid");
    assert_eq!(
        code(the_box.assembly.reset(&second.code, "three goats", second.expires).await),
        "code_invalid"
    );
    let reset = the_box.assembly.reset(&second.code, "three goats", NOW).await.unwrap();
    assert_eq!(reset.caller.member, member);
    assert_ne!(reset.caller.key().as_bytes(), ben.caller.key().as_bytes());
    assert!(the_box.assembly.session(&ben.token, NOW).await.unwrap().is_none());
    assert_eq!(code(the_box.assembly.reset(&second.code, "four goats", NOW).await), "code_invalid");

    let ledger = the_box.ledger().await;
    let allowed = ledger.iter().find(|(kind, _)| kind == "reset.allowed").unwrap();
    assert!(allowed.1.contains(member.as_str()) && allowed.1.contains(ada.member.as_str()), "{}", allowed.1);
    assert_eq!(ledger.last().unwrap().0, "reset.used");
}

#[tokio::test]
async fn who_leaves_is_forgotten_and_the_last_steward_stays() {
    let (the_box, ada) = TestBox::founded().await;
    let ben = the_box.join(&ada, "Ben").await;
    assert_eq!(code(the_box.assembly.leave(&ada, SECRET, NOW).await), "last_steward");
    assert_eq!(code(the_box.assembly.leave(&ben.caller, "9713", NOW).await), "wrong_secret");
    the_box.grant(&ben.caller.member, Role::Steward).await;
    the_box.assembly.leave(&ben.caller, SECRET, NOW).await.unwrap();
    let stewards =
        the_box.assembly.read(|connection| crate::people::holders(connection, Role::Steward, NOW)).await;
    assert_eq!(stewards.unwrap(), std::slice::from_ref(&ada.member));
    assert!(the_box.assembly.session(&ben.token, NOW).await.unwrap().is_none());
    assert_eq!(code(the_box.assembly.sign_in("Ben", SECRET, HERE, NOW).await), "wrong_name_or_secret");
    let members = the_box.assembly.members(&ada, NOW).await.unwrap();
    assert_eq!(members.iter().map(|member| member.name.as_str()).collect::<Vec<_>>(), ["Ada"]);
    let kept = the_box.assembly.read(crate::people::names).await.unwrap();
    assert!(!kept.values().any(|name| name == "Ben"));
    // The name is free again.
    the_box.join(&ada, "Ben").await;
}

#[tokio::test]
async fn what_one_may_is_said_as_it_is() {
    let (the_box, ada) = TestBox::founded().await;
    let ben = the_box.join(&ada, "Ben").await.caller;
    let me = the_box.assembly.me(Some(&ada), "box", NOW);
    assert!(me.founded && me.may_ask && !me.setup_code_needed && me.sanction.is_none());
    assert!(me.member.unwrap().permissions.contains(&Permission::Operate));
    let me = the_box.assembly.me(Some(&ben), "box", NOW);
    assert!(!me.member.unwrap().permissions.contains(&Permission::Operate));
    let guest = the_box.assembly.me(None, "box", NOW);
    assert!(guest.member.is_none() && !guest.may_ask);
    let unfounded = TestBox::new().assembly.me(None, "box", NOW);
    assert!(!unfounded.founded && unfounded.may_ask && unfounded.setup_code_needed);
    assert_eq!(unfounded.community, "box");
}
