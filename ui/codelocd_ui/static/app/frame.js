// What surrounds each page: the sidebar, the bar on top, and word of lost connections.
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from './html.js';
import { store as known, tell, useStore, useClock } from './store.js';
import { Mark, Virtual, to } from './parts.js';
import { definitionsOf, level, worstFirst } from './stories.js';
import { goingOn, showsRuns } from './anyruns.js';
import { age, clock, counted, visible } from './format.js';

/** @type {Record<string, string>} */
const ICONS = {
  overview: 'M2 7.5 8 2.5l6 5M3.5 7v6.5h9V7', graph: 'M4 4.5v5a2 2 0 0 0 2 2h4M4 4.5a1.5 1.5 0 1 0 0-.01M12 11.5a1.5 1.5 0 1 0 0-.01M12 4.5a1.5 1.5 0 1 0 0-.01',
  definitions: 'M6 4h8M6 8h8M6 12h8M2.5 4h.01M2.5 8h.01M2.5 12h.01', output: 'M2.5 4.5 6 8l-3.5 3.5M8 12h5.5',
  events: 'M1.5 8h3L7 3l3 10 2-5h2.5', runs: 'M4.5 3v10l8.5-5z', environments: 'M8 1.8 13.5 5v6L8 14.2 2.5 11V5zM2.5 5 8 8.2 13.5 5M8 8.2v6', menu: 'M2.5 4.5h11M2.5 8h11M2.5 11.5h11',
  search: 'M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9M10.5 10.5l3 3', theme: 'M8 2v12a6 6 0 0 0 0-12M8 2a6 6 0 0 0 0 12',
};
const RUNS = ['runs', 'Runs', '#/runs'], BEFORE_RUNS = 4;
const PAGES = [['overview', 'Overview', '#/'], ['graph', 'Graph', '#/graph'], ['definitions', 'Definitions', '#/definitions'], ['output', 'Output', '#/output'], ['events', 'Events', '#/events'], ['environments', 'Environments', '#/environments']];
/** The pages that there are: runs only where there is anything of them. @param {boolean} runs */
export const pages = (runs) => (runs ? [...PAGES.slice(0, BEFORE_RUNS), RUNS, ...PAGES.slice(BEFORE_RUNS)] : PAGES);
/** Whether the daemon has runs, or what could run. */
export function useRuns() {
  const store = useStore();
  return useMemo(() => showsRuns(store), [store.page.runs, store.runs.size > 0, store.rows]);
}
/** @param {{name: string}} props */
const Icon = ({ name }) => html`<svg viewBox="0 0 16 16" width="16" height="16" fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"><path d=${ICONS[name]} /></svg>`;
const Logo = () => html`<svg viewBox="0 0 32 32" aria-hidden="true"><rect width="32" height="32" rx="8" fill="var(--accent)" /><path d="M13 10l-6 6 6 6M19 10l6 6-6 6" fill="none" stroke="var(--on-accent)" stroke-width="3" stroke-linecap="round" stroke-linejoin="round" /></svg>`;

const FILTERED_FROM = 20, VIRTUAL_FROM = 60, ROW = 30, BACK_SECONDS = 12, IN_BAR = 4;

/** @param {{route: string, crumbs: string[], full: boolean, onSearch: () => void, children?: any}} props */
export function Frame({ route, crumbs, full, onSearch, children }) {
  const store = useStore();
  const [isOpen, open] = useState(false);
  const isLost = store.link === 'lost' || Boolean(store.gone);
  useEffect(() => {
    const close = () => open(false);
    addEventListener('hashchange', close);
    return () => removeEventListener('hashchange', close);
  }, []);
  const skip = (/** @type {Event} */ event) => { event.preventDefault(); document.getElementById('content')?.focus(); };
  return html`<div class=${`layout ${isLost ? 'lost' : ''}`}>
    <a class="skip" href="#content" onClick=${skip}>To the content</a>
    <nav class="sidebar" aria-label="Pages and locations"><${Lists} route=${route} /></nav>
    <div class="main">
      <header class="topbar">
        <div class="crumbs">${visible(store.page.name)}${crumbs.map((one) => html`<span class="quiet">/</span>${visible(one)}`)}</div>
        <span class="spring"></span>
        ${store.page.read_only && html`<span class="pill off">read-only</span>`}
        <button type="button" class="button search-button" onClick=${onSearch}><${Icon} name="search" /><span class="label">Search</span><kbd class="wide" aria-hidden="true">⌘K</kbd></button>
        <${Live} />
        <button type="button" class="button icon" onClick=${nextTheme} aria-label="Change the theme: system, light or dark" title="Theme: system, light, dark"><${Icon} name="theme" /></button>
      </header>
      <${Bars} />
      <main class=${`content ${full ? 'full' : ''}`} id="content" tabindex="-1">${children}</main>
    </div>
    <nav class="bottombar" aria-label="Pages">${PAGES.slice(0, IN_BAR).map(([name, title, address]) => html`<a href=${address} aria-current=${route === name ? 'page' : undefined}><${Icon} name=${name} />${title}</a>`)}
      <button type="button" aria-expanded=${isOpen} onClick=${() => open(!isOpen)}><${Icon} name="menu" />All</button></nav>
    ${isOpen && html`<${Sheet} route=${route} close=${() => open(false)} />`}
  </div>`;
}

/** On a narrow screen: pages and locations, over the page. @param {{route: string, close: () => void}} props */
function Sheet({ route, close }) {
  const box = useRef(/** @type {HTMLElement | null} */ (null)), before = useRef(document.activeElement);
  useLayoutEffect(() => {
    /** @type {HTMLElement | null | undefined} */ (box.current?.querySelector('a'))?.focus();
    return () => /** @type {HTMLElement | null} */ (before.current)?.focus?.();
  }, []);
  return html`<div class="overlay sheet" onClick=${(/** @type {Event} */ event) => event.target === event.currentTarget && close()} onKeyDown=${(/** @type {KeyboardEvent} */ event) => event.key === 'Escape' && close()}>
    <div class="dialog" role="dialog" aria-modal="true" aria-label="Pages and locations" ref=${box}><${Lists} route=${route} /></div></div>`;
}

/** @param {{route: string}} props */
function Lists({ route }) {
  const store = useStore();
  const [filter, set] = useState('');
  const all = [...store.locations.values()].sort(worstFirst);
  const locations = filter ? all.filter((one) => one.name.toLowerCase().includes(filter.toLowerCase())) : all;
  const here = route === 'location' ? named(location.hash) : null, runs = useRuns(), { running, queued } = goingOn(store.runs.values());
  const row = (/** @type {CodeLocation} */ one) => html`<a class="nav location" href=${to.location(one.name)} aria-current=${here === one.name ? 'page' : undefined}><${Mark} of=${level(one)} /><span class="name">${visible(one.name)}</span><span class="count">${definitionsOf(one) || ''}</span></a>`;
  return html`<div class="brand"><${Logo} /><div><b>${visible(store.page.name) || html`<br />`}</b><span class="meta">codelocd ${visible(store.daemon?.version ?? '')}</span></div></div>
    ${pages(runs).map(([name, title, address]) => html`<a class="nav" href=${address} aria-current=${route === name ? 'page' : undefined}><${Icon} name=${name} />${title}${name === 'definitions' && store.count ? html`<span class="count">${store.count.toLocaleString('en')}</span>` : ''}${name === 'runs' && running + queued ? html`<span class="count" title="running and queued">${running + queued}</span>` : ''}</a>`)}
    <div class="side-heading">Locations<span class="count">${store.link === 'connecting' ? '' : all.length}</span></div>
    ${all.length >= FILTERED_FROM && html`<input class="field side-filter" type="search" placeholder="Filter" aria-label="Filter locations" value=${filter} onInput=${(/** @type {any} */ event) => set(event.target.value)} />`}
    ${locations.length > VIRTUAL_FROM ? html`<${Virtual} items=${locations} height=${ROW} row=${row} label="Locations" empty="" />` : locations.map((one) => html`<div key=${one.name}>${row(one)}</div>`)}`;
}

/** The location that an address is of. @param {string} hash */
function named(hash) {
  try { return decodeURIComponent(hash.split('/')[2]?.split('?')[0] ?? ''); } catch { return ''; }
}

function Live() {
  const store = useStore();
  if (store.link === 'live' && !store.gone) return html`<span class="live" title="What you see is what is"><${Mark} of="ok" />Live</span>`;
  return store.link === 'connecting' ? null : html`<span class="live"><${Mark} of="bad" />Not live</span>`;
}

/** One line below the top bar, while what is shown is not what is. */
function Bars() {
  const store = useStore();
  const now = useClock();
  if (store.outdated) return html`<div class="bar" role="status"><span>A newer version of this page is served.</span> <button type="button" class="button" onClick=${() => location.reload()}>Reload this page</button></div>`;
  if (store.link === 'lost') return html`<div class="bar bad" role="status"><span>No connection since ${clock(store.lostAt)}. What you see is as of then${now - store.lostAt >= 1 ? ` (${age(now - store.lostAt)} ago)` : ''}.</span></div>`;
  if (store.gone && store.link === 'live') return html`<div class="bar bad" role="status"><span>codelocd is not there since ${clock(store.gone.at)}: ${visible(store.gone.why)}. What you see is as of then.</span></div>`;
  if (store.back && now - store.back.at < BACK_SECONDS) {
    return html`<div class="bar ok" role="status"><span>Connected again. ${store.back.count ? `${counted(store.back.count, 'event')} happened in between.` : 'Nothing happened in between.'}</span>
      ${store.back.count > 0 && html`<a class="link" href="#/events">Events</a>`}<button type="button" class="button" onClick=${() => { known.back = null; tell(); }}>Close</button></div>`;
  }
  return null;
}

const THEMES = ['', 'light', 'dark'];
/** @param {string} theme '' is the system's */
export function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  tell(); // a canvas holds colours
}
export function nextTheme() {
  const next = THEMES[(THEMES.indexOf(document.documentElement.dataset.theme ?? '') + 1) % THEMES.length];
  setTheme(next);
  try { localStorage.setItem('codelocd-theme', next); } catch { /* a private window */ }
}
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', tell);
try { setTheme(localStorage.getItem('codelocd-theme') ?? ''); } catch { /* a private window */ }
