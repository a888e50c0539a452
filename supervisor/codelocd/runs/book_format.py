"""The tables of the book of runs, version by version."""

from __future__ import annotations

MIGRATIONS = (
    """
    CREATE TABLE runs (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        location TEXT NOT NULL,
        key TEXT,
        state TEXT NOT NULL,
        queued REAL NOT NULL,
        ended REAL,
        document TEXT NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX runs_by_key ON runs (location, key) WHERE key IS NOT NULL;
    CREATE INDEX runs_by_location ON runs (location, id);
    CREATE INDEX runs_by_state ON runs (state, id);
    CREATE TABLE made (
        location TEXT NOT NULL,
        repository TEXT NOT NULL,
        name TEXT NOT NULL,
        run INTEGER NOT NULL,
        at REAL NOT NULL,
        generation INTEGER,
        manifest TEXT,
        PRIMARY KEY (location, repository, name)
    ) STRICT, WITHOUT ROWID;
    """,
    """
    CREATE TABLE ticks (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        location TEXT NOT NULL,
        repository TEXT NOT NULL,
        schedule TEXT NOT NULL,
        scheduled_for REAL NOT NULL,
        at REAL NOT NULL,
        state TEXT NOT NULL,
        why TEXT,
        runs TEXT NOT NULL,
        count INTEGER NOT NULL,
        UNIQUE (location, repository, schedule, scheduled_for)
    ) STRICT;
    CREATE INDEX ticks_open ON ticks (id) WHERE state IN ('due', 'waiting');
    CREATE INDEX ticks_by_time ON ticks (at);
    CREATE TABLE schedules (
        location TEXT NOT NULL,
        repository TEXT NOT NULL,
        name TEXT NOT NULL,
        cursor REAL NOT NULL,
        rule TEXT NOT NULL,
        enabled INTEGER NOT NULL,
        seen REAL NOT NULL,
        PRIMARY KEY (location, repository, name)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE switches (
        location TEXT NOT NULL,
        repository TEXT NOT NULL,
        name TEXT NOT NULL,
        enabled INTEGER NOT NULL,
        at REAL NOT NULL,
        PRIMARY KEY (location, repository, name)
    ) STRICT, WITHOUT ROWID;
    """,
    """
    CREATE TABLE sensors (
        location TEXT NOT NULL,
        repository TEXT NOT NULL,
        name TEXT NOT NULL,
        kept TEXT NOT NULL,
        seen REAL NOT NULL,
        PRIMARY KEY (location, repository, name)
    ) STRICT, WITHOUT ROWID;
    """,
    """
    ALTER TABLE runs ADD COLUMN untold INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX runs_untold ON runs (id) WHERE untold;
    """,
    # Runs of a location and of states at once are found without reading those that are neither.
    """
    DROP INDEX runs_by_location;
    DROP INDEX runs_by_state;
    CREATE INDEX runs_by_location ON runs (location, id, state);
    CREATE INDEX runs_by_state ON runs (state, id, location);
    """,
)
"""By version of the format: what makes it of the one before. Never changed, only added to."""
