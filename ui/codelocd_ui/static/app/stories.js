// What a location's state means in words, and what the journal tells of saves. Pure.

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
