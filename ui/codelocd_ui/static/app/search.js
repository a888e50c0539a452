// Search over everything (⌘K), and the list of keys.
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from './html.js';
import { store } from './store.js';
import { Mark, kindWord, ordersFor, to } from './parts.js';
import { PAGES, nextTheme } from './frame.js';
import { order } from './connection.js';
import { found, matcher, namesField } from './filters.js';
import { environmentsOf, level } from './stories.js';
import { visible } from './format.js';

const MOST = 40;

/** @param {{close: () => void, label: string, children?: any}} props */
function Overlay({ close, label, children }) {
  const before = useRef(document.activeElement);
  useEffect(() => () => /** @type {HTMLElement | null} */ (before.current)?.focus?.(), []);
  return html`<div class="overlay" onClick=${(/** @type {Event} */ event) => event.target === event.currentTarget && close()} onKeyDown=${(/** @type {KeyboardEvent} */ event) => kept(event, close)}>
    <div class="dialog" role="dialog" aria-modal="true" aria-label=${label}>${children}</div></div>`;
}

/** Escape closes, and Tab stays inside. @param {KeyboardEvent} event @param {() => void} close */
function kept(event, close) {
  if (event.key === 'Escape') { close(); return; }
  if (event.key !== 'Tab') return;
  const all = /** @type {HTMLElement[]} */ ([.../** @type {HTMLElement} */ (event.currentTarget).querySelectorAll('input, button, a')]);
  const at = all.indexOf(/** @type {HTMLElement} */ (document.activeElement));
  event.preventDefault();
  all[(at + (event.shiftKey ? -1 : 1) + all.length) % all.length]?.focus();
}

/** @typedef {{text: string, kind: string, address?: string, level?: Level, act?: () => void}} Hit */

/** @param {Row} row @returns {Hit} */
const hitOf = (row) => ({ text: row[3], kind: `${kindWord(row[2])} in ${row[0]}`, address: to.definition(row) });

/** @param {{close: () => void}} props */
export function Search({ close }) {
  const [text, set] = useState('');
  const [at, move] = useState(0);
  const field = useRef(/** @type {HTMLElement | null} */ (null));
  useLayoutEffect(() => field.current?.focus(), []);
  /** @type {Hit[]} */
  const all = useMemo(() => [
    ...PAGES.map(([, title, address]) => ({ text: title, kind: 'page', address })),
    ...[...store.locations.values()].map((one) => ({ text: one.name, kind: 'location', address: to.location(one.name), level: level(one) })),
    ...environmentsOf([...store.locations.values()]).map(({ key, text: about }) => ({ text: about, kind: 'environment', address: `#/environments/${encodeURIComponent(key)}` })),
    ...actions(),
    ...store.rows.map(hitOf),
  ], []);
  const hits = useMemo(() => (namesField(text) ? store.rows.filter(matcher(text)).slice(0, MOST).map(hitOf) : found(all, text, MOST)), [text, all]);
  const choose = (/** @type {Hit | undefined} */ hit) => { if (!hit) return; close(); if (hit.act) hit.act(); else location.hash = (hit.address ?? '').slice(1); };
  const keys = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault();
      move((now) => Math.max(0, Math.min(hits.length - 1, now + (event.key === 'ArrowDown' ? 1 : -1))));
    } else if (event.key === 'Enter') choose(hits[at]);
  };
  useEffect(() => { document.getElementById(`hit-${at}`)?.scrollIntoView({ block: 'nearest' }); }, [at]);
  return html`<${Overlay} close=${close} label="Search"><input ref=${field} value=${text} placeholder="Locations, definitions, environments, pages, or owner:… tag:… kind:… group:…" role="combobox" aria-expanded="true" aria-controls="hits" aria-activedescendant=${hits.length ? `hit-${at}` : undefined} aria-label="Search" onInput=${(/** @type {any} */ event) => { set(event.target.value); move(0); }} onKeyDown=${keys} />
    <ul id="hits" role="listbox" aria-label="Results">${hits.map((hit, index) => html`<li id=${`hit-${index}`} role="option" aria-selected=${index === at} onClick=${() => choose(hit)} onPointerMove=${() => move(index)}>${hit.level ? html`<${Mark} of=${hit.level} />` : ''}<span>${visible(hit.text)}</span><span class="meta">${visible(hit.kind)}</span></li>`)}</ul>
    ${!hits.length && html`<div class="empty">Nothing has that name.</div>`}<//>`;
}

/** What can be done from anywhere: a reload of each location, and the theme. @returns {Hit[]} */
function actions() {
  const theme = { text: 'Change the theme', kind: 'action', act: nextTheme };
  if (store.page.read_only) return [theme];
  const running = [...store.locations.values()].filter((one) => ordersFor(one).includes('reload'));
  return [theme, ...running.map((one) => ({ text: `Reload ${one.name}`, kind: 'action', act: () => { location.hash = to.location(one.name).slice(1); order('reload', [one.name]).catch(() => undefined); } }))];
}

const KEYS = [['⌘K', 'search everything'], ['/', 'filter this page'], ['g o', 'overview'], ['g g', 'graph'], ['g d', 'definitions'], ['g l', 'output'], ['g e', 'events'], ['g v', 'environments'], ['j k ↵', 'next and previous row, open it'], ['[ ]', 'previous and next problem'], ['r', 'reload the location that is shown'], ['s', 'stop or start it'], ['f', 'follow the output'], ['t', 'theme'], ['?', 'these keys']];

const keysAreOff = () => { try { return localStorage.getItem('codelocd-keys') === 'off'; } catch { return false; } };

/** @param {{close: () => void}} props */
export function KeysHelp({ close }) {
  const [isOff, set] = useState(keysAreOff());
  const button = useRef(/** @type {HTMLElement | null} */ (null));
  useLayoutEffect(() => button.current?.focus(), []);
  const turn = () => { try { localStorage.setItem('codelocd-keys', isOff ? 'on' : 'off'); } catch { /* a private window */ } set(!isOff); };
  return html`<${Overlay} close=${close} label="Keys"><div class="body stack"><h2>Keys</h2><dl class="pairs">${KEYS.map(([key, what]) => html`<dt><kbd>${key}</kbd></dt><dd>${what}</dd>`)}</dl>
    <div class="row"><button type="button" class="button" ref=${button} onClick=${turn}>${isOff ? 'Switch single keys on' : 'Switch single keys off'}</button><button type="button" class="button" onClick=${close}>Close</button></div></div><//>`;
}
