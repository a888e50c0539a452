// What surrounds each page: the sidebar, the bar on top, and word of lost connections.
import { html, useState } from './html.js';
import { useStore, useClock } from './store.js';
import { Mark, to } from './parts.js';
import { level, worstFirst } from './stories.js';
import { age, clock, visible } from './format.js';

const ICONS = {
  overview: 'M2 7.5 8 2.5l6 5M3.5 7v6.5h9V7', graph: 'M4 4.5v5a2 2 0 0 0 2 2h4M4 4.5a1.5 1.5 0 1 0 0-.01M12 11.5a1.5 1.5 0 1 0 0-.01M12 4.5a1.5 1.5 0 1 0 0-.01',
  definitions: 'M6 4h8M6 8h8M6 12h8M2.5 4h.01M2.5 8h.01M2.5 12h.01', output: 'M2.5 4.5 6 8l-3.5 3.5M8 12h5.5',
  events: 'M1.5 8h3L7 3l3 10 2-5h2.5', environments: 'M8 1.8 13.5 5v6L8 14.2 2.5 11V5zM2.5 5 8 8.2 13.5 5M8 8.2v6',
};
export const PAGES = [['overview', 'Overview', '#/'], ['graph', 'Graph', '#/graph'], ['definitions', 'Definitions', '#/definitions'], ['output', 'Output', '#/output'], ['events', 'Events', '#/events'], ['environments', 'Environments', '#/environments']];
const Icon = ({ name }) => html`<svg viewBox="0 0 16 16" fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"><path d=${ICONS[name]} /></svg>`;
const Logo = () => html`<svg viewBox="0 0 32 32" aria-hidden="true"><rect width="32" height="32" rx="8" fill="var(--accent)" /><path d="M13 10l-6 6 6 6M19 10l6 6-6 6" fill="none" stroke="var(--on-accent)" stroke-width="3" stroke-linecap="round" stroke-linejoin="round" /></svg>`;

const FILTERED_FROM = 20;

export function Frame({ route, crumbs, full, onSearch, children }) {
  const store = useStore();
  const isLost = store.link === 'lost' || Boolean(store.gone);
  return html`<div class=${`layout ${isLost ? 'lost' : ''}`}>
    <a class="skip" href="#content" onClick=${(event) => { event.preventDefault(); document.getElementById('content').focus(); }}>To the content</a>
    <${Sidebar} route=${route} />
    <div class="main">
      <header class="topbar">
        <div class="crumbs">${visible(store.page.name)}${crumbs.map((one) => html`<span class="quiet">/</span>${visible(one)}`)}</div>
        <span class="spring"></span>
        ${store.page.read_only && html`<span class="pill off">read-only</span>`}
        <button class="button search-button" onClick=${onSearch} aria-label="Search"><span class="wide">Search</span><kbd>⌘K</kbd></button>
        <${Live} />
        <${Theme} />
      </header>
      <${Bars} />
      <main class=${`content ${full ? 'full' : ''}`} id="content" tabindex="-1">${children}</main>
    </div>
    <nav class="bottombar" aria-label="Pages">${PAGES.slice(0, 5).map(([name, title, address]) => html`<a href=${address} aria-current=${route === name ? 'page' : undefined}><${Icon} name=${name} />${title}</a>`)}</nav>
  </div>`;
}

function Sidebar({ route }) {
  const store = useStore();
  const [filter, set] = useState('');
  const all = [...store.locations.values()].sort(worstFirst);
  const locations = all.filter((one) => one.name.toLowerCase().includes(filter.toLowerCase()));
  const here = decodeURIComponent(location.hash.split('/')[2]?.split('?')[0] ?? '');
  return html`<nav class="sidebar" aria-label="Pages and locations">
    <div class="brand"><${Logo} /><div><b>${visible(store.page.name)}</b><span class="meta">codelocd ${store.daemon?.version ?? ''}</span></div></div>
    ${PAGES.map(([name, title, address]) => html`<a class="nav" href=${address} aria-current=${route === name ? 'page' : undefined}><${Icon} name=${name} />${title}${name === 'definitions' && store.count ? html`<span class="count">${store.count.toLocaleString('en')}</span>` : ''}</a>`)}
    <div class="side-heading">Locations<span class="count">${all.length}</span></div>
    ${all.length >= FILTERED_FROM && html`<input class="field side-filter" type="search" placeholder="Filter" aria-label="Filter locations" value=${filter} onInput=${(event) => set(event.target.value)} />`}
    ${locations.map((one) => html`<a key=${one.name} class="nav location" href=${to.location(one.name)} aria-current=${route === 'location' && here === one.name ? 'page' : undefined}><${Mark} of=${level(one)} /><span class="name">${visible(one.name)}</span><span class="count">${Object.values(one.definitions ?? {}).reduce((sum, each) => sum + each, 0) || ''}</span></a>`)}
  </nav>`;
}

function Live() {
  const store = useStore();
  if (store.link === 'live' && !store.gone) return html`<span class="row" title="What you see is what is"><${Mark} of="ok" />Live</span>`;
  return html`<span class="row"><${Mark} of="bad" />${store.link === 'connecting' ? 'Connecting' : 'Not live'}</span>`;
}

function Bars() {
  const store = useStore();
  const now = useClock();
  if (store.outdated) return html`<div class="bar" role="status">This page is of another version. <button class="button" onClick=${() => location.reload()}>Reload this page</button></div>`;
  if (store.link === 'lost') return html`<div class="bar bad" role="status">No connection since ${clock(store.lostAt)}. What you see is as of then (${age(now - store.lostAt)} ago).</div>`;
  if (store.gone && store.link === 'live') return html`<div class="bar bad" role="status">codelocd is not there since ${clock(store.gone.at)}: ${visible(store.gone.why)}. What you see is as of then.</div>`;
  return null;
}

const THEMES = ['', 'light', 'dark'];
export function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  try { localStorage.setItem('codelocd-theme', theme); } catch { /* a private window */ }
}
export function nextTheme() { setTheme(THEMES[(THEMES.indexOf(document.documentElement.dataset.theme ?? '') + 1) % THEMES.length]); }
try { setTheme(localStorage.getItem('codelocd-theme') ?? ''); } catch { /* a private window */ }

function Theme() {
  return html`<button class="button" onClick=${nextTheme} aria-label="Change the theme: system, light or dark" title="Theme: system, light, dark">◐</button>`;
}
