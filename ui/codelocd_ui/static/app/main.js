// Which page an address means, keys, the title, and the login.
import { html, render, useEffect, useState } from './html.js';
import { useStore, store } from './store.js';
import { login } from './connection.js';
import { Frame, nextTheme } from './frame.js';
import { Overview } from './overview.js';
import { level, worstFirst } from './stories.js';
import { Waiting, ordersFor, to } from './parts.js';
import { visible } from './format.js';

/** Pages, and what lies over them, that are loaded when first shown. @type {Record<string, () => Promise<any>>} */
const LATER = {
  location: () => import('./location.js').then((module) => module.LocationPage),
  definition: () => import('./definition.js').then((module) => module.DefinitionPage),
  definitions: () => import('./definitions.js').then((module) => module.DefinitionsPage),
  graph: () => import('./graph.js').then((module) => module.GraphPage),
  output: () => import('./output.js').then((module) => module.OutputPage),
  events: () => Promise.all([import('./events.js'), import('./journal.js')]).then(([module]) => module.EventsPage),
  environments: () => import('./environments.js').then((module) => module.EnvironmentsPage),
  runs: () => import('./runs.js').then((module) => module.RunsPage),
};
/** @type {Record<string, () => Promise<any>>} */
const OVERLAYS = {
  search: () => import('./search.js').then((module) => module.Search),
  keys: () => import('./search.js').then((module) => module.KeysHelp),
};
const FULL = new Set(['graph', 'output', 'definitions']);
/** @type {Map<string, any>} */
const loaded = new Map([['overview', Overview]]);
const PRELOAD_AFTER = 2000; // ms

/** `#/location/sales/output?q=x` as its parts. @param {string} hash @returns {Route} */
function parsed(hash) {
  const [path, query = ''] = hash.replace(/^#\/?/, '').split('?');
  const parts = path.split('/').filter(Boolean).map((one) => { try { return decodeURIComponent(one); } catch { return one; } });
  const name = parts[0] && Object.hasOwn(LATER, parts[0]) ? parts[0] : 'overview';
  return { name, parts: parts.slice(1), query: new URLSearchParams(query) };
}

/** @param {string} address */
function go(address) { location.hash = address.replace(/^#/, ''); }

/** A component that is loaded when it is first wanted. @param {string} name @param {Record<string, () => Promise<any>>} from */
function useLoaded(name, from) {
  const [, again] = useState(0);
  useEffect(() => {
    if (name && !loaded.has(name)) from[name]().then((component) => { loaded.set(name, component); again((count) => count + 1); });
  }, [name]);
  return loaded.get(name);
}

function App() {
  const state = useStore();
  const [route, setRoute] = useState(parsed(location.hash));
  const [overlay, setOverlay] = useState('');
  useEffect(() => {
    const listener = () => { setRoute(parsed(location.hash)); setOverlay(''); };
    addEventListener('hashchange', listener);
    return () => removeEventListener('hashchange', listener);
  }, []);
  useEffect(() => keys(route, overlay, setOverlay), [route, overlay]);
  const Page = useLoaded(route.name, LATER), Over = useLoaded(overlay, OVERLAYS);
  useEffect(titled);
  if (state.link === 'login') return html`<${Login} />`;
  const [first] = route.parts;
  const crumbs = /** @type {string[]} */ ([route.name !== 'location' && TITLES[route.name], route.name === 'runs' && first === 'schedules' ? 'Schedules' : first].filter(Boolean));
  return html`<${Frame} route=${route.name} crumbs=${crumbs} full=${FULL.has(route.name)} onSearch=${() => setOverlay('search')}>
    ${state.link === 'connecting' ? html`<div class="inside"><h1 class="hidden">codelocd</h1><${Waiting} words="Connecting…" /></div>` : Page ? html`<${Page} route=${route} key=${route.name === 'location' ? route.parts[0] : route.name} />` : ''}
    ${Over ? html`<${Over} close=${() => setOverlay('')} />` : ''}
    <${Announcer} />
  <//>`;
}
/** @type {Record<string, string>} */
const TITLES = { overview: 'Overview', location: 'Location', definition: 'Definition', definitions: 'Definitions', graph: 'Graph', output: 'Output', events: 'Events', environments: 'Environments', runs: 'Runs' };

/** The title, and the icon in the colour of the worst state. */
function titled() {
  const levels = [...store.locations.values()].map(level);
  const trouble = levels.filter((one) => one === 'bad' || one === 'warn').length;
  const title = `${trouble ? `(${trouble}) ` : ''}${visible(store.page.name)} · codelocd`;
  if (document.title !== title) document.title = title;
  const worst = levels.includes('bad') ? 'bad' : levels.includes('warn') ? 'warn' : '';
  const icon = /** @type {HTMLLinkElement | null} */ (document.getElementById('icon'));
  const address = icon?.href.replace(/icon[a-z-]*\.svg/, worst ? `icon-${worst}.svg` : 'icon.svg');
  if (icon && address && icon.href !== address) icon.href = address;
}

/** Says changes of state aloud, at most one sentence in two seconds. */
function Announcer() {
  const { sentence } = useStore();
  const [said, say] = useState('');
  useEffect(() => { const timer = setTimeout(() => say(sentence), 2000); return () => clearTimeout(timer); }, [sentence]);
  return html`<div class="hidden" role="status" aria-live="polite">${visible(said)}</div>`;
}

function Login() {
  const [token, set] = useState('');
  const [problem, setProblem] = useState(store.loginProblem);
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    try { await login(token.trim().replace(/^.*#/, '')); } catch (error) { setProblem(/** @type {Error} */ (error).message); }
  };
  return html`<main class="login"><form class="card" onSubmit=${submit}><div class="body stack">
    <h1>Log in</h1>
    <p>Run <code>codelocd ui --url</code> on the machine where codelocd runs, and open its link. Each browser, and each private window, needs it once.</p>
    <label class="stack">Or paste the link here<input class="field" value=${token} onInput=${(/** @type {any} */ event) => set(event.target.value)} autocomplete="off" spellcheck="false" /></label>
    ${problem && html`<p class="outcome bad" role="alert">${visible(problem)}</p>`}
    <div><button class="button primary" type="submit">Log in</button></div>
  </div></form></main>`;
}

/**
 * Keys of the whole page; none while typing, or while something lies over it, or is about to.
 * @param {Route} route @param {string} overlay @param {(name: string) => void} setOverlay
 */
function keys(route, overlay, setOverlay) {
  let first = '', timer = 0;
  const listener = (/** @type {KeyboardEvent} */ event) => {
    if ((event.metaKey || event.ctrlKey) && event.key.toLowerCase() === 'k') { event.preventDefault(); setOverlay('search'); return; }
    if (event.key === 'Escape' && overlay) { setOverlay(''); return; } // also before it has the focus
    const target = /** @type {HTMLElement} */ (event.target);
    if (target.closest?.('input, textarea, select, [contenteditable]') || overlay || document.querySelector('[aria-modal=true]')) return;
    if (event.metaKey || event.ctrlKey || event.altKey || off()) return;
    const key = event.key;
    if (first === 'g' && Object.hasOwn(GO, key)) { first = ''; event.preventDefault(); go(GO[key]); return; }
    first = key === 'g' ? 'g' : '';
    clearTimeout(timer);
    timer = setTimeout(() => { first = ''; }, 1000);
    if (key === '/') {
      event.preventDefault();
      const field = /** @type {HTMLElement | null} */ (document.querySelector('#content input[type=search]'));
      if (field) field.focus(); else setOverlay('search');
    } else if (key === '?') setOverlay('keys');
    else if (key === 't') nextTheme();
    else if (key === '[' || key === ']') nextProblem(route, key === ']' ? 1 : -1);
    else if (key === 'j' || key === 'k') nextRow(key === 'j' ? 1 : -1);
    else if (route.name === 'location') actOn(route.parts[0], key);
    else if ((key === 'c' && route.name === 'runs') || (key === 'x' && route.name === 'definition')) {
      event.preventDefault(); // the dialog has a field
      press(`#content [data-order=${key === 'c' ? 'cancel' : 'run'}]`);
    }
  };
  addEventListener('keydown', listener);
  return () => removeEventListener('keydown', listener);
}
/** @type {Record<string, string>} */
const GO = { o: '#/', g: '#/graph', d: '#/definitions', l: '#/output', e: '#/events', v: '#/environments', r: '#/runs', s: '#/runs/schedules' };
const off = () => { try { return localStorage.getItem('codelocd-keys') === 'off'; } catch { return false; } };

/** @param {Route} route @param {number} step */
function nextProblem(route, step) {
  const broken = [...store.locations.values()].filter((one) => one.problem).sort(worstFirst);
  if (!broken.length) return;
  const at = broken.findIndex((one) => one.name === route.parts[0]);
  go(to.location(broken[(at + (at < 0 && step < 0 ? 0 : step) + broken.length) % broken.length].name));
}

/** The next or the previous row of a list gets the focus; Enter opens it. @param {number} step */
function nextRow(step) {
  const rows = /** @type {HTMLElement[]} */ ([...document.querySelectorAll('#content :is(.table .name, .definition-row, .story .open, .table a.link.mono, .runs a)')]);
  const at = rows.indexOf(/** @type {HTMLElement} */ (document.activeElement));
  rows[Math.max(0, Math.min(rows.length - 1, at + step))]?.focus();
}

/** @param {string} selector */
const press = (selector) => /** @type {HTMLElement | null} */ (document.querySelector(selector))?.click();

/** @param {string} name @param {string} key */
function actOn(name, key) {
  const one = store.locations.get(name);
  if (!one || store.page.read_only) return;
  if (key === 'r' && ordersFor(one).includes('reload')) press('#content [data-order=reload]');
  if (key === 's') press('#content :is([data-order=stop], [data-order=start])');
}

render(html`<${App} />`, /** @type {HTMLElement} */ (document.getElementById('page')));
setTimeout(() => import('./search.js'), PRELOAD_AFTER);
