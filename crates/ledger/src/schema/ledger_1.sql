CREATE TABLE ledger (
    seq INTEGER PRIMARY KEY CHECK (seq > 0),
    time INTEGER NOT NULL,
    kind TEXT NOT NULL,
    payload BLOB NOT NULL,
    previous BLOB NOT NULL CHECK (length(previous) = 32),
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    signature BLOB NOT NULL CHECK (length(signature) = 64)
) STRICT;

CREATE TRIGGER ledger_is_never_changed BEFORE UPDATE ON ledger
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: an entry is never changed'); END;

CREATE TRIGGER ledger_is_never_shortened BEFORE DELETE ON ledger
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: an entry is never deleted'); END;

-- Also what keeps INSERT OR REPLACE out, which deletes without asking the trigger above.
CREATE TRIGGER ledger_grows_at_its_end BEFORE INSERT ON ledger
WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM ledger)
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: an entry comes after the last one'); END;

CREATE TABLE ledger_countersignatures (
    seq INTEGER NOT NULL REFERENCES ledger (seq),
    signer BLOB NOT NULL CHECK (length(signer) = 32),
    signature BLOB NOT NULL CHECK (length(signature) = 64),
    PRIMARY KEY (seq, signer)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER countersignature_is_never_changed BEFORE UPDATE ON ledger_countersignatures
BEGIN SELECT RAISE(ABORT, 'a countersignature of the ledger is never changed'); END;

CREATE TRIGGER countersignature_is_never_deleted BEFORE DELETE ON ledger_countersignatures
BEGIN SELECT RAISE(ABORT, 'a countersignature of the ledger is never deleted'); END;

CREATE TRIGGER countersignature_is_never_replaced BEFORE INSERT ON ledger_countersignatures
WHEN EXISTS (SELECT 1 FROM ledger_countersignatures WHERE seq = NEW.seq AND signer = NEW.signer)
BEGIN SELECT RAISE(ABORT, 'this steward has countersigned that entry already'); END;

-- Texts that may be withdrawn. Beside the ledger, which keeps their salted hashes only; a row may be deleted.
CREATE TABLE withheld (
    id TEXT PRIMARY KEY,
    key BLOB NOT NULL CHECK (length(key) = 32),
    salt BLOB NOT NULL CHECK (length(salt) = 32),
    sealed BLOB NOT NULL
) STRICT, WITHOUT ROWID;
