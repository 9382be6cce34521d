-- Shelves: who may read what stands on them, and what new documents may be used for unless they say otherwise.
CREATE TABLE collections (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE COLLATE NOCASE,
    about TEXT NOT NULL,
    -- 0 guests, 1 members, 2 librarians: whoever is at least that finds it.
    audience INTEGER NOT NULL CHECK (audience BETWEEN 0 AND 2),
    -- A bit for each use that was agreed to; how far a text may go.
    uses INTEGER NOT NULL,
    level INTEGER NOT NULL CHECK (level BETWEEN 0 AND 2),
    licence TEXT NOT NULL,
    language TEXT,
    -- Whether a librarian looks at what members give, before it is read.
    review INTEGER NOT NULL CHECK (review IN (0, 1)),
    created INTEGER NOT NULL
) STRICT;

-- What was withdrawn has no row here. A key is never given twice, so nothing that points at a document that is gone
-- comes to point at another.
CREATE TABLE documents (
    key INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    collection TEXT NOT NULL REFERENCES collections (id),
    title TEXT NOT NULL,
    author TEXT NOT NULL,
    attribution TEXT NOT NULL,
    licence TEXT NOT NULL,
    language TEXT,
    uses INTEGER NOT NULL,
    level INTEGER NOT NULL CHECK (level BETWEEN 0 AND 2),
    -- A bit for each use that both the uses and the level allow: what every search and every export asks.
    allowed INTEGER NOT NULL,
    -- The member that gave it; none: a steward's command or a watched folder.
    contributor TEXT,
    source TEXT NOT NULL,
    -- The version that is read and searched; none while the first waits for a librarian.
    current INTEGER,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL
) STRICT;
CREATE INDEX documents_by_collection ON documents (collection, title);
CREATE INDEX documents_by_contributor ON documents (contributor) WHERE contributor IS NOT NULL;

CREATE TABLE versions (
    document INTEGER NOT NULL REFERENCES documents (key) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    at INTEGER NOT NULL,
    by TEXT,
    why TEXT NOT NULL,
    -- The words as JSON blocks; the plain text follows from them.
    blocks TEXT NOT NULL,
    -- What the extractor could not read, as JSON.
    warnings TEXT NOT NULL,
    -- BLAKE3 of the file, or of the words where there is no file: by it a duplicate is known.
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    -- The blob with the file as it came.
    original BLOB,
    file_name TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('accepted', 'waiting', 'refused')),
    -- Why it was refused.
    refusal TEXT,
    PRIMARY KEY (document, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX versions_by_hash ON versions (hash);
CREATE INDEX versions_by_original ON versions (original) WHERE original IS NOT NULL;
CREATE INDEX versions_waiting ON versions (at) WHERE state = 'waiting';

-- Parts of the current versions, which search finds. Ids are never given twice.
CREATE TABLE passages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    document INTEGER NOT NULL REFERENCES documents (key) ON DELETE CASCADE,
    version INTEGER NOT NULL,
    -- Bytes of the plain text.
    start INTEGER NOT NULL,
    "end" INTEGER NOT NULL,
    heading TEXT NOT NULL,
    page INTEGER,
    text TEXT NOT NULL
) STRICT;
CREATE INDEX passages_by_document ON passages (document);

-- What is left of a document that was withdrawn, or refused at the review desk: that it was there, not what it said.
CREATE TABLE traces (
    document TEXT PRIMARY KEY,
    collection TEXT NOT NULL,
    contributor TEXT,
    added INTEGER NOT NULL,
    at INTEGER NOT NULL,
    by TEXT,
    why TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('withdrawn', 'refused'))
) STRICT, WITHOUT ROWID;
CREATE INDEX traces_by_contributor ON traces (contributor) WHERE contributor IS NOT NULL;

-- By these a watched folder does not bring back what was withdrawn.
CREATE TABLE trace_hashes (
    document TEXT NOT NULL REFERENCES traces (document),
    number INTEGER NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (document, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX trace_hashes_by_hash ON trace_hashes (hash);

-- Blobs that no row names yet, or any more. One that is going to be named stands here before it is written; so whenever
-- the power goes, the next start removes what nothing names.
CREATE TABLE originals_to_remove (original BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;

-- Folders (or files) that are taken in, once or again and again.
CREATE TABLE imports (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    path TEXT NOT NULL,
    collection TEXT NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
    by TEXT,
    watched INTEGER NOT NULL CHECK (watched IN (0, 1)),
    state TEXT NOT NULL CHECK (state IN ('ready', 'running', 'done')),
    -- Of the latest run.
    started INTEGER,
    ended INTEGER,
    total INTEGER NOT NULL,
    added INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    known INTEGER NOT NULL,
    refused INTEGER NOT NULL,
    -- Where the folder was fetched from: stands before the names of its files; empty for a folder of the box.
    origin TEXT NOT NULL,
    -- What is said of every document of it; empty: what the file or the collection says.
    attribution TEXT NOT NULL,
    licence TEXT NOT NULL,
    language TEXT NOT NULL,
    UNIQUE (path, collection)
) STRICT;

-- What became of each file; so a run that was cut off goes on where it was. The document may have been withdrawn: then
-- the path is a hash of it, since a name can say much, and the file stays out whatever is written into it.
CREATE TABLE import_files (
    import INTEGER NOT NULL REFERENCES imports (id) ON DELETE CASCADE,
    path TEXT NOT NULL,
    size INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('added', 'updated', 'known', 'refused')),
    document TEXT,
    reason TEXT NOT NULL,
    PRIMARY KEY (import, path)
) STRICT, WITHOUT ROWID;
CREATE INDEX import_files_by_document ON import_files (document) WHERE document IS NOT NULL;
