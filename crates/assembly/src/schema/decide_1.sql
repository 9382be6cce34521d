-- Proposals whole, as JSON, with what is looked for beside it.
CREATE TABLE proposals (
    id TEXT PRIMARY KEY,
    author TEXT NOT NULL,
    state TEXT NOT NULL,
    topic TEXT NOT NULL,
    created INTEGER NOT NULL,
    review INTEGER,
    value TEXT NOT NULL,
    -- The result, once the vote has closed.
    outcome TEXT,
    -- The ledger entry that enacted it.
    entry INTEGER
) STRICT;
CREATE INDEX proposals_by_state ON proposals (state, created);
CREATE INDEX proposals_by_review ON proposals (review) WHERE review IS NOT NULL;

-- Who has voted, and how while the vote is open. The key is the rule: one vote a member, whichever way it comes.
-- When the vote closes, `choice` is erased here for ever; what counted is in `counted`.
CREATE TABLE ballots (
    proposal TEXT NOT NULL REFERENCES proposals (id),
    voter TEXT NOT NULL,
    choice TEXT,
    cast_at INTEGER NOT NULL,
    -- Who typed it in, when it came on paper.
    helper TEXT,
    PRIMARY KEY (proposal, voter)
) STRICT, WITHOUT ROWID;

-- What counted in a closed vote, one row for each vote with delegated ones among them, so that anybody can count again.
-- Open votes: by whom and through whom. Secret votes: in a random order, without names.
CREATE TABLE counted (
    proposal TEXT NOT NULL REFERENCES proposals (id),
    place INTEGER NOT NULL,
    voter TEXT,
    through TEXT,
    choice TEXT NOT NULL,
    PRIMARY KEY (proposal, place)
) STRICT, WITHOUT ROWID;

-- Sheets for votes on paper. A code opens the box for one sheet; who may vote is still a question of the roll.
CREATE TABLE paper_codes (
    hash BLOB PRIMARY KEY,
    proposal TEXT NOT NULL REFERENCES proposals (id),
    issued_by TEXT NOT NULL,
    issued_at INTEGER NOT NULL,
    used_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX paper_codes_by_proposal ON paper_codes (proposal);

-- What is said beside a vote. The words are kept apart (see the ledger's withheld texts), so that they can be erased.
CREATE TABLE comments (
    id INTEGER PRIMARY KEY,
    proposal TEXT NOT NULL REFERENCES proposals (id),
    author TEXT NOT NULL,
    at INTEGER NOT NULL,
    words TEXT,
    -- Why a moderator looks first; absent: everybody can read it.
    held TEXT
) STRICT;
CREATE INDEX comments_by_proposal ON comments (proposal, id);
CREATE INDEX comments_held ON comments (id) WHERE held IS NOT NULL;

-- Who votes for whom; topic '' is every topic.
CREATE TABLE delegations (
    giver TEXT NOT NULL,
    topic TEXT NOT NULL,
    receiver TEXT NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY (giver, topic)
) STRICT, WITHOUT ROWID;
CREATE INDEX delegations_by_receiver ON delegations (receiver);

-- Every policy and every constitution that ever was in force. Written by `enact` only.
CREATE TABLE policies (
    version INTEGER PRIMARY KEY,
    entry INTEGER NOT NULL,
    at INTEGER NOT NULL,
    authority TEXT NOT NULL,
    value TEXT NOT NULL
) STRICT;
CREATE TABLE constitutions (
    version INTEGER PRIMARY KEY,
    entry INTEGER NOT NULL,
    at INTEGER NOT NULL,
    authority TEXT NOT NULL,
    value TEXT NOT NULL
) STRICT;
