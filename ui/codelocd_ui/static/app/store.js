// What the page knows, changed by what the server tells; components look at it by `useStore`.
import { useEffect, useState } from './html.js';

const SAVES = 200, RELOADS = 40, SAMPLES = 720, JOURNAL = 2000;

export const store = {
  /** @type {'connecting' | 'live' | 'lost' | 'login'} */
  link: 'connecting',
  lostAt: 0,
  /** Another version of the page is served than the one that runs here. */
  outdated: false,
  page: { name: '', editor: '', read_only: false, version: '' },
  daemon: null,
  gone: null,
  /** @type {Map<string, any>} */
  locations: new Map(),
  /** @type {any[][]} */
  rows: [],
  conflicts: [],
  revision: -1,
  saves: [],
  reloads: new Map(),
  usage: new Map(),
  builds: new Map(),
  journal: [],
  /** Keys of definitions that the last save changed: `[sign, when]`. */
  touched: new Map(),
};

const listeners = new Set();
let isTold = false;

/** Every component that looks at the store is drawn again, at most once a frame. */
export function tell() {
  if (isTold) return;
  isTold = true;
  const draw = () => { isTold = false; for (const each of [...listeners]) each(); };
  if (document.hidden) setTimeout(draw, 200); else requestAnimationFrame(draw);
}

export function useStore() {
  const [, again] = useState(0);
  useEffect(() => {
    const listener = () => again((count) => count + 1);
    listeners.add(listener);
    return () => { listeners.delete(listener); };
  }, []);
  return store;
}

/** A number that grows every second, for ages. @param {number} every in ms */
export function useClock(every = 1000) {
  const [now, set] = useState(Date.now() / 1000);
  useEffect(() => {
    const timer = setInterval(() => set(Date.now() / 1000), every);
    return () => clearInterval(timer);
  }, [every]);
  return now;
}

export const keyOf = (row) => `${row[0]}\0${row[1]}\0${row[2]}\0${row[3]}`;

/** Take over a message of the socket. @param {any} message */
export function take(message) {
  const handler = HANDLERS[message.type];
  if (handler) { handler(message); tell(); }
}

const HANDLERS = {
  page(message) {
    if (store.page.version && store.page.version !== message.version) store.outdated = true;
    const { type: _, ...page } = message;
    store.page = page;
  },
  state(message) {
    store.link = 'live';
    store.daemon = message.daemon;
    store.gone = message.gone;
    store.heardAt = Date.now() / 1000;
    store.locations = new Map(message.locations.map((one) => [one.name, received(one)]));
    store.builds.clear();
    store.count = message.definitions;
  },
  gone(message) { store.gone = message; },
  status(message) {
    const { event, location } = message;
    if (location) store.locations.set(location.name, received(location));
    else if (event.location) {
      store.locations.delete(event.location);
      store.rows = store.rows.filter((row) => row[0] !== event.location);
    }
    if (message.config && store.daemon) store.daemon.config = message.config;
    if (location && location.state !== 'building' && location.reloading !== 'building') store.builds.delete(location.name);
    addEvents([event]);
  },
  definitions(message) {
    applyRows(message);
    const save = { ...message, at: Date.now() / 1000 };
    store.saves.unshift(save);
    store.saves.length = Math.min(store.saves.length, SAVES);
    if (message.timing) push(store.reloads, message.location, { at: save.at, timing: message.timing, ok: true }, RELOADS);
  },
  build(message) { store.builds.set(message.location, message); },
  usage(message) {
    for (const [name, [memory, cpu]] of Object.entries(message.locations)) {
      push(store.usage, name, [message.at, memory, cpu], SAMPLES);
      const location = store.locations.get(name);
      if (location) { location.memory = memory; location.cpu = cpu; }
    }
  },
};

/** `since`: when its uptime and phase began, by this machine's clock. */
function received(location) {
  const now = Date.now() / 1000;
  return { ...location, upSince: location.uptime == null ? null : now - location.uptime, phaseSince: now - (location.phase_seconds ?? 0) };
}

function push(map, name, value, most) {
  const list = map.get(name) ?? [];
  list.push(value);
  if (list.length > most) list.shift();
  map.set(name, list);
}

function applyRows({ added, changed, removed, revision }) {
  const gone = new Set([...removed, ...changed, ...added].map(keyOf));
  store.rows = store.rows.filter((row) => !gone.has(keyOf(row))).concat(changed, added);
  store.revision = revision;
  store.count = store.rows.length;
  const now = Date.now() / 1000;
  for (const row of added) store.touched.set(keyOf(row), ['+', now]);
  for (const row of changed) store.touched.set(keyOf(row), ['~', now]);
}

/** @param {any} registry what `api/registry` answered */
export function takeRegistry(registry) {
  store.rows = registry.rows;
  store.conflicts = registry.conflicts;
  store.revision = registry.revision;
  store.count = registry.rows.length;
  tell();
}

/** Put journal entries into the order of their numbers, newest first. @param {any[]} entries */
export function addEvents(entries) {
  const known = new Set(store.journal.map((one) => one.seq));
  const fresh = entries.filter((one) => one.seq != null && !known.has(one.seq));
  if (!fresh.length) return;
  store.journal = fresh.concat(store.journal).sort((a, b) => b.seq - a.seq).slice(0, JOURNAL);
  tell();
}
