// Which page an address means, keys, the title, and the login.
import { html, render, useEffect, useState } from './html.js';
import { useStore, store } from './store.js';
import { begin, login } from './connection.js';
import { Frame, nextTheme } from './frame.js';
import { Overview } from './overview.js';
import { Search, KeysHelp } from './search.js';
import { level, headline, worstFirst } from './stories.js';
import { ordersFor, to } from './parts.js';
import { visible } from './format.js';

/** Pages that are loaded when first shown. */
const LATER = {
  location: () => import('./location.js').then((module) => module.LocationPage),
  definition: () => import('./definition.js').then((module) => module.DefinitionPage),
  definitions: () => import('./definitions.js').then((module) => module.DefinitionsPage),
  graph: () => import('./graph.js').then((module) => module.GraphPage),
  output: () => import('./output.js').then((module) => module.OutputPage),
  events: () => import('./events.js').then((module) => module.EventsPage),
  environments: () => import('./environments.js').then((module) => module.EnvironmentsPage),
};
const FULL = new Set(['graph', 'output', 'definitions']);
const loaded = new Map([['overview', Overview]]);

/** `#/location/sales/output?q=x` as its parts. */
function parsed(hash) {
  const [path, query = ''] = hash.replace(/^#\/?/, '').split('?');
  const parts = path.split('/').filter(Boolean).map((one) => { try { return decodeURIComponent(one); } catch { return one; } });
  const name = parts[0] && LATER[parts[0]] ? parts[0] : 'overview';
  return { name, parts: parts.slice(1), query: new URLSearchParams(query) };
}

export function go(address) { location.hash = address.replace(/^#/, ''); }

function App() {
  const state = useStore();
  const [route, setRoute] = useState(parsed(location.hash));
  const [overlay, setOverlay] = useState('');
  const [, again] = useState(0);
  useEffect(() => {
    const listener = () => { setRoute(parsed(location.hash)); setOverlay(''); };
    addEventListener('hashchange', listener);
    return () => removeEventListener('hashchange', listener);
  }, []);
  useEffect(() => keys(route, setOverlay), [route, overlay]);
  useEffect(() => {
    if (!loaded.has(route.name)) LATER[route.name]().then((page) => { loaded.set(route.name, page); again((count) => count + 1); });
  }, [route.name]);
  useEffect(titled);
  if (state.link === 'login') return html`<${Login} />`;
  if (state.link === 'connecting') return html`<div class="empty" role="status">Connecting…</div>`;
  const Page = loaded.get(route.name);
  const crumbs = [TITLES[route.name], ...route.parts.slice(0, 1)].filter((one, index) => !(index === 0 && route.name === 'location'));
  return html`<${Frame} route=${route.name} crumbs=${crumbs} full=${FULL.has(route.name)} onSearch=${() => setOverlay('search')}>
    ${Page ? html`<${Page} route=${route} key=${route.name === 'location' ? route.parts[0] : route.name} />` : ''}
    ${overlay === 'search' && html`<${Search} close=${() => setOverlay('')} />`}
    ${overlay === 'keys' && html`<${KeysHelp} close=${() => setOverlay('')} />`}
    <${Announcer} />
  <//>`;
}
const TITLES = { overview: 'Overview', location: 'Location', definition: 'Definition', definitions: 'Definitions', graph: 'Graph', output: 'Output', events: 'Events', environments: 'Environments' };

function titled() {
  const locations = [...store.locations.values()];
  const trouble = locations.filter((one) => ['bad', 'warn'].includes(level(one))).length;
  const title = `${trouble ? `(${trouble}) ` : ''}${visible(store.page.name)} · codelocd`;
  if (document.title !== title) document.title = title;
}

/** Says changes of state aloud, at most one sentence in two seconds. */
function Announcer() {
  useStore();
  const [said, say] = useState('');
  const text = headline([...store.locations.values()]);
  useEffect(() => { const timer = setTimeout(() => say(text), 2000); return () => clearTimeout(timer); }, [text]);
  return html`<div class="hidden" role="status" aria-live="polite">${said}</div>`;
}

function Login() {
  const [token, set] = useState('');
  const [problem, setProblem] = useState(store.loginProblem ?? '');
  const submit = async (event) => {
    event.preventDefault();
    try { await login(token.trim().replace(/^.*#/, '')); store.link = 'connecting'; } catch (error) { setProblem(error.message); }
  };
  return html`<main class="login"><form class="card" onSubmit=${submit}><div class="body stack">
    <h1>Log in</h1>
    <p>Run <code>codelocd ui --url</code> on the machine where codelocd runs, and open its link. Each browser, and each private window, needs it once.</p>
    <label class="stack">Or paste the link here<input class="field" autofocus value=${token} onInput=${(event) => set(event.target.value)} autocomplete="off" spellcheck="false" /></label>
    ${problem && html`<p class="pill bad" role="alert">${visible(problem)}</p>`}
    <div><button class="button primary" type="submit">Log in</button></div>
  </div></form></main>`;
}

/** Keys of the whole page; none while typing. */
function keys(route, setOverlay) {
  let first = '', timer = 0;
  const listener = (event) => {
    if ((event.metaKey || event.ctrlKey) && event.key.toLowerCase() === 'k') { event.preventDefault(); setOverlay('search'); return; }
    const typing = event.target.closest?.('input, textarea, select, [contenteditable]');
    if (typing || event.metaKey || event.ctrlKey || event.altKey || off()) return;
    const key = event.key;
    if (first === 'g' && GO[key]) { first = ''; event.preventDefault(); go(GO[key]); return; }
    first = key === 'g' ? 'g' : '';
    clearTimeout(timer);
    timer = setTimeout(() => { first = ''; }, 1000);
    if (key === '/') {
      event.preventDefault();
      const field = document.querySelector('#content input[type=search]');
      if (field) field.focus(); else setOverlay('search');
    } else if (key === '?') setOverlay('keys');
    else if (key === 't') nextTheme();
    else if (key === '[' || key === ']') nextProblem(route, key === ']' ? 1 : -1);
    else if (route.name === 'location') actOn(route.parts[0], key);
  };
  addEventListener('keydown', listener);
  return () => removeEventListener('keydown', listener);
}
const GO = { o: '#/', g: '#/graph', d: '#/definitions', l: '#/output', e: '#/events', v: '#/environments' };
const off = () => { try { return localStorage.getItem('codelocd-keys') === 'off'; } catch { return false; } };

function nextProblem(route, step) {
  const broken = [...store.locations.values()].filter((one) => one.problem).sort(worstFirst);
  if (!broken.length) return;
  const at = broken.findIndex((one) => one.name === route.parts[0]);
  go(to.location(broken[(at + step + broken.length) % broken.length].name));
}

function actOn(name, key) {
  const one = store.locations.get(name);
  if (!one || store.page.read_only) return;
  const orders = ordersFor(one);
  if (key === 'r' && orders.includes('reload')) document.querySelector('#content [data-order=reload]')?.click();
  if (key === 's') document.querySelector('#content [data-order=stop], #content [data-order=start]')?.click();
}

render(html`<${App} />`, document.getElementById('page'));
begin();
