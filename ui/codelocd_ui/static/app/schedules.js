// Schedules and sensors: when they tick next, what the last tick led to, and whether they are on.
import { html, useEffect, useState } from './html.js';
import { useClock, useStore } from './store.js';
import { Mark, Waiting, to } from './parts.js';
import { NoRuns, mayOrder } from './runparts.js';
import { lastTick, levelOf, until } from './runstates.js';
import { age, moment, visible } from './format.js';
import { ask, runOrder } from './connection.js';

const TICKS = 12, LOOK = 15_000; // ms: a tick that skips makes no run, and nothing else tells of it

/**
 * What the daemon tells of its schedules, again whenever a run of one begins or ends.
 * @param {string[] | null} locations null: of all @param {string} [name] this one alone, with its last ticks and its next times
 */
export function useSchedules(locations, name) {
  const store = useStore();
  const [answer, set] = useState(/** @type {Schedule[] | null} */ (null)), [error, fail] = useState(''), [look, again] = useState(0);
  const newest = Math.max(0, ...store.runs.keys());
  useEffect(() => {
    let current = true;
    if (!store.page.runs || store.gone) return;
    ask('schedules', { ...(locations ? { locations } : {}), ...(name ? { name, ticks: TICKS } : {}) }).then(({ schedules }) => { if (current) { set(schedules); fail(''); } }, (reason) => current && fail(reason.message));
    return () => { current = false; };
  }, [locations?.join('\0'), name, store.page.runs, newest, look, store.revision, store.gone]);
  useEffect(() => { const timer = setInterval(() => again((count) => count + 1), LOOK); return () => clearInterval(timer); }, []);
  const put = (/** @type {Schedule} */ one) => { again((count) => count + 1); set((all) => (all ?? []).map((each) => (each.location === one.location && each.repository === one.repository && each.name === one.name ? { ...each, ...one } : each))); };
  return { schedules: answer, error, put };
}

/** @param {{locations?: string[] | null}} props */
export function Schedules({ locations = null }) {
  const now = useClock(), store = useStore();
  const { schedules, error, put } = useSchedules(locations);
  if (!store.page.runs) return html`<${NoRuns} />`;
  if (error) return html`<div class="card empty">${visible(error)}</div>`;
  if (!schedules) return html`<${Waiting} />`;
  if (!schedules.length) return html`<div class="card empty">No schedule and no sensor is defined.</div>`;
  return html`<div class="card scroll-x" tabindex="0" role="region" aria-label="Table of schedules and sensors"><table class="table fold"><thead><tr><th scope="col">Name</th><th scope="col">On</th><th scope="col">When</th><th scope="col">Next</th><th scope="col">Last</th></tr></thead>
    <tbody>${schedules.map((one) => html`<tr key=${`${one.location} ${one.repository} ${one.name}`}><td><a class="name" href=${to.definition([one.location, one.repository, one.kind, one.name])}><${Mark} of=${one.ticks && one.enabled ? levelOf(one.last?.state === 'failed' ? 'failed' : 'succeeded') : 'off'} />${visible(one.location)}/${visible(one.name)}</a></td>
      <td><${Switch} schedule=${one} put=${put} /></td><td class="mono">${visible(whenOf(one))}</td><td><${Next} schedule=${one} now=${now} /></td><td><${Last} schedule=${one} now=${now} /></td></tr>`)}</tbody></table></div>`;
}

/** @param {Schedule} one */
const whenOf = (one) => (one.cron ? `${[one.cron].flat().join(', ')}${one.timezone ? ` ${one.timezone}` : ''}` : one.minimum_interval == null ? one.kind : `every ${age(one.minimum_interval)}`);

/** @param {{schedule: Schedule, now: number}} props */
export function Next({ schedule, now }) {
  if (schedule.why) return html`<span class="quiet">${visible(schedule.why)}</span>`;
  return schedule.next == null || !schedule.enabled ? '−' : html`<span title=${moment(schedule.next)}>${until(schedule.next, now)}</span>`;
}

/** @param {{schedule: Schedule, now: number}} props */
export function Last({ schedule, now }) {
  const { last } = schedule, text = visible(lastTick(schedule));
  return html`${last?.run == null ? text : html`<a class="link" href=${to.run(last.run)}>${text}</a>`}${last ? html` <span class="quiet">${age(Math.max(0, now - last.at))} ago</span>` : ''}`;
}

/** When a schedule or a sensor ticks next, and what became of its last ticks. @param {{location: string, name: string}} props */
export function Ticks({ location, name }) {
  const now = useClock();
  const { schedules, put } = useSchedules([location], name);
  const one = schedules?.[0];
  if (!one) return null;
  const newest = [...(one.newest ?? [])].sort((a, b) => b.scheduled_for - a.scheduled_for), upcoming = one.enabled && !one.why ? one.upcoming ?? [] : [];
  return html`<p class="row"><${Switch} schedule=${one} put=${put} /><span>Next: <${Next} schedule=${one} now=${now} /></span><span class="quiet">·</span><span>Last: <${Last} schedule=${one} now=${now} /></span>${one.failures ? html`<span class="pill bad">failed ${one.failures} times in a row</span>` : ''}</p>
    ${upcoming.length > 1 && html`<p class="meta">Then ${upcoming.slice(1).map((at) => day(at)).join(', ')}</p>`}
    ${one.cursor != null && html`<p class="meta">Cursor <code>${visible(typeof one.cursor === 'string' ? one.cursor : JSON.stringify(one.cursor))}</code></p>`}
    ${newest.length > 0 && html`<section class="stack" aria-label="Last ticks"><div class="heading"><h2>Last ticks</h2></div><ul class="card runs">${newest.map((tick) => html`<li key=${tick.scheduled_for}><${Mark} of=${levelOf(TICKED[tick.state] ?? 'off')} /><span><b>${day(tick.scheduled_for)}</b> ${tick.count > 1 ? `${tick.count} ` : ''}${visible(tick.state === 'run' ? '' : tick.state)} ${tick.runs.map((run) => html`<a class="link" href=${to.run(run)}>run ${run}</a> `)}</span>${tick.why && html`<span class="quiet">${visible(tick.why)}</span>`}</li>`)}</ul></section>`}`;
}
/** @type {Record<string, string>} */
const TICKED = { run: 'succeeded', failed: 'failed', missed: 'warning', waiting: 'running' };
const DAY = new Intl.DateTimeFormat('en-GB', { weekday: 'short', day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' });
/** @param {number} at Unix seconds */
const day = (at) => DAY.format(at * 1000);

/** On, or off until it is switched on again. @param {{schedule: Schedule, put: (one: Schedule) => void}} props */
export function Switch({ schedule, put }) {
  const [said, say] = useState('');
  useStore();
  const { location, repository, name, enabled, ticks } = schedule;
  const word = !ticks ? 'not here' : enabled ? 'on' : 'off';
  if (!mayOrder() || (!ticks && schedule.why?.startsWith('Dagster'))) return html`<span class=${`pill ${ticks && enabled ? 'ok' : 'off'}`}>${word}</span>`;
  const turn = async () => {
    try { put((await runOrder('schedule_set', { location, repository, name, enabled: !enabled })).schedule); say(''); } catch (error) { say(/** @type {Error} */ (error).message); }
  };
  return html`<button type="button" class="button" role="switch" aria-checked=${enabled} aria-label=${`${visible(name)} of ${visible(location)}`} data-order="schedule" onClick=${turn}>${enabled ? 'On' : 'Off'}</button>${said && html` <span class="outcome bad" role="status">${visible(said)}</span>`}`;
}
