//! The table.

/// Whom each column is about. `program` has a key for `/v1`, which makes it nobody's member; `ended` has a session that
/// was signed out; `owner` is a member to whom the things belong that are asked for.
pub(crate) const COLUMNS: [&str; 10] = [
    "nobody",
    "program",
    "ended",
    "suspended",
    "other",
    "librarian",
    "mediator",
    "moderator",
    "steward",
    "owner",
];

/// One address.
pub(crate) struct Row {
    /// Method and address, as described.
    pub(crate) route: &'static str,
    /// What is sent; names in braces are filled in.
    pub(crate) body: &'static str,
    /// What everybody gets, in the order of the columns. The requests are made in that order, too.
    pub(crate) expected: [u16; COLUMNS.len()],
}

/// For everybody.
const ALL: [u16; COLUMNS.len()] = [200; COLUMNS.len()];
/// For members.
const MEMBERS: [u16; COLUMNS.len()] = [401, 401, 401, 403, 200, 200, 200, 200, 200, 200];
/// For members, also while they are suspended.
const EVEN_SUSPENDED: [u16; COLUMNS.len()] = [401, 401, 401, 200, 200, 200, 200, 200, 200, 200];
/// For whoever may read a document that is open to members; to others it is not there.
const READERS: [u16; COLUMNS.len()] = [404, 404, 404, 404, 200, 200, 200, 200, 200, 200];
/// For programs with a key, who get this.
const fn programs(status: u16) -> [u16; COLUMNS.len()] {
    [401, status, 401, 401, 401, 401, 401, 401, 401, 401]
}

const fn row(route: &'static str, body: &'static str, expected: [u16; COLUMNS.len()]) -> Row {
    Row { route, body, expected }
}

/// All addresses.
#[rustfmt::skip]
pub(crate) const TABLE: &[Row] = &[
    //                                                  nobody prog end  susp other libr  medi  mode  stew  owner
    row("GET /api/status", "", ALL),
    row("POST /api/chat", r#"{"messages":[{"role":"user","content":"Hello?"}]}"#,
                                                       [401, 401, 401, 403, 200, 200, 200, 200, 200, 200]),
    row("GET /api/chat/{answer}", "",                  [404, 404, 404, 404, 404, 404, 404, 404, 404, 200]),
    row("DELETE /api/chat/{answer}", "",               [404, 404, 404, 404, 404, 404, 404, 404, 404, 204]),
    row("GET /api/audit/{entry}", "", ALL),
    row("POST /api/try", r#"{"policy":{},"question":""}"#,
                                                       [401, 401, 401, 403, 400, 400, 400, 400, 400, 400]),
    row("GET /api/held", "", ALL),
    row("POST /api/held/{id}", r#"{"allow":true}"#,    [401, 401, 401, 403, 403, 403, 403, 404, 403, 403]),
    row("GET /api/history", "", EVEN_SUSPENDED),
    row("PUT /api/history/{id}", "{}",                 [401, 401, 401, 409, 409, 409, 409, 409, 409, 409]),
    row("GET /api/history/{id}", "",                   [401, 401, 401, 404, 404, 404, 404, 404, 404, 404]),
    row("DELETE /api/history/{id}", "",                [401, 401, 401, 204, 204, 204, 204, 204, 204, 204]),

    row("GET /api/me", "", ALL),
    row("GET /api/founding", "", ALL),
    row("POST /api/founding", r#"{"setup_code":"0","community":"X","kit":"circle","name":"X","secret":"2580"}"#,
                                                       [409; COLUMNS.len()]),
    row("POST /api/join", r#"{"name":"New","secret":"2580"}"#, [400; COLUMNS.len()]),
    row("POST /api/sign-in", r#"{"name":"owner","secret":"2580"}"#, ALL),
    row("POST /api/reset", r#"{"code":"0","secret":"2580"}"#, [400; COLUMNS.len()]),
    row("POST /api/me/secret", r#"{"old":"9713","new":"8246"}"#,
                                                       [401, 401, 401, 400, 400, 400, 400, 400, 400, 400]),
    row("POST /api/me/leave", r#"{"secret":"9713"}"#,  [401, 401, 401, 400, 400, 400, 400, 400, 400, 400]),
    row("GET /api/invitations", "",                    [401, 401, 401, 403, 403, 403, 403, 403, 200, 403]),
    row("POST /api/invitations", "",                   [401, 401, 401, 403, 403, 403, 403, 403, 201, 403]),
    row("DELETE /api/invitations/{id}", "",            [401, 401, 401, 404, 404, 404, 404, 404, 204, 404]),
    row("GET /api/members", "", MEMBERS),
    row("POST /api/members/{id}/reset", "",            [401, 401, 401, 403, 403, 403, 403, 403, 201, 403]),
    row("GET /api/roles", "", MEMBERS),
    row("POST /api/reports", r#"{"about":"answer","words":"It is wrong"}"#,
                                                       [401, 401, 401, 201, 201, 201, 201, 201, 201, 201]),
    row("GET /api/moderation", "",                     [401, 401, 401, 403, 403, 403, 403, 200, 403, 403]),
    row("POST /api/moderation/{case}/settle", r#"{"action":"dismiss","words":"It is right"}"#,
                                                       [401, 401, 401, 403, 403, 403, 403, 200, 403, 403]),
    row("GET /api/cases", "", EVEN_SUSPENDED),
    // The sides are the owner, who reported an answer, and the moderator, who settled it and takes the step first.
    row("POST /api/cases/{id}/appeal", r#"{"words":"No"}"#,
                                                       [401, 401, 401, 404, 404, 404, 404, 200, 404, 409]),
    row("POST /api/cases/{id}/mediation", r#"{"mediator":"{mediator}"}"#,
                                                       [401, 401, 401, 404, 404, 404, 404, 200, 404, 200]),
    row("POST /api/cases/{id}/outcome", r#"{"words":"Peace"}"#,
                                                       [401, 401, 401, 403, 403, 403, 200, 403, 403, 403]),
    row("POST /api/cases/{id}/agree", "",              [401, 401, 401, 404, 404, 404, 403, 200, 404, 200]),
    row("POST /api/cases/{id}/close", "",              [401, 401, 401, 404, 404, 404, 409, 409, 404, 409]),
    row("GET /api/emergency", "", MEMBERS),
    row("POST /api/emergency", r#"{"power":"close_to_guests","reason":"A flood"}"#,
                                                       [401, 401, 401, 403, 403, 403, 403, 403, 409, 403]),
    row("POST /api/emergency/{id}/agree", "",          [401, 401, 401, 403, 403, 403, 403, 403, 200, 403]),

    row("GET /api/proposals", "", MEMBERS),
    row("POST /api/proposals", r#"{"title":"T","text":"Why","topic":"other","options":[]}"#,
                                                       [401, 401, 401, 403, 201, 201, 201, 201, 201, 201]),
    row("GET /api/proposals/{id}", "", MEMBERS),
    row("PUT /api/proposals/{id}", r#"{"title":"T","text":"W","options":[{"title":"Yes","decision":{"type":"set_sharing","kind":"learning","allowed":true}}],"reason":"R"}"#,
                                                       [401, 401, 401, 403, 403, 403, 403, 403, 403, 200]),
    row("POST /api/proposals/{id}/submit", "",         [401, 401, 401, 403, 404, 404, 404, 404, 404, 200]),
    row("POST /api/proposals/{id}/open", "",           [401, 401, 401, 403, 403, 403, 403, 403, 403, 409]),
    row("POST /api/proposals/{id}/withdraw", "",       [401, 401, 401, 403, 403, 403, 403, 403, 403, 200]),
    row("POST /api/proposals/{id}/comments", r#"{"text":"Good"}"#, MEMBERS),
    row("GET /api/comments/held", "",                  [401, 401, 401, 403, 403, 403, 403, 200, 403, 403]),
    row("POST /api/comments/{id}", r#"{"allow":true}"#, [401, 401, 401, 403, 403, 403, 403, 409, 403, 403]),
    row("DELETE /api/comments/{id}", "",               [401, 401, 401, 403, 403, 403, 403, 403, 403, 204]),
    row("PUT /api/proposals/{id}/ballot", r#"{"choice":{"kind":"yes"}}"#, MEMBERS),
    row("DELETE /api/proposals/{id}/ballot", "", MEMBERS),
    row("POST /api/proposals/{id}/paper-codes", r#"{"count":1}"#,
                                                       [401, 401, 401, 403, 403, 403, 403, 403, 201, 403]),
    row("POST /api/proposals/{id}/paper-ballot", r#"{"code":"0","member":"{other}","choice":{"kind":"yes"}}"#,
                                                       [401, 401, 401, 403, 400, 400, 400, 400, 400, 400]),
    row("GET /api/delegations", "", MEMBERS),
    row("PUT /api/delegations", r#"{"topic":"models","to":"{other}"}"#,
                                                       [401, 401, 401, 403, 400, 200, 200, 200, 200, 200]),
    row("DELETE /api/delegations", "",                 [401, 401, 401, 403, 404, 404, 404, 404, 404, 404]),
    row("GET /api/policy", "", MEMBERS),
    row("GET /api/policy/history", "", MEMBERS),
    row("GET /api/constitution", "", MEMBERS),
    row("GET /api/ledger", "", MEMBERS),
    row("POST /api/ledger/verify", "", MEMBERS),
    row("GET /api/ledger/export", "", MEMBERS),

    // The document is the owner's, and open to members; so are the question and its answer.
    row("GET /api/library/collections", "", ALL),
    row("POST /api/library/collections", r#"{"name":"N","audience":"guests","consent":{"uses":[],"level":"local_only"},"licence":"CC0-1.0"}"#,
                                                       [401, 401, 401, 403, 403, 201, 403, 403, 403, 403]),
    row("PATCH /api/library/collections/{id}", r#"{"name":"M","audience":"members","consent":{"uses":[],"level":"local_only"},"licence":"CC0-1.0"}"#,
                                                       [401, 401, 401, 403, 403, 200, 403, 403, 403, 403]),
    row("GET /api/library/documents", "", ALL),
    row("POST /api/library/documents", "",             [401, 401, 401, 403, 400, 400, 400, 400, 400, 400]),
    row("GET /api/library/documents/{id}", "", READERS),
    row("PATCH /api/library/documents/{id}", r#"{"title":"T"}"#,
                                                       [401, 401, 401, 403, 403, 200, 403, 403, 403, 200]),
    row("DELETE /api/library/documents/{id}", "",      [401, 401, 401, 404, 403, 400, 403, 403, 403, 400]),
    row("GET /api/library/documents/{id}/versions", "", READERS),
    row("GET /api/library/documents/{id}/diff", "",    [404, 404, 404, 404, 400, 400, 400, 400, 400, 400]),
    row("POST /api/library/documents/{id}/restore", r#"{"version":1,"why":"W"}"#,
                                                       [401, 401, 401, 403, 403, 200, 403, 403, 403, 200]),
    row("GET /api/library/documents/{id}/original", "", READERS),
    row("GET /api/library/uploads", "", EVEN_SUSPENDED),
    row("GET /api/library/uploads/{id}", "",           [401, 401, 401, 404, 404, 404, 404, 404, 404, 404]),
    row("GET /api/library/search", "",                 [400; COLUMNS.len()]),
    row("GET /api/library/review", "",                 [401, 401, 401, 403, 403, 200, 403, 403, 403, 403]),
    row("POST /api/library/review/{id}/{version}", r#"{"accept":true}"#,
                                                       [401, 401, 401, 403, 403, 204, 403, 403, 403, 403]),
    row("GET /api/library/zim/{zim}/article", "",      [404; COLUMNS.len()]),
    row("GET /api/library/questions", "", MEMBERS),
    row("POST /api/library/questions", r#"{"text":"Where?"}"#,
                                                       [401, 401, 401, 403, 201, 201, 201, 201, 201, 201]),
    row("GET /api/library/questions/{id}", "", MEMBERS),
    row("POST /api/library/questions/{id}/answers", r#"{"text":"Here."}"#,
                                                       [401, 401, 401, 403, 201, 201, 201, 201, 201, 201]),
    row("POST /api/library/questions/{id}/document", r#"{"answer":{reply},"collection":"{collection}","title":"T"}"#,
                                                       [401, 401, 401, 403, 403, 201, 403, 403, 403, 403]),
    row("DELETE /api/library/questions/{id}/answers/{reply}", "",
                                                       [401, 401, 401, 403, 403, 204, 404, 404, 404, 404]),
    row("POST /api/library/questions/{id}/close", r#"{"why":"W"}"#,
                                                       [401, 401, 401, 403, 403, 204, 403, 403, 403, 409]),
    row("DELETE /api/library/questions/{id}", "",      [401, 401, 401, 403, 403, 204, 404, 404, 404, 404]),
    row("GET /api/library/unanswered", "",             [401, 401, 401, 403, 403, 200, 403, 403, 200, 403]),
    row("GET /api/library/export", "",                 [401, 401, 401, 403, 403, 200, 403, 403, 403, 403]),
    row("GET /api/library/mine", "", EVEN_SUSPENDED),
    row("GET /api/library/mine/export", "", EVEN_SUSPENDED),
    row("DELETE /api/library/mine", r#"{"why":"W"}"#, EVEN_SUSPENDED),

    // The engine behind it is a made-up one that takes everything, but for embeddings.
    row("POST /v1/chat/completions", "{}", programs(200)),
    row("POST /v1/completions", "{}", programs(200)),
    row("POST /v1/embeddings", "{}", programs(404)),
    row("POST /v1/rerank", "{}", programs(200)),
    row("GET /v1/models", "", programs(200)),
    row("GET /v1/models/{model}", "", programs(200)),

    // The last: afterwards nobody is signed in any more.
    row("POST /api/sign-out", "",                      [401, 401, 401, 204, 204, 204, 204, 204, 204, 204]),
];
