CREATE TABLE in_force (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    value TEXT NOT NULL
) STRICT;
