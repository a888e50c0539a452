// What the page knows, changed by what the server tells; components look at it by `useStore`.
import { useEffect, useLayoutEffect, useState } from './html.js';
import { past, sentence, level } from './stories.js';
import { isLive } from './anyruns.js';

const SAVES = 200, SAMPLES = 720, JOURNAL = 2000, RUNS = 500;

/**
 * `lostAt`: since when nothing is heard. `outdated`: another version of the page is served than runs here.
 * `back`: when the connection came back, and how much happened meanwhile. `live`: saves that were told
 * while this page was open; `saves` and `reloads` have those of the journal, too. `touched`: keys of
 * definitions that a save changed, with a sign and when. `sentence`: what is to be said aloud. `told`: how often something changed.
 */
export const store = {
  link: /** @type {'connecting' | 'live' | 'lost' | 'login'} */ ('connecting'),
  lostAt: 0,
  loginProblem: '',
  outdated: false,
  back: /** @type {{at: number, count: number} | null} */ (null),
  page: { name: '', editor: '', read_only: false, version: '', runs: false },
  daemon: /** @type {any} */ (null),
  gone: /** @type {{at: number, why: string} | null} */ (null),
  locations: /** @type {Map<string, CodeLocation>} */ (new Map()),
  rows: /** @type {Row[]} */ ([]),
  revision: -1,
  count: 0,
  live: /** @type {Save[]} */ ([]),
  saves: /** @type {Save[]} */ ([]),
  reloads: /** @type {Map<string, Reload[]>} */ (new Map()),
  usage: /** @type {Map<string, [number, number | null, number | null][]>} */ (new Map()),
  builds: /** @type {Map<string, Build>} */ (new Map()),
  journal: /** @type {Entry[]} */ ([]),
  touched: /** @type {Map<string, [string, number]>} */ (new Map()),
  runs: /** @type {Map<number, Run>} */ (new Map()),
  sentence: '',
  told: 0,
};

/** @type {Set<() => void>} */
const listeners = new Set();
let isTold = false;

/** Every component that looks at the store is drawn again, at most once a frame. */
export function tell() {
  if (isTold) return;
  isTold = true;
  const draw = () => { isTold = false; store.told += 1; for (const each of [...listeners]) each(); };
  if (document.hidden) setTimeout(draw, 200); else requestAnimationFrame(draw);
}

export function useStore() {
  const [, again] = useState(0);
  useLayoutEffect(() => { // before anything else can be told
    const listener = () => again((count) => count + 1);
    listeners.add(listener);
    return () => { listeners.delete(listener); };
  }, []);
  return store;
}

/** The time in Unix seconds, again and again, for ages. @param {number} every in ms */
export function useClock(every = 1000) {
  const [now, set] = useState(Date.now() / 1000);
  useEffect(() => {
    const timer = setInterval(() => set(Date.now() / 1000), every);
    return () => clearInterval(timer);
  }, [every]);
  return now;
}

/** @param {Row} row */
export const keyOf = (row) => `${row[0]}\0${row[1]}\0${row[2]}\0${row[3]}`;

/** Take over a message of the socket. @param {any} message */
export function take(message) {
  const handler = Object.hasOwn(HANDLERS, message.type) ? HANDLERS[message.type] : null;
  if (handler) { handler(message); tell(); }
}

/** @type {Record<string, (message: any) => void>} */
const HANDLERS = {
  page({ type: _, ...page }) {
    if (store.page.version && store.page.version !== page.version) store.outdated = true;
    store.page = page;
  },
  state(message) {
    store.link = 'live';
    store.daemon = message.daemon;
    store.gone = message.gone;
    store.locations = new Map(message.locations.map((/** @type {any} */ one) => [one.name, received(one)]));
    store.builds.clear();
    store.runs = new Map();
    store.count = message.definitions;
  },
  gone(message) { store.gone = message; store.lostAt = message.at; },
  status({ event, location, config }) {
    if (location) {
      const before = store.locations.get(location.name);
      const now = received(location);
      store.locations.set(location.name, now);
      if (before && level(before) !== level(now)) store.sentence = sentence(now);
    } else if (event.location) {
      store.locations.delete(event.location);
      store.rows = store.rows.filter((row) => row[0] !== event.location);
    }
    if (config && store.daemon) store.daemon.config = config;
    if (location && location.state !== 'building' && location.reloading !== 'building') store.builds.delete(location.name);
    addEvents([event]);
  },
  definitions(message) {
    applyRows(message);
    if (message.seconds == null) return; // no save: it started or stopped, or was told to reload
    store.live = [{ ...message, at: Date.now() / 1000 }, ...store.live].slice(0, SAVES);
    remember();
  },
  runs(message) { store.runs = new Map(message.runs.map((/** @type {Run} */ one) => [one.id, one]).reverse()); },
  run({ run }) {
    const before = store.runs.get(run.id);
    if (!isLive(run)) import('./runstates.js').then(({ runSentence }) => { store.sentence = runSentence(before, run) || store.sentence; tell(); }, () => undefined);
    const runs = new Map(store.runs).set(run.id, run); // another map, by which lists know
    if (runs.size > RUNS) for (const [id, one] of runs) if (!isLive(one)) { runs.delete(id); break; }
    store.runs = runs;
  },
  build(message) { store.builds.set(message.location, message); },
  usage(message) {
    for (const [name, [memory, cpu]] of /** @type {[string, [number | null, number | null]][]} */ (Object.entries(message.locations))) {
      const list = store.usage.get(name) ?? [];
      if (list.length && list[list.length - 1][0] >= message.at) continue;
      list.push([message.at, memory, cpu]);
      if (list.length > SAMPLES) list.shift();
      store.usage.set(name, list);
      const location = store.locations.get(name);
      if (location) { location.memory = memory; location.cpu = cpu; }
    }
  },
};

/** `upSince`, `phaseSince`: by this machine's clock. @param {any} location @returns {CodeLocation} */
function received(location) {
  const now = Date.now() / 1000;
  return { ...location, upSince: location.uptime == null ? null : now - location.uptime, phaseSince: now - (location.phase_seconds ?? 0) };
}

/** @param {{added: Row[], changed: Row[], removed: Row[], revision: number}} message */
function applyRows({ added, changed, removed, revision }) {
  const gone = new Set([...removed, ...changed, ...added].map(keyOf));
  store.rows = store.rows.filter((row) => !gone.has(keyOf(row))).concat(changed, added);
  store.revision = revision;
  store.count = store.rows.length;
  const now = Date.now() / 1000;
  for (const row of added) store.touched.set(keyOf(row), ['+', now]);
  for (const row of changed) store.touched.set(keyOf(row), ['~', now]);
}

/** @param {{rows: Row[], revision: number}} registry what `api/registry` answered */
export function takeRegistry({ rows, revision }) {
  Object.assign(store, { rows, revision, count: rows.length });
  tell();
}

/** Put journal entries into the order of their numbers, newest first. @param {Entry[]} entries */
export function addEvents(entries) {
  const known = new Set(store.journal.map((one) => one.seq));
  const fresh = entries.filter((one) => one.seq != null && !known.has(one.seq));
  if (!fresh.length) return 0;
  store.journal = fresh.concat(store.journal).sort((a, b) => b.seq - a.seq).slice(0, JOURNAL);
  remember();
  tell();
  return fresh.length;
}

function remember() { Object.assign(store, past(store.journal, store.live)); }
