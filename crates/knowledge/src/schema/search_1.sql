-- What passages are found by. The words are folded before they come here (see `search/fold.rs`), so the tokenizer has
-- only spaces to see; no column keeps the text itself. 'secure-delete': what is taken out leaves no word behind in the
-- index, not even until it is merged.
--
-- A step that comes with another way of folding empties `search_words`, `search_rows` and `search_documents`: the next
-- start indexes anew whatever has no row in `search_documents`.
CREATE VIRTUAL TABLE search_words USING fts5 (
    title, heading, body,
    content = '', columnsize = 0, tokenize = 'ascii tokenchars ''_'''
);
INSERT INTO search_words (search_words, rank) VALUES ('secure-delete', 1);
-- How many passages have a word, and where each has it.
CREATE VIRTUAL TABLE search_counts USING fts5vocab (search_words, 'row');
CREATE VIRTUAL TABLE search_places USING fts5vocab (search_words, 'instance');

-- As a document was indexed: to take a word out of the index one must know how it came in.
CREATE TABLE search_documents (
    document INTEGER PRIMARY KEY REFERENCES documents (key) ON DELETE CASCADE,
    title TEXT NOT NULL,
    language TEXT
) STRICT;

-- The passages that are indexed, with how many words they have: what is held in memory is read from here, without the
-- texts.
CREATE TABLE search_rows (
    passage INTEGER PRIMARY KEY REFERENCES passages (id) ON DELETE CASCADE,
    document INTEGER NOT NULL,
    words INTEGER NOT NULL
) STRICT;
CREATE INDEX search_rows_by_document ON search_rows (document);

-- Embedding models, by the name under which their vectors are comparable. Up to `done` every passage has a vector that
-- is to have one.
CREATE TABLE search_embedders (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    done INTEGER NOT NULL
) STRICT;
-- A vector is its scale (a little-endian float of 32 bits) and a signed byte for each dimension.
CREATE TABLE search_vectors (
    passage INTEGER NOT NULL REFERENCES passages (id) ON DELETE CASCADE,
    embedder INTEGER NOT NULL REFERENCES search_embedders (id) ON DELETE CASCADE,
    vector BLOB NOT NULL,
    PRIMARY KEY (passage, embedder)
) STRICT, WITHOUT ROWID;

-- Which documents changed, in order, so that what is held in memory follows without being read whole: 0 who may find
-- it, 1 its words, 2 its vectors. The oldest are removed; who was away for longer reads everything.
CREATE TABLE search_changes (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    document INTEGER NOT NULL,
    what INTEGER NOT NULL
) STRICT;
CREATE TRIGGER search_document_changed AFTER UPDATE OF collection, language, allowed, current ON documents BEGIN
    INSERT INTO search_changes (document, what) VALUES (new.key, 0);
END;
CREATE TRIGGER search_document_gone AFTER DELETE ON documents BEGIN
    INSERT INTO search_changes (document, what) VALUES (old.key, 1);
END;
CREATE TRIGGER search_collection_changed AFTER UPDATE OF audience ON collections BEGIN
    INSERT INTO search_changes (document, what) SELECT key, 0 FROM documents WHERE collection = new.id;
END;
