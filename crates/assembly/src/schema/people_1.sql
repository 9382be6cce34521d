-- Members. `secret` is the member's data key, sealed under the PIN or passphrase: opening it is the check of the secret,
-- so there is one thing to guess at and not two.
CREATE TABLE members (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    name_key TEXT NOT NULL UNIQUE,
    secret BLOB NOT NULL,
    joined INTEGER NOT NULL,
    gone INTEGER
) STRICT;

-- Who is signed in where. `data_key` is the member's data key, sealed under a key made from the token, which only the
-- browser has.
CREATE TABLE sessions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    token_hash BLOB NOT NULL UNIQUE,
    member TEXT NOT NULL REFERENCES members (id),
    data_key BLOB NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL
) STRICT;
CREATE INDEX sessions_of_member ON sessions (member);

-- Attempts to sign in, by what they are counted for: an account, an address, all.
CREATE TABLE attempts (
    scope TEXT PRIMARY KEY,
    level REAL NOT NULL,
    last INTEGER NOT NULL
) STRICT;

CREATE TABLE role_grants (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    member TEXT NOT NULL REFERENCES members (id),
    role TEXT NOT NULL,
    begins INTEGER NOT NULL,
    until INTEGER,
    ended INTEGER
) STRICT;
CREATE INDEX role_grants_of_member ON role_grants (member);

CREATE TABLE sanctions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    member TEXT NOT NULL REFERENCES members (id),
    step TEXT NOT NULL,
    begins INTEGER NOT NULL,
    until INTEGER,
    lifted INTEGER,
    of_case TEXT
) STRICT;
CREATE INDEX sanctions_of_member ON sanctions (member);

CREATE TABLE invitations (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    code_hash BLOB NOT NULL UNIQUE,
    made_by TEXT NOT NULL REFERENCES members (id),
    uses_left INTEGER NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL
) STRICT;

-- Codes by which a member may set a new secret; one at a time for each.
CREATE TABLE resets (
    member TEXT PRIMARY KEY REFERENCES members (id),
    code_hash BLOB NOT NULL UNIQUE,
    made_by TEXT NOT NULL REFERENCES members (id),
    expires INTEGER NOT NULL
) STRICT;

-- Reports and what follows from them, as governance's state machine keeps them, with the words beside.
CREATE TABLE cases (
    id TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    is_over INTEGER NOT NULL,
    created INTEGER NOT NULL,
    changed INTEGER NOT NULL
) STRICT;
CREATE TABLE case_parties (
    of_case TEXT NOT NULL REFERENCES cases (id),
    member TEXT NOT NULL REFERENCES members (id),
    PRIMARY KEY (of_case, member)
) STRICT, WITHOUT ROWID;
CREATE TABLE case_words (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    of_case TEXT NOT NULL REFERENCES cases (id),
    member TEXT NOT NULL REFERENCES members (id),
    at INTEGER NOT NULL,
    words TEXT NOT NULL
) STRICT;
CREATE INDEX case_words_of_case ON case_words (of_case);

-- Emergency powers that stewards asked for or use, as governance's state machine keeps them.
CREATE TABLE emergencies (
    id TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    made_by TEXT NOT NULL REFERENCES members (id),
    created INTEGER NOT NULL
) STRICT;
