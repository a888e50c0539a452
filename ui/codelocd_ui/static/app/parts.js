// Small parts that every page is made of.
import { html, useState, useEffect, useRef } from './html.js';
import { level, word, stages } from './stories.js';
import { seconds, clock, moment, visible } from './format.js';
import { order } from './connection.js';
import { goingOn } from './anyruns.js';
import { store, useClock } from './store.js';

/** The shape and colour of a level; the words stand beside it. @param {{of: Level}} props */
export const Mark = ({ of }) => html`<span class=${`dot ${of}`} aria-hidden="true"></span>`;
/** @param {{location: CodeLocation}} props */
export const State = ({ location }) => html`<span class=${`pill ${level(location)}`} title=${location.stale ? `${location.state}, stale` : location.state}>${word(location)}</span>`;
/** @param {{at: number}} props */
export const When = ({ at }) => html`<time class="meta" title=${moment(at)} datetime=${moment(at)}>${clock(at)}</time>`;

export const to = {
  /** @param {string} name @param {string} tab */
  location: (name, tab = '') => `#/location/${encodeURIComponent(name)}${tab ? `/${tab}` : ''}`,
  /** @param {Row | string[]} row */
  definition: ([location, repository, kind, name]) => `#/definition/${[location, kind, name].map(encodeURIComponent).join('/')}${repository && repository !== '__repository__' ? `?repository=${encodeURIComponent(repository)}` : ''}`,
  /** @param {number} id @param {string} [tab] */
  run: (id, tab = '') => `#/runs/${id}${tab ? `/${tab}` : ''}`,
  /** @param {string} location @param {string} [name] */
  graph: (location, name) => `#/graph/${encodeURIComponent(location)}${name == null ? '' : `/${encodeURIComponent(name)}`}`,
};

/** A kind of definition in words. @param {string} kind */
export const kindWord = (kind) => visible(kind.replaceAll('_', ' '));

/** Where the user's editor opens a file; undefined without one. @param {string} file @param {number} line */
export const editorLink = (file, line) => (/^(vscode|vscode-insiders|cursor|zed|idea)$/.test(store.page.editor) ? `${store.page.editor}://file${encodeURI(file.toWellFormed?.() ?? file)}:${line}` : undefined);

/** @param {{text: string, children?: any, label?: string}} props */
export function Copy({ text, children = 'Copy', label }) {
  const [done, set] = useState(false);
  const copy = async () => {
    try { await navigator.clipboard.writeText(text); } catch { return; }
    set(true);
    setTimeout(() => set(false), 1500);
  };
  return html`<button type="button" class="button" aria-label=${done ? undefined : label} onClick=${copy}>${done ? 'Copied' : children}</button>`;
}

/** Stages of a load as one bar; the three largest in words. @param {{timing: Timing | null, words?: boolean}} props */
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

/** A line of values; one that is null is a gap. @param {{values: (number | null)[], width?: number, height?: number, label: string}} props */
export function Spark({ values, width = 64, height = 18, label }) {
  const known = values.flatMap((one) => (one == null ? [] : [one]));
  if (known.length < 2) return html`<span class="spark" style=${{ display: 'inline-block', width: `${width}px` }}></span>`;
  const most = Math.max(...known) || 1, step = width / Math.max(1, values.length - 1);
  let path = '', pen = 'M';
  values.forEach((value, index) => {
    if (value == null) { pen = 'M'; return; }
    path += `${pen}${(index * step).toFixed(1)} ${(height - 2 - (value / most) * (height - 4)).toFixed(1)}`;
    pen = 'L';
  });
  return html`<svg class="spark" width=${width} height=${height} role="img" aria-label=${label}><path d=${path} fill="none" stroke="currentColor" stroke-width="1.3" /></svg>`;
}

/** How far a build is. @param {{build: Build}} props */
export function Progress({ build }) {
  const share = build.total ? (build.done ?? 0) / build.total : null;
  return html`<span class="progress"><span class="meta">${visible(build.message || build.phase)}${build.total ? ` ${build.done ?? 0}/${build.total}` : ''}</span>
    ${share != null && html`<progress max="1" value=${share} aria-label="Progress of the build"></progress>`}</span>`;
}

const WAITING_AFTER = 300; // ms
/** Nothing at first: most answers are there before one can see that there was none. @param {{words?: string}} props */
export function Waiting({ words = 'Loading…' }) {
  const [isLate, set] = useState(false);
  useEffect(() => { const timer = setTimeout(() => set(true), WAITING_AFTER); return () => clearTimeout(timer); }, []);
  return isLate && html`<p role="status" class="meta">${words}</p><div class="skeleton" aria-hidden="true"><i></i><i></i><i></i></div>`;
}

/** How long something has been under way. @param {{since: number}} props */
export function Since({ since }) {
  const now = useClock();
  return now - since < 1 ? null : html`<span class="meta">${seconds(Math.floor(now - since))}</span>`;
}

const LABELS = { start: 'Start', stop: 'Stop', restart: 'Restart', reload: 'Reload' };
const DOING = { start: 'Starting…', stop: 'Stopping…', restart: 'Restarting…', reload: 'Reloading…' };
const DONE = { start: 'serves', stop: 'stopped', restart: 'serves again', reload: 'reloaded' };

/** @param {any} one an outcome of an order */
const reason = (one) => one.problem?.summary ?? one.superseded ?? one.state;

/**
 * Orders for one or several locations; stop asks in place, restart where runs go on. The outcome stands beside the buttons; a failure stays.
 * @param {{names: string[], orders?: Order[], primary?: string, hint?: string}} props
 */
export function Orders({ names, orders = ['stop', 'restart', 'reload'], primary = 'reload', hint }) {
  const [state, set] = useState({ doing: '', since: 0, asked: /** @type {'' | 'stop' | 'restart'} */ (''), said: '', bad: false });
  const alive = useRef(true), box = useRef(/** @type {HTMLElement | null} */ (null)), wasAsked = useRef(false);
  useEffect(() => () => { alive.current = false; }, []);
  useEffect(() => {
    const wanted = state.asked ? `[data-order=${state.asked}-now]` : wasAsked.current ? 'button' : '';
    wasAsked.current = Boolean(state.asked);
    if (wanted) /** @type {HTMLElement | null} */ (box.current?.querySelector(wanted))?.focus();
  }, [state.asked]);
  const live = goingOn([...store.runs.values()].filter((run) => names.includes(run.location))), hasRuns = live.running + live.queued > 0;
  const [words, know] = useState(/** @type {typeof import('./runstates.js') | null} */ (null));
  useEffect(() => { if (hasRuns) import('./runstates.js').then(know, () => undefined); }, [hasRuns]);
  if (store.page.read_only || store.link !== 'live' || store.gone || !orders.length) return null;
  const act = async (/** @type {Order} */ name) => {
    set({ doing: name, since: Date.now() / 1000, asked: '', said: '', bad: false });
    let said = '', bad = false;
    try {
      const { locations } = await order(name, names);
      const failed = locations.filter((/** @type {any} */ one) => !one.ok);
      bad = failed.length > 0;
      const told = bad ? failed.map((/** @type {any} */ one) => (names.length > 1 ? `${one.name}: ${reason(one)}` : reason(one))) : locations.map((/** @type {any} */ one) => one.note).filter(Boolean);
      said = told.join('; ') || DONE[name];
    } catch (error) { bad = true; said = /** @type {Error} */ (error).message; }
    if (alive.current) set({ doing: '', since: 0, asked: '', said, bad });
    if (!bad) setTimeout(() => alive.current && set((now) => (now.said === said ? { ...now, said: '' } : now)), 6000);
  };
  if (state.asked) {
    const who = names.length === 1 ? visible(names[0]) : `${names.length} locations`, stops = state.asked === 'stop';
    const stays = stops ? `${names.length === 1 ? 'It stays' : 'They stay'} stopped until started, also after a restart of codelocd. ` : '';
    return html`<div class="ask" role="group" aria-label="Confirm" ref=${box} onKeyDown=${(/** @type {KeyboardEvent} */ event) => event.key === 'Escape' && set({ ...state, asked: '' })}>
      <span>${stops ? 'Stop' : 'Restart'} ${who}? ${stays}${words?.runsAside(live, stops ? 'stop' : 'restart', names.length > 1)}</span>
      <button type="button" class=${`button ${stops ? 'danger' : ''}`} data-order=${`${state.asked}-now`} onClick=${() => act(stops ? 'stop' : 'restart')}>${stops ? 'Stop' : 'Restart'}</button>
      <button type="button" class="button" onClick=${() => set({ ...state, asked: '' })}>Cancel</button></div>`;
  }
  return html`<div class="row" ref=${box}>
    <span role="status">${state.said && html`<span class=${state.bad ? 'outcome bad' : 'meta'}>${visible(state.said)}</span>`}${state.doing && html`<${Since} since=${state.since} />`}</span>
    ${orders.map((name) => html`<button type="button" class=${`button ${name === primary ? 'primary' : ''}`} data-order=${name} disabled=${Boolean(state.doing)} aria-busy=${state.doing === name}
      onClick=${() => (name === 'stop' || (name === 'restart' && hasRuns) ? set({ ...state, asked: name, said: '' }) : act(name))}>${state.doing === name ? DOING[name] : LABELS[name]}${names.length > 1 ? ` ${names.length}` : ''}${hint && name === primary ? html` <kbd aria-hidden="true">${hint}</kbd>` : ''}</button>`)}
  </div>`;
}

/** Which orders make sense for a location as it is. @param {CodeLocation} location @returns {Order[]} */
export function ordersFor(location) {
  if (location.state === 'external') return [];
  return location.wanted ? ['stop', 'restart', 'reload'] : ['start'];
}

/**
 * A list of which only the rows in view are in the document.
 * @param {{items: any[], height: number, row: (item: any) => any, empty: any, label: string}} props
 */
export function Virtual({ items, height, row, empty, label }) {
  const box = useRef(/** @type {HTMLElement | null} */ (null));
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
    if (box.current) observer.observe(box.current);
    return () => observer.disconnect();
  }, [items.length > 0]);
  if (!items.length) return html`<div class="empty" ref=${box}>${empty}</div>`;
  const [first, last] = view;
  return html`<div class="virtual" ref=${box} onScroll=${look} tabindex="0" role="region" aria-label=${label}>
    <div role="list" style=${{ height: `${items.length * height}px`, position: 'relative' }}>
      ${items.slice(first, last).map((item, index) => html`<div role="listitem" aria-setsize=${items.length} aria-posinset=${first + index + 1} key=${first + index} style=${{ position: 'absolute', top: `${(first + index) * height}px`, left: 0, right: 0, height: `${height}px` }}>${row(item)}</div>`)}
    </div></div>`;
}

/**
 * What a request brought: its answer, or its error.
 * @param {() => Promise<any>} asking @param {any[]} depends
 */
export function useAnswer(asking, depends) {
  const [state, set] = useState({ answer: /** @type {any} */ (null), error: /** @type {Error | null} */ (null) });
  useEffect(() => {
    let current = true;
    asking().then((answer) => current && set({ answer, error: null }), (error) => current && set((now) => ({ answer: now.answer, error })));
    return () => { current = false; };
  }, depends);
  return state;
}
