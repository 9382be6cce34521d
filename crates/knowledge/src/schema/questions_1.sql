-- Questions that members asked each other, because the library had no answer. What is not here was never asked of
-- people: a question to the assistant leaves no row.
CREATE TABLE questions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    text TEXT NOT NULL,
    language TEXT,
    asked INTEGER NOT NULL,
    -- Who asked, so that they can take it back; shown to others only where they wanted to be named.
    member TEXT NOT NULL,
    named INTEGER NOT NULL CHECK (named IN (0, 1)),
    closed INTEGER NOT NULL CHECK (closed IN (0, 1)),
    why_closed TEXT NOT NULL,
    -- When something last happened to it; so long after that as the policy says it is erased.
    touched INTEGER NOT NULL
) STRICT;
CREATE INDEX questions_by_member ON questions (member);
CREATE INDEX questions_by_touched ON questions (touched);

CREATE TABLE answers (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    question INTEGER NOT NULL REFERENCES questions (id) ON DELETE CASCADE,
    text TEXT NOT NULL,
    at INTEGER NOT NULL,
    member TEXT NOT NULL,
    -- Whether who wrote it agrees that it becomes a document under their name.
    may_become_document INTEGER NOT NULL CHECK (may_become_document IN (0, 1)),
    -- The document that it became; it may be gone since.
    document TEXT
) STRICT;
CREATE INDEX answers_by_question ON answers (question);
CREATE INDEX answers_by_member ON answers (member);

-- How many questions to the assistant the library covered, by day. Numbers only: neither who asked nor what.
CREATE TABLE coverage (
    day INTEGER PRIMARY KEY,
    covered INTEGER NOT NULL,
    not_covered INTEGER NOT NULL
) STRICT;
