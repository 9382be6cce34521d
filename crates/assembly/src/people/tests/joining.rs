use super::*;

#[tokio::test]
async fn a_code_lets_in_as_many_as_it_says_and_not_after_its_time() {
    let (the_box, ada) = TestBox::founded().await;
    let join = |code: String, name: &'static str, now| {
        let assembly = the_box.assembly.clone();
        async move { code_of(assembly.join(Some(&code), name, SECRET, now).await) }
    };
    let twice = the_box.assembly.invite(&ada, 2, 7, NOW).await.unwrap();
    assert_eq!(join("00000-00000".into(), "Ben", NOW).await, "code_invalid");
    assert_eq!(join(twice.code.to_lowercase(), "Ben", NOW).await, "ok");
    assert_eq!(join(twice.code.clone(), " BEN ", NOW).await, "name_taken");
    assert_eq!(join(twice.code.clone(), "Cleo", NOW.plus_days(7)).await, "code_invalid");
    assert_eq!(join(twice.code.clone(), "Cleo", NOW).await, "ok");
    assert_eq!(join(twice.code, "Dora", NOW).await, "code_invalid");
    assert_eq!(join(String::new(), "Dora", NOW).await, "code_needed");
    let withdrawn = the_box.assembly.invite(&ada, 1, 7, NOW).await.unwrap();
    the_box.assembly.withdraw_invitation(&ada, &withdrawn.id, NOW).await.unwrap();
    assert_eq!(join(withdrawn.code, "Dora", NOW).await, "code_invalid");
}

fn code_of<T>(result: Result<T, AssemblyError>) -> String {
    code(result)
}

#[tokio::test]
async fn where_everybody_may_join_a_flood_is_stopped() {
    let new = TestBox::new();
    new.try_found(|founding| founding.kit = "commons".into()).await.unwrap();
    new.assembly.join(None, "Ben", SECRET, NOW).await.unwrap();
    new.assembly
        .change(NOW, |change| {
            for _ in 0..59 {
                super::super::attempts::open_join(change.tx, change.now)?;
            }
            Ok(())
        })
        .await
        .unwrap();
    assert_eq!(code(new.assembly.join(None, "Cleo", SECRET, NOW).await), "too_often");
    assert_eq!(code(new.assembly.join(None, "Cleo", SECRET, Time(NOW.0 + 60)).await), "ok");
}

#[tokio::test]
async fn who_may_invite_is_what_the_constitution_says() {
    for (kit, members_may) in [("circle", true), ("council", false)] {
        let new = TestBox::new();
        let ada = new.try_found(|founding| founding.kit = kit.into()).await.unwrap().sign_in.caller;
        let ben = new.join(&ada, "Ben").await.caller;
        let invited = new.assembly.invite(&ben, 1, 1, NOW).await;
        assert_eq!(code(invited), if members_may { "ok" } else { "not_allowed" }, "{kit}");
        let me = new.assembly.me(Some(&ben), "box", NOW).member.unwrap();
        assert_eq!(me.permissions.contains(&banyan_governance::Permission::Invite), members_may, "{kit}");
        for (uses, days) in [(0, 1), (501, 1), (1, 0), (1, 91)] {
            assert_eq!(code(new.assembly.invite(&ada, uses, days, NOW).await), "out_of_range");
        }
    }
}

#[tokio::test]
async fn a_member_sees_and_withdraws_their_own_invitations_and_a_steward_all() {
    let (the_box, ada) = TestBox::founded().await;
    let ben = the_box.join(&ada, "Ben").await.caller;
    let of_ada = the_box.assembly.invite(&ada, 1, 1, NOW).await.unwrap();
    let of_ben = the_box.assembly.invite(&ben, 1, 1, NOW).await.unwrap();
    let seen = the_box.assembly.invitations(&ben, NOW).await.unwrap();
    assert_eq!(seen.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), [of_ben.id.as_str()]);
    assert_eq!(code(the_box.assembly.withdraw_invitation(&ben, &of_ada.id, NOW).await), "not_found");
    assert_eq!(code(the_box.assembly.withdraw_invitation(&ada, &of_ben.id, NOW).await), "ok");
    assert_eq!(code(the_box.assembly.withdraw_invitation(&ada, "x", NOW).await), "not_found");
}

#[tokio::test]
async fn two_who_want_one_name_at_the_same_moment_do_not_both_get_it() {
    let (the_box, ada) = TestBox::founded().await;
    let invitation = the_box.assembly.invite(&ada, 2, 1, NOW).await.unwrap();
    let join = || the_box.assembly.join(Some(&invitation.code), "Ben", SECRET, NOW);
    let (one, other) = tokio::join!(join(), join());
    let mut codes = [code(one), code(other)];
    codes.sort();
    assert_eq!(codes, ["name_taken", "ok"]);
}
