// What a location's state means in words, and what the journal tells of saves and failures. Pure.

const BUSY = new Set(['building', 'starting', 'stopping']);

/** The worst first: bad, warn, busy, off, ok. @param {Pick<CodeLocation, 'state' | 'stale' | 'problem' | 'reloading'>} location @returns {Level} */
export function level(location) {
  if (location.state === 'external' || location.state === 'stopped') return 'off';
  if (location.state === 'failed' || location.state === 'backoff') return 'bad';
  if (location.stale && location.problem) return 'warn';
  if (BUSY.has(location.state) || location.reloading) return 'busy';
  return location.state === 'serving' ? 'ok' : 'bad';
}

const ORDER = { bad: 0, warn: 1, busy: 2, off: 3, ok: 4 };
const NAMES = new Intl.Collator('en', { numeric: true }); // 9 before 10
/** @param {CodeLocation} a @param {CodeLocation} b */
export const worstFirst = (a, b) => ORDER[level(a)] - ORDER[level(b)] || NAMES.compare(a.name, b.name);

/** @param {CodeLocation} location */
export function word(location) {
  if (location.state === 'serving') {
    if (location.reloading) return location.reloading === 'building' ? 'building the next' : 'loading the next';
    return location.stale && location.problem ? 'serving last good' : 'serving';
  }
  return location.state === 'backoff' ? 'tries again soon' : location.state;
}

/** How many definitions it has. @param {CodeLocation} location */
export const definitionsOf = (location) => Object.values(location.definitions ?? {}).reduce((sum, each) => sum + each, 0);

/**
 * Environments that locations have, with what they are found by: Python, key and users.
 * @param {CodeLocation[]} locations @returns {{key: string, text: string}[]}
 */
export function environmentsOf(locations) {
  const users = /** @type {Map<string, {python: string, names: string[]}>} */ (new Map());
  for (const { name, environment } of locations) {
    if (!environment) continue;
    const known = users.get(environment.key) ?? { python: environment.python, names: [] };
    known.names.push(name);
    users.set(environment.key, known);
  }
  return [...users].map(([key, { python, names }]) => ({ key, text: `${key.slice(0, 12)} Python ${python} of ${names.join(', ')}` }));
}

/** What is to be pasted of a remedy: of a line of the config, that line below its table. @param {string} remedy */
export function pasteOf(remedy) {
  const line = /\bin (\[.+?\]) of .+?: ((?:packages = \[|env = \{).*[\]}])$/.exec(remedy);
  return line ? `${line[1]}\n${line[2]}\n` : remedy;
}

/** How often an asset is made from another one. @param {Row[]} rows */
export const edgesOf = (rows) => rows.reduce((sum, row) => sum + (row[2] === 'asset' ? row[6].length : 0), 0);

/** The headline of the overview. @param {CodeLocation[]} locations */
export function headline(locations) {
  const count = (/** @type {Level[]} */ ...wanted) => locations.filter((one) => wanted.includes(level(one))).length;
  const attention = count('bad', 'warn'), busy = count('busy');
  if (!locations.length) return 'No locations yet';
  if (attention) return `${attention} location${attention === 1 ? ' needs' : 's need'} attention`;
  if (busy) {
    const building = locations.filter((one) => one.state === 'building' || one.reloading === 'building').length;
    const stopping = locations.filter((one) => one.state === 'stopping').length;
    if (stopping < busy) return `${busy - stopping} location${busy - stopping === 1 ? ' is' : 's are'} ${building === busy - stopping ? 'building' : 'starting'}`;
    return `${busy} location${busy === 1 ? ' is' : 's are'} stopping`;
  }
  const stopped = locations.filter((one) => one.state === 'stopped').length;
  if (!count('ok')) return 'Everything is stopped';
  return stopped ? `${stopped} location${stopped === 1 ? ' is' : 's are'} stopped, all others serve` : 'Everything is serving';
}

/** What is said aloud of a location, and of nothing but a change. @param {CodeLocation} location */
export function sentence(location) {
  const kind = /^[\w.]+/.exec(location.problem?.summary ?? '')?.[0];
  const line = /:(\d+)\)/.exec(location.problem?.summary ?? '')?.[1];
  return `${location.name}: ${word(location)}${kind ? `, ${kind}` : ''}${kind && line ? ` line ${line}` : ''}`;
}

export const STAGES = ['event', 'decision', 'start', 'import', 'snapshot', 'publish'];
/** Stages of a load with their seconds, those that are known. @param {Timing | null | undefined} timing @returns {[string, number][]} */
export const stages = (timing) => STAGES.flatMap((name) => (timing?.[name] == null ? [] : [/** @type {[string, number]} */ ([name, timing[name]])]));

/** @param {Save} save */
const changedNothing = (save) => !(save.counts ?? [save.added.length, save.changed.length, save.removed.length]).some(Boolean);

/**
 * Saves, newest first; those in a row of one location that changed nothing are one entry.
 * @param {Save[]} saves newest first
 */
export function folded(saves) {
  /** @type {{save: Save, nothing: boolean, count: number}[]} */
  const entries = [];
  for (const save of saves) {
    const nothing = changedNothing(save);
    const last = entries[entries.length - 1];
    if (nothing && last?.nothing && last.save.location === save.location) last.count += 1;
    else entries.push({ save, nothing, count: 1 });
  }
  return entries;
}

/**
 * The reloads that the journal tells of: of each location all of them, oldest first, and all saves, newest
 * first. `live`: what was told while this page was open, with the names of what changed.
 * @param {Entry[]} journal newest first @param {Save[]} live newest first
 */
export function past(journal, live) {
  /** @type {Map<string, Reload[]>} */
  const reloads = new Map();
  const known = new Set(live.map((save) => `${save.location}\0${save.generation}`));
  const saves = [...live];
  for (const entry of [...journal].reverse()) {
    if (!entry.location || entry.timing?.total == null || (entry.before !== 'serving' && entry.timing.event == null)) continue; // a start is no reload
    const ok = entry.event === 'loaded';
    const list = reloads.get(entry.location) ?? [];
    list.push({ at: entry.at, timing: entry.timing, ok, generation: entry.generation });
    reloads.set(entry.location, list);
    if (!ok || entry.timing.event == null || known.has(`${entry.location}\0${entry.generation}`)) continue;
    saves.push({ location: entry.location, generation: entry.generation, at: entry.at, seconds: entry.timing.total, timing: entry.timing, added: [], changed: [], removed: [], counts: [entry.added ?? 0, entry.changed ?? 0, entry.removed ?? 0] });
  }
  for (const save of live) {
    const list = reloads.get(save.location) ?? [];
    if (!save.timing || list.some((one) => one.ok && one.generation === save.generation)) continue;
    reloads.set(save.location, [...list, { at: save.at, timing: save.timing, ok: true, generation: save.generation }].sort((a, b) => a.at - b.at));
  }
  return { reloads, saves: saves.sort((a, b) => b.at - a.at) };
}

const ASKED = 'ended by the daemon';
/** @type {Record<string, Level>} */
const OUTCOMES = { loaded: 'ok', adopted: 'ok', 'load-failed': 'bad', 'environment-failed': 'bad', 'environment-lost': 'bad', 'deadline-passed': 'bad', condemned: 'bad', 'machine-lacks': 'warn', 'config-invalid': 'bad', refused: 'warn', 'left-out': 'warn' };
const BEGINS = new Set(['sources-changed', 'reload-asked', 'restart-asked', 'started', 'stopped', 'added', 'policy-changed', 'environment-chosen']);
/** @param {Entry} entry */
const crashed = (entry) => entry.event === 'exited' && entry.detail !== ASKED && entry.after !== 'stopped';

/** The wait after a crash is over. @param {Entry} entry */
const triesAgain = (entry) => entry.event === 'deadline-passed' && entry.before === 'backoff';

/** The run that an entry tells of, as `run 17`; else empty. @param {Entry} entry */
const runOf = (entry) => (entry.event.startsWith('run-') ? /^run \d+/.exec(entry.detail ?? '')?.[0] ?? entry.event : '');
/** @param {Entry} entry @returns {Level} */
const ofRun = (entry) => (entry.event !== 'run-ended' ? 'off' : / succeeded\b/.test(entry.detail ?? '') ? 'ok' : / (failed|lost)\b/.test(entry.detail ?? '') ? 'bad' : 'off');

/** @param {Entry} entry @returns {Level} */
export const outcome = (entry) => (runOf(entry) ? ofRun(entry) : crashed(entry) ? 'bad' : triesAgain(entry) ? 'off' : OUTCOMES[entry.event] ?? (/fail|crash|unresponsive|limit|damaged|lost/.test(entry.event) ? 'bad' : 'off'));

/** @type {Record<string, string>} */
const WORDS = { 'sources-changed': 'saved', 'reload-asked': 'reload', 'restart-asked': 'restart', started: 'start', stopped: 'stopped', loaded: 'serves', 'load-failed': 'load failed', 'environment-failed': 'environment failed', exited: 'ended', 'environment-ready': 'environment ready', adopted: 'taken over', ending: 'codelocd ends' };
/** @param {Entry} entry */
function said(entry) {
  if (crashed(entry)) return 'crashed';
  if (triesAgain(entry)) return 'tried again';
  if (entry.event === 'sources-changed') {
    const files = (entry.detail ?? '').split(/, (?=\/)/).map((path) => path.split('/').pop());
    return `${files.length > 2 ? `${files.length} files` : files.join(', ') || 'files'} saved`;
  }
  return WORDS[entry.event] ?? entry.event.replaceAll('-', ' ');
}

/**
 * Journal entries as stories, newest first: what one save, order or crash led to is one of them, and
 * so is a crash loop.
 * @param {Entry[]} entries newest first @returns {Story[]}
 */
export function told(entries) {
  /** @type {Map<string | null, Entry[]>} */
  const running = new Map();
  /** @type {Entry[][]} */
  const groups = [];
  for (const entry of [...entries].reverse()) {
    const run = runOf(entry), place = run ? `${entry.location}\0${run}` : entry.location; // a run is a story of its own
    const group = running.get(place);
    const begins = !group || (!run && (BEGINS.has(entry.event) || crashed(entry) || entry.location === null || entry.at - group[group.length - 1].at > 600));
    if (begins) {
      const made = [entry];
      running.set(place, made);
      groups.push(made);
    } else group.push(entry);
  }
  /** @type {Story[]} */
  const stories = [];
  /** @type {Map<string | null, Story>} */
  const last = new Map();
  for (const group of groups) {
    const made = story(group);
    const before = last.get(made.location);
    const folds = made.level === 'bad' || made.title.endsWith(UNCHANGED);
    if (before && folds && before.title === made.title && before.detail === made.detail && made.first.at - before.head.at < NEAR) {
      before.count += 1;
      before.entries.unshift(...made.entries);
      before.head = made.head;
      before.seconds = made.seconds;
    } else { stories.push(made); last.set(made.location, made); }
  }
  return stories.sort((a, b) => b.head.seq - a.head.seq);
}

const UNCHANGED = 'nothing changed', NEAR = 120; // s
/** What a load changed, in counts; empty where the daemon does not tell. @param {Entry} entry */
function changes({ event, added, changed, removed }) {
  if (event !== 'loaded' || added == null) return '';
  const parts = [[added, '+'], [changed ?? 0, '~'], [removed ?? 0, '−']].filter(([count]) => count).map(([count, sign]) => `${sign}${count}`);
  return `, ${parts.join(' ') || UNCHANGED}`;
}

/** @param {Entry[]} group oldest first @returns {Story} */
function story(group) {
  const [first] = group;
  if (runOf(first)) return storyOfRun(group);
  const ends = group.filter((one) => one !== first && outcome(one) !== 'off');
  const end = ends[ends.length - 1] ?? (outcome(first) === 'off' ? null : first);
  const detail = end && end.event !== 'loaded' ? end.detail ?? '' : first.event === 'sources-changed' || first === end ? '' : first.detail ?? '';
  const title = end && end !== first ? `${said(first)} → ${said(end)}${changes(end)}` : said(first);
  const by = first.by && !['file', 'config'].includes(first.by) ? `, asked by ${first.by}` : '';
  const seconds = end?.timing?.total ?? (end && end !== first ? end.at - first.at : null);
  const level = crashed(first) ? 'bad' : end ? outcome(end) : 'off';
  return { location: first.location, entries: [...group].reverse(), head: group[group.length - 1], first, level, title: `${title}${by}`, detail, seconds, count: 1, oldest: first.at };
}

/** @param {Entry[]} group oldest first @returns {Story} */
function storyOfRun(group) {
  const first = group[0], head = group[group.length - 1], hasEnded = head.event === 'run-ended';
  const seconds = hasEnded && head !== first ? head.at - first.at : null, by = first.by ? `, asked by ${first.by}` : '';
  return { location: first.location, entries: [...group].reverse(), head, first, level: ofRun(head), title: `${head.detail ?? ''}${hasEnded ? '' : ' began'}${by}`, detail: '', seconds, count: 1, oldest: first.at };
}

/**
 * How many stories began in each part of a span of time, and how many of them are bad.
 * @param {Story[]} stories @param {number} from @param {number} to Unix seconds @param {number} parts
 */
export function density(stories, from, to, parts) {
  const counts = Array.from({ length: parts }, () => ({ all: 0, bad: 0 }));
  for (const one of stories) {
    const part = Math.floor(((one.first.at - from) / (to - from)) * parts);
    if (part < 0 || part >= parts) continue;
    counts[part].all += 1;
    if (one.level === 'bad') counts[part].bad += 1;
  }
  return counts;
}
