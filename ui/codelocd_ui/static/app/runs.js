// All runs in one list that follows what happens; and, beside it, schedules and sensors.
import { html, useEffect, useMemo, useRef, useState } from './html.js';
import { useStore } from './store.js';
import { Waiting } from './parts.js';
import { NoRuns, RunTable } from './runparts.js';
import { RunPage } from './run.js';
import { Schedules } from './schedules.js';
import { goingOn, goingOnWords } from './anyruns.js';
import { STATES, jobsOf, listed, statesOf } from './runstates.js';
import { counted, visible } from './format.js';
import { ask } from './connection.js';

const AT_ONCE = 50;

/** @param {{route: Route}} props */
export function RunsPage({ route }) {
  const [first] = route.parts;
  if (/^\d+$/.test(first ?? '')) return html`<${RunPage} key=${first} id=${Number(first)} route=${route} />`;
  return first === 'schedules' ? html`<${Framed} tab="schedules"><${Schedules} /><//>` : html`<${Framed} tab=""><${List} route=${route} /><//>`;
}

/** @param {{tab: string, children?: any}} props */
function Framed({ tab, children }) {
  const store = useStore();
  const words = goingOnWords(goingOn(store.runs.values()));
  return html`<div class="inside"><div class="lead"><h1>Runs</h1>${words && html`<p>${words}</p>`}</div>
    <nav class="tabs" aria-label="Views of runs">${[['', 'Runs'], ['schedules', 'Schedules and sensors']].map(([key, title]) => html`<a href=${`#/runs${key ? `/${key}` : ''}`} aria-current=${key === tab ? 'page' : undefined}>${title}</a>`)}</nav>${children}</div>`;
}

/** @param {{route: Route}} props */
function List({ route }) {
  const store = useStore();
  const [location, setLocation] = useState(route.query.get('location') ?? '');
  const [state, setState] = useState(route.query.get('state') ?? '');
  const [asked, setAsked] = useState({ runs: /** @type {Run[]} */ ([]), more: false, said: '', isWaiting: true }), newest = useRef(0);
  const look = async (/** @type {string} */ where, /** @type {string} */ how, /** @type {Run[]} */ known) => {
    const states = statesOf(how), oldest = known[known.length - 1]?.id, mine = ++newest.current;
    setAsked((now) => ({ ...now, isWaiting: true }));
    try {
      const { runs, more } = await ask('runs', { limit: AT_ONCE, ...(where ? { locations: [where] } : {}), ...(states ? { states } : {}), ...(oldest ? { before: oldest } : {}) });
      if (mine === newest.current) setAsked((now) => ({ runs: oldest ? now.runs.concat(runs) : runs, more, said: runs.length || !oldest ? '' : 'There are none.', isWaiting: false }));
    } catch (error) { if (mine === newest.current) setAsked((now) => ({ ...now, said: /** @type {Error} */ (error).message, isWaiting: false })); }
  };
  useEffect(() => { if (store.page.runs) look(location, state, []); }, [location, state, store.page.runs]);
  const note = (/** @type {string} */ where, /** @type {string} */ how) => {
    setLocation(where);
    setState(how);
    const query = new URLSearchParams({ ...(where ? { location: where } : {}), ...(how ? { state: how } : {}) }).toString();
    history.replaceState(null, '', `#/runs${query ? `?${query}` : ''}`);
  };
  const runs = useMemo(() => listed(new Map([...asked.runs.map((run) => /** @type {[number, Run]} */ ([run.id, run])), ...store.runs]).values(), location, state), [asked, store.runs, location, state]);
  const isEmpty = !runs.length, names = [...new Set([...store.locations.keys(), ...(location ? [location] : [])])].sort();
  const jobs = jobsOf(store.rows, store.locations);
  if (!store.page.runs) return html`<${NoRuns} />`;
  return html`<div class="row"><select class="field" aria-label="Location" value=${location} onChange=${(/** @type {any} */ event) => note(event.target.value, state)}><option value="">all locations</option>${names.map((one) => html`<option value=${one}>${visible(one)}</option>`)}</select>
      <select class="field" aria-label="State" value=${state} onChange=${(/** @type {any} */ event) => note(location, event.target.value)}><option value="">every state</option><option value="live">going on</option>${STATES.map((one) => html`<option value=${one}>${one}</option>`)}</select>
      <span class="meta" role="status">${isEmpty && asked.isWaiting ? '' : counted(runs.length, 'run')}</span></div>
    ${isEmpty && asked.isWaiting ? html`<${Waiting} />` : isEmpty && asked.said ? '' : isEmpty && !location && !state ? html`<div class="card empty">Nothing has run yet. ${jobs.length ? html`Start <a class="link" href=${`#/definition/${[jobs[0].location, 'job', jobs[0].name].map(encodeURIComponent).join('/')}`}>${visible(jobs[0].location)}/${visible(jobs[0].name)}</a>, or write <code>codelocd run ${visible(jobs[0].location)}/${visible(jobs[0].name)}</code>.` : ''}</div>` : html`<${RunTable} runs=${runs} />`}
    <div class="row">${asked.more && html`<button type="button" class="button" onClick=${() => look(location, state, runs)}>Older</button>`}<span class="meta" role="status">${visible(asked.said)}</span></div>`;
}
