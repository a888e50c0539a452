// What the journal tells, as stories: what one save, order or crash led to, and each run. Pure.

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
