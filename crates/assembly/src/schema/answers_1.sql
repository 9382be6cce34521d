-- Texts that a moderator looks at first. The text itself is withheld beside the ledger under a key of its own.
CREATE TABLE held (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    created INTEGER NOT NULL,
    side TEXT NOT NULL CHECK (side IN ('question', 'answer')),
    -- By what the one who asked is known again; empty: nobody can come back for it.
    owner TEXT NOT NULL,
    -- Names of the rules that fired, as JSON.
    rules TEXT NOT NULL,
    -- Where the text is; empty once it was erased.
    withheld TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'allowed', 'refused', 'answered')),
    settled INTEGER
) STRICT;
CREATE INDEX held_by_state ON held (state, id);
CREATE INDEX held_by_owner ON held (owner, id);

-- Conversations that members keep on the box; sealed under a key that only their session opens.
CREATE TABLE history (
    member TEXT NOT NULL,
    id TEXT NOT NULL,
    updated INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (member, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX history_by_age ON history (updated);
