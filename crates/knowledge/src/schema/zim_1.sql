-- ZIM archives that were added. They stay where they are, on a disk or a stick; only this is known of them. The rights
-- to what is in them are those of their collection.
CREATE TABLE zims (
    id TEXT PRIMARY KEY,
    -- By this an edition is known, wherever it lies.
    fingerprint BLOB NOT NULL UNIQUE CHECK (length(fingerprint) = 32),
    uuid BLOB NOT NULL CHECK (length(uuid) = 16),
    path TEXT NOT NULL,
    collection TEXT NOT NULL REFERENCES collections (id),
    title TEXT NOT NULL,
    description TEXT NOT NULL,
    creator TEXT NOT NULL,
    publisher TEXT NOT NULL,
    -- The day it was made, as it says.
    date TEXT NOT NULL,
    licence TEXT NOT NULL,
    -- BCP 47, with spaces between them.
    languages TEXT NOT NULL,
    -- Bytes of the file.
    size INTEGER NOT NULL,
    by TEXT,
    added INTEGER NOT NULL
) STRICT;
CREATE INDEX zims_by_collection ON zims (collection);
