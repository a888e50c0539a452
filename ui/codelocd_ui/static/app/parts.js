// Small parts that every page is made of.
import { html, useState, useEffect, useRef } from './html.js';
import { level, word, stages } from './stories.js';
import { seconds, clock, moment, visible } from './format.js';
import { order } from './connection.js';
import { store } from './store.js';

const SHAPES = { ok: 'serving', warn: 'serving last good', bad: 'not serving', busy: 'busy', off: 'stopped' };
export const Dot = ({ of }) => html`<span class=${`dot ${of}`} aria-hidden="true"></span><span class="hidden">${SHAPES[of]}: </span>`;
export const Mark = ({ of }) => html`<span class=${`dot ${of}`} aria-hidden="true"></span>`;
export const State = ({ location }) => html`<span class=${`pill ${level(location)}`} title=${location.stale ? `${location.state}, stale` : location.state}>${word(location)}</span>`;
export const When = ({ at }) => html`<time class="meta" title=${moment(at)} datetime=${moment(at)}>${clock(at)}</time>`;

export const to = {
  location: (name, tab = '') => `#/location/${encodeURIComponent(name)}${tab ? `/${tab}` : ''}`,
  definition: ([location, repository, kind, name]) => `#/definition/${[location, kind, name].map(encodeURIComponent).join('/')}${repository && repository !== '__repository__' ? `?repository=${encodeURIComponent(repository)}` : ''}`,
};

export function Copy({ text, children = 'Copy' }) {
  const [done, set] = useState(false);
  const copy = async () => {
    try { await navigator.clipboard.writeText(text); } catch { return; }
    set(true);
    setTimeout(() => set(false), 1500);
  };
  return html`<button class="button" onClick=${copy}>${done ? 'Copied' : children}</button>`;
}

/** Stages of a load as one bar; the three largest in words. */
export function Stages({ timing, words = true }) {
  const known = stages(timing);
  const total = known.reduce((sum, [, took]) => sum + took, 0);
  if (!known.length || !total) return null;
  const largest = [...known].sort((a, b) => b[1] - a[1]).slice(0, 3).map(([name]) => name);
  return html`
    <div class="stages" role="img" aria-label=${known.map(([name, took]) => `${name} ${seconds(took)}`).join(', ')}>
      ${known.map(([name, took]) => html`<span class=${`stage-${name}`} style=${{ flexGrow: took / total }}></span>`)}
    </div>
    ${words && html`<div class="legend">${known.filter(([name]) => largest.includes(name)).map(([name, took]) => html`<span><i class=${`stage-${name}`}></i>${name} ${seconds(took)}</span>`)}</div>`}`;
}

/** A line of values; one that is null is a gap. */
export function Spark({ values, width = 64, height = 18, label }) {
  const known = values.filter((one) => one != null);
  if (known.length < 2) return html`<span class="quiet">−</span>`;
  const most = Math.max(...known) || 1, step = width / Math.max(1, values.length - 1);
  let path = '', pen = 'M';
  values.forEach((value, index) => {
    if (value == null) { pen = 'M'; return; }
    path += `${pen}${(index * step).toFixed(1)} ${(height - 2 - (value / most) * (height - 4)).toFixed(1)}`;
    pen = 'L';
  });
  return html`<svg class="spark" width=${width} height=${height} role="img" aria-label=${label}><path d=${path} fill="none" stroke="currentColor" stroke-width="1.3" /></svg>`;
}

/** Orders for one or several locations; stop asks first. */
export function Orders({ names, orders = ['stop', 'restart', 'reload'], primary = 'reload', hint }) {
  const [state, set] = useState({ doing: '', asked: false, said: '', bad: false });
  const alive = useRef(true);
  useEffect(() => () => { alive.current = false; }, []);
  if (store.page.read_only || store.link !== 'live' || store.gone) return null;
  const act = async (name) => {
    set({ doing: name, asked: false, said: '', bad: false });
    let said = '', bad = false;
    try {
      const { locations } = await order(name, names);
      const failed = locations.filter((one) => !one.ok);
      bad = failed.length > 0;
      said = bad ? failed.map((one) => `${one.name}: ${one.problem?.summary ?? one.superseded ?? one.state}`).join('; ') : DONE[name];
    } catch (error) { bad = true; said = error.message; }
    if (alive.current) set({ doing: '', asked: false, said, bad });
    if (!bad) setTimeout(() => alive.current && set((now) => (now.said === said ? { ...now, said: '' } : now)), 4000);
  };
  if (state.asked) {
    const who = names.length === 1 ? visible(names[0]) : `${names.length} locations`;
    return html`<div class="ask" role="group" aria-label="Confirm">Stop ${who}? It stays stopped until started, also after a restart of codelocd.
      <button class="button danger" onClick=${() => act('stop')}>Stop</button>
      <button class="button" onClick=${() => set({ ...state, asked: false })}>Cancel</button></div>`;
  }
  return html`<div class="row">
    ${state.said && html`<span class=${`meta ${state.bad ? 'pill bad' : ''}`} role="status">${visible(state.said)}</span>`}
    ${orders.map((name) => html`<button class=${`button ${name === primary ? 'primary' : ''}`} data-order=${name} disabled=${Boolean(state.doing)}
      onClick=${() => (name === 'stop' ? set({ ...state, asked: true }) : act(name))}>${state.doing === name ? DOING[name] : LABELS[name]}${names.length > 1 ? ` ${names.length}` : ''}${hint && name === primary ? html` <kbd>${hint}</kbd>` : ''}</button>`)}
  </div>`;
}
const LABELS = { start: 'Start', stop: 'Stop', restart: 'Restart', reload: 'Reload' };
const DOING = { start: 'Starting…', stop: 'Stopping…', restart: 'Restarting…', reload: 'Reloading…' };
const DONE = { start: 'serves', stop: 'stopped', restart: 'serves again', reload: 'reloaded' };

/** Which orders make sense for a location as it is. */
export function ordersFor(location) {
  if (location.state === 'external') return [];
  return location.wanted ? ['stop', 'restart', 'reload'] : ['start'];
}

/** A list of which only the rows in view are in the document. */
export function Virtual({ items, height, row, empty, label }) {
  const box = useRef(null);
  const [view, set] = useState([0, 40]);
  const look = () => {
    const element = box.current;
    if (!element) return;
    const first = Math.max(0, Math.floor(element.scrollTop / height) - 10);
    const last = Math.ceil((element.scrollTop + element.clientHeight) / height) + 10;
    set((now) => (now[0] === first && now[1] === last ? now : [first, last]));
  };
  useEffect(() => {
    look();
    const observer = new ResizeObserver(look);
    observer.observe(box.current);
    return () => observer.disconnect();
  }, []);
  if (!items.length) return html`<div class="empty" ref=${box}>${empty}</div>`;
  const [first, last] = view;
  return html`<div class="virtual" ref=${box} onScroll=${look} tabindex="0" role="list" aria-label=${label}>
    <div style=${{ height: `${items.length * height}px`, position: 'relative' }}>
      ${items.slice(first, last).map((item, index) => html`<div role="listitem" key=${first + index} style=${{ position: 'absolute', top: `${(first + index) * height}px`, left: 0, right: 0, height: `${height}px` }}>${row(item)}</div>`)}
    </div></div>`;
}

/** What a request brought: its answer, its error, and a way to ask again. */
export function useAnswer(asking, depends) {
  const [state, set] = useState({ answer: null, error: null });
  useEffect(() => {
    let current = true;
    asking().then((answer) => current && set({ answer, error: null }), (error) => current && set((now) => ({ answer: now.answer, error })));
    return () => { current = false; };
  }, depends);
  return state;
}
