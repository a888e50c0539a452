// What a location's state means in words, and what the last saves changed. Pure.

const BUSY = new Set(['building', 'starting', 'stopping']);

/** The worst first: bad, warn, busy, off, ok. @param {any} location */
export function level(location) {
  if (location.state === 'external') return 'off';
  if (location.state === 'stopped') return 'off';
  if (location.state === 'failed' || location.state === 'backoff') return 'bad';
  if (location.stale && location.problem) return 'warn';
  if (BUSY.has(location.state) || location.reloading) return 'busy';
  return location.state === 'serving' ? 'ok' : 'bad';
}

const ORDER = { bad: 0, warn: 1, busy: 2, off: 3, ok: 4 };
/** @param {any} a @param {any} b */
export const worstFirst = (a, b) => ORDER[level(a)] - ORDER[level(b)] || a.name.localeCompare(b.name);

/** @param {any} location */
export function word(location) {
  if (location.state === 'serving') {
    if (location.reloading) return location.reloading === 'building' ? 'building the next' : 'loading the next';
    return location.stale && location.problem ? 'serving last good' : 'serving';
  }
  if (location.state === 'backoff') return 'tries again soon';
  return location.state;
}

/** The headline of the overview. @param {any[]} locations */
export function headline(locations) {
  const count = (wanted) => locations.filter((one) => wanted.includes(level(one))).length;
  const attention = count(['bad', 'warn']), busy = count(['busy']);
  if (!locations.length) return 'No locations yet';
  if (attention) return `${attention} location${attention === 1 ? ' needs' : 's need'} attention`;
  if (busy) {
    const building = locations.filter((one) => one.state === 'building' || one.reloading === 'building').length;
    return `${busy} location${busy === 1 ? ' is' : 's are'} ${building === busy ? 'building' : 'starting'}`;
  }
  const running = locations.filter((one) => level(one) === 'ok').length;
  return running ? 'Everything is serving' : 'Everything is stopped';
}

const STAGES = ['event', 'decision', 'start', 'import', 'snapshot', 'publish'];
/** Stages of a load with their seconds, those that are known. @param {any} timing */
export const stages = (timing) => STAGES.filter((name) => timing?.[name] != null).map((name) => [name, timing[name]]);

/**
 * Saves, newest first; those in a row of one location that changed nothing are one entry.
 * @param {any[]} saves newest first
 */
export function folded(saves) {
  const entries = [];
  for (const save of saves) {
    const nothing = !save.added.length && !save.changed.length && !save.removed.length;
    const last = entries[entries.length - 1];
    if (nothing && last?.nothing && last.save.location === save.location) last.count += 1;
    else entries.push({ save, nothing, count: 1 });
  }
  return entries;
}

const OUTCOMES = { loaded: 'ok', served: 'ok', 'load-failed': 'bad', crashed: 'bad', failed: 'bad', 'build-failed': 'bad' };
/** @param {string} event */
export const outcome = (event) => OUTCOMES[event] ?? (/fail|crash|unresponsive|limit|damaged/.test(event) ? 'bad' : 'off');

/**
 * Journal entries, newest first, as stories: what belongs to one attempt of a location, and crash
 * loops, are one entry.
 * @param {any[]} entries newest first
 */
export function told(entries) {
  const stories = [];
  for (const entry of entries) {
    const last = stories.findLast?.((story) => story.location === entry.location) ?? null;
    const near = last && last.oldest - entry.at < 2 && last.generation === entry.generation;
    const again = last && last.head.event === entry.event && last.head.detail === entry.detail && last.oldest - entry.at < 90;
    if (last && (near || again)) {
      last.entries.push(entry);
      last.oldest = entry.at;
      if (again) last.count += 1;
    } else {
      stories.push({ location: entry.location, generation: entry.generation, head: entry, entries: [entry], oldest: entry.at, count: 1 });
    }
  }
  return stories;
}
