PRAGMA user_version = 5;
BEGIN TRANSACTION;
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
INSERT INTO "made" VALUES('sales','__repository__','orders',1,102.0,9,'m9');
CREATE TABLE runs (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        location TEXT NOT NULL,
        key TEXT,
        state TEXT NOT NULL,
        queued REAL NOT NULL,
        ended REAL,
        document TEXT NOT NULL
    , untold INTEGER NOT NULL DEFAULT 0) STRICT;
INSERT INTO "runs" VALUES(1,'sales','2026-11-27','succeeded',100.0,102.0,'{"id":1,"uuid":"3a349f90-fc1b-409a-8456-8ac8916f0a19","wish":{"location":"sales","repository":"__repository__","job":"nightly","select":null,"upstream":false,"checks":"with","params":{"day":"2026-11-27"},"config":null,"tags":{"team":"shop"},"by":{"kind":"cli","user":"ada"},"key":"2026-11-27","retry_of":null,"scheduled_for":null,"dagster_run":null,"policy":{"retries":2,"retry_delay":10.0,"timeout":null,"memory_limit":null,"limits":{"db":1},"stop_timeout":10.0}},"queued":100.0,"state":"succeeded","why":null,"summary":null,"started":101.0,"ended":102.0,"attempts":[{"number":1,"state":"starting","pid":7,"start_method":null,"start_why":null,"started":null,"ended":null,"exit":null,"signal":null,"why":null,"summary":null,"problem":null,"memory_peak":null,"false_starts":0}],"steps":[{"kind":"asset","name":"orders","state":"succeeded","seconds":0.1,"metadata":{"rows":1204},"checks":[]}],"step_timeouts":{},"generation":9,"manifest":"m9","late":{},"environment":"e1","dagster_run":null,"stopping":null,"retry_at":null,"untold":[]}',0);
INSERT INTO "runs" VALUES(2,'sales',NULL,'queued',103.0,NULL,'{"id":2,"uuid":"8e05597a-8f18-45c3-ae0a-c2e1cfff35cc","wish":{"location":"sales","repository":"__repository__","job":null,"select":["orders"],"upstream":false,"checks":"with","params":{},"config":null,"tags":{},"by":{"kind":"client"},"key":null,"retry_of":null,"scheduled_for":null,"dagster_run":null,"policy":{"retries":0,"retry_delay":10.0,"timeout":null,"memory_limit":null,"limits":{},"stop_timeout":10.0}},"queued":103.0,"state":"queued","why":null,"summary":null,"started":null,"ended":null,"attempts":[],"steps":[],"step_timeouts":{},"generation":null,"manifest":null,"late":{},"environment":null,"dagster_run":null,"stopping":null,"retry_at":null,"untold":[]}',0);
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
INSERT INTO "schedules" VALUES('sales','__repository__','every_morning',90.0,'0 6 * * * UTC',1,91.0);
CREATE TABLE sensors (
        location TEXT NOT NULL,
        repository TEXT NOT NULL,
        name TEXT NOT NULL,
        kept TEXT NOT NULL,
        seen REAL NOT NULL,
        PRIMARY KEY (location, repository, name)
    ) STRICT, WITHOUT ROWID;
INSERT INTO "sensors" VALUES('sales','__repository__','on_new_file','{}',91.0);
CREATE TABLE switches (
        location TEXT NOT NULL,
        repository TEXT NOT NULL,
        name TEXT NOT NULL,
        enabled INTEGER NOT NULL,
        at REAL NOT NULL,
        PRIMARY KEY (location, repository, name)
    ) STRICT, WITHOUT ROWID;
INSERT INTO "switches" VALUES('sales','__repository__','every_morning',0,104.0);
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
INSERT INTO "ticks" VALUES(1,'sales','__repository__','every_morning',90.0,91.0,'missed',NULL,'[]',71);
CREATE UNIQUE INDEX runs_by_key ON runs (location, key) WHERE key IS NOT NULL;
CREATE INDEX runs_by_location ON runs (location, id, state);
CREATE INDEX runs_by_state ON runs (state, id, location);
CREATE INDEX ticks_open ON ticks (id) WHERE state IN ('due', 'waiting');
CREATE INDEX ticks_by_time ON ticks (at);
CREATE INDEX runs_untold ON runs (id) WHERE untold;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('runs',2);
INSERT INTO "sqlite_sequence" VALUES('ticks',1);
COMMIT;
