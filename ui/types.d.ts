// What the page's modules hand to each other, for `tsc --checkJs`; nothing of it is served.
// The daemon's documents are described in docs/protocol.md.

type Level = 'ok' | 'warn' | 'bad' | 'busy' | 'off';
type Order = 'start' | 'stop' | 'restart' | 'reload';
type RunOrder = 'run' | 'run_cancel' | 'run_retry' | 'schedule_set';

interface Frame { file: string; line: number; column: number | null; function: string; own: boolean; code: [number, string][]; }
interface ProblemDocument { kind?: string; summary: string; detail: string; at: number; frames?: Frame[]; remedy?: string | null; }
interface EnvironmentInUse { key: string; path: string | null; python: string; executable: string; origin: string; }

/** An entry of `status`; `upSince` and `phaseSince` are by this machine's clock. */
interface CodeLocation {
  name: string; state: string; wanted: boolean | null; reloading: string | null; stale: boolean;
  generation: number | null; restarts: number; start_method: string | null; uptime: number | null;
  memory: number | null; cpu: number | null; environment: EnvironmentInUse | null; loader: string | null;
  load_seconds: number | null; problem: ProblemDocument | null; last_failure: ProblemDocument | null;
  definitions: Record<string, number>; phase_seconds: number | null;
  upSince: number | null; phaseSince: number;
}

/** `[location, repository, kind, name, group, kinds, deps, flags, owners, tags]` of a definition. */
type Row = [string, string, string, string, string, string[], string[], string, string[], string[]];
type Timing = Record<string, number | null>;

/** An entry of the journal. */
interface Entry {
  seq: number; at: number; location: string | null; event: string; before: string | null; after: string | null;
  generation: number | null; detail: string | null; attempt?: number | null; by?: string | null;
  timing?: Timing | null; added?: number | null; changed?: number | null; removed?: number | null;
}

/** What a save did; `counts` where the names are not known any more. */
interface Save {
  location: string; generation: number | null; at: number; seconds: number | null; timing: Timing | null;
  added: Row[]; changed: Row[]; removed: Row[]; fields?: string[][]; counts?: [number, number, number];
}
interface Reload { at: number; timing: Timing; ok: boolean; generation: number | null; }
interface Story { location: string | null; entries: Entry[]; head: Entry; first: Entry; level: Level; title: string; detail: string; seconds: number | null; count: number; oldest: number; }

/** `[seq, at, location, stream, text, generation]`, or a rule between lines. */
interface Line { seq: number; at: number; location: string; stream: string; text: string; generation: number | null; rule?: boolean; }

/** A run without its steps and attempts; `attempt` is the number of the newest, `counts` has the steps in each state. */
interface Run {
  id: number; location: string; repository: string; job: string | null; select: string[] | null; state: string;
  why: string | null; summary: string | null; by: Record<string, any>; params: Record<string, any>; tags: Record<string, string>;
  retry_of: number | null; scheduled_for: number | null; code: { generation: number | null; manifest: string | null; late: string[] };
  environment: string | null; queued: number; started: number | null; ended: number | null; seconds?: number | null;
  config?: Record<string, any> | null; dagster_run: string | null; retry_at?: number | null;
  attempt: number; counts: Record<string, number>; stopping?: string | null;
}
interface Check { name: string; state: string; severity?: string; blocking?: boolean; seconds?: number | null; summary?: string | null; metadata?: Record<string, any>; }
interface Step { kind: string; name: string; state: string; seconds?: number | null; why?: string | null; summary?: string | null; problem?: ProblemDocument | null; metadata?: Record<string, any>; checks: Check[]; since?: number; }
interface Attempt { number: number; state: string; pid: number | null; start_method: string | null; started: number | null; ended: number | null; seconds?: number | null; exit: number | null; signal: number | null; why: string | null; summary: string | null; problem: ProblemDocument | null; memory_peak: number | null; }
interface WholeRun extends Run { steps: Step[]; attempts: Attempt[]; waits_for?: string[]; }
interface Schedule {
  location: string; repository: string; name: string; kind: string; cron: string | string[] | null; timezone: string | null; minimum_interval: number | null;
  job: string | null; enabled: boolean; ticks: boolean; why: string | null; next: number | null; missed: number;
  last: { at: number; state: string; run: number | null; why: string | null } | null;
  cursor?: any; failures?: number; upcoming?: number[]; newest?: Tick[];
}
interface Tick { scheduled_for: number; at: number; state: string; why: string | null; runs: number[]; count: number; }
/** What is started: a job, or an asset. */
interface Startable { location: string; repository: string; kind: string; name: string; }

interface Build { location: string; phase: string; message: string; done: number | null; total: number | null; bytes_done: number | null; bytes_total: number | null; }
interface Route { name: string; parts: string[]; query: URLSearchParams; }
interface EnvironmentDocument { key: string; path: string; python: string; packages: string[]; size: number; shared: number; why: string[]; used_by: string[]; last_used: number; created: number; }

/** A card of the graph. A group that is folded is one, too. */
interface Asset { row: Row; id: string; isGhost?: boolean; location: string; name: string; group: string; x: number; y: number; width: number; height: number; column: number; box?: Box; folded?: Asset[]; }
interface Box { id: string; name: string; assets: Asset[]; cards: Asset[]; x: number; y: number; width: number; height: number; column: number; isOpen: boolean; }
interface Placed { x: number; y: number; width: number; height: number; column: number; }
type Edge = [Asset, Asset];
interface Point { x: number; y: number; }
interface Picture { boxes: Box[]; assets: Asset[]; edges: Edge[]; lines: GraphLine[]; ghosts: Map<string, string[]>; twice: Set<string>; width: number; height: number; shape: string; memory: import("./codelocd_ui/static/app/placing.js").Memory; insides: Map<string, import("./codelocd_ui/static/app/placing.js").Memory>; }
interface GraphLine { from: Asset | Box; to: Asset | Box; points: Point[]; across: boolean; count: number; pairs: Edge[]; }
interface Camera { zoom: number; x: number; y: number; }
