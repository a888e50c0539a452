// Search over everything (⌘K), and the list of keys.
import { html, useEffect, useMemo, useRef, useState } from './html.js';
import { store } from './store.js';
import { Mark, to } from './parts.js';
import { PAGES } from './frame.js';
import { found } from './filters.js';
import { level } from './stories.js';
import { visible } from './format.js';

const MOST = 40;

function Overlay({ close, label, children }) {
  const before = useRef(document.activeElement);
  useEffect(() => () => before.current?.focus?.(), []);
  return html`<div class="overlay" onClick=${(event) => event.target === event.currentTarget && close()} onKeyDown=${(event) => event.key === 'Escape' && close()}>
    <div class="dialog" role="dialog" aria-modal="true" aria-label=${label}>${children}</div></div>`;
}

export function Search({ close }) {
  const [text, set] = useState('');
  const [at, move] = useState(0);
  const field = useRef(null);
  useEffect(() => field.current?.focus(), []);
  const all = useMemo(() => [
    ...PAGES.map(([, title, address]) => ({ text: title, kind: 'page', address })),
    ...[...store.locations.values()].map((one) => ({ text: one.name, kind: 'location', address: to.location(one.name), level: level(one) })),
    ...store.rows.map((row) => ({ text: row[3], kind: `${row[2].replace('_', ' ')} in ${row[0]}`, address: to.definition(row) })),
  ], []);
  const hits = useMemo(() => found(all, text, MOST), [text, all]);
  const choose = (hit) => { if (hit) { close(); location.hash = hit.address.slice(1); } };
  const keys = (event) => {
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault();
      move((now) => Math.max(0, Math.min(hits.length - 1, now + (event.key === 'ArrowDown' ? 1 : -1))));
    } else if (event.key === 'Enter') choose(hits[at]);
  };
  useEffect(() => { document.getElementById(`hit-${at}`)?.scrollIntoView({ block: 'nearest' }); }, [at]);
  return html`<${Overlay} close=${close} label="Search"><input ref=${field} value=${text} placeholder="Locations, definitions, pages" role="combobox" aria-expanded="true" aria-controls="hits" aria-activedescendant=${hits.length ? `hit-${at}` : undefined} aria-label="Search" onInput=${(event) => { set(event.target.value); move(0); }} onKeyDown=${keys} />
    <ul id="hits" role="listbox" aria-label="Results">${hits.map((hit, index) => html`<li id=${`hit-${index}`} role="option" aria-selected=${index === at} onClick=${() => choose(hit)} onPointerMove=${() => move(index)}>${hit.level ? html`<${Mark} of=${hit.level} />` : ''}<span>${visible(hit.text)}</span><span class="meta">${visible(hit.kind)}</span></li>`)}</ul>
    ${!hits.length && html`<div class="empty">Nothing has that name.</div>`}<//>`;
}

const KEYS = [['⌘K', 'search everything'], ['/', 'filter this page'], ['g o', 'overview'], ['g g', 'graph'], ['g d', 'definitions'], ['g l', 'output'], ['g e', 'events'], ['g v', 'environments'], ['[ ]', 'previous and next problem'], ['r', 'reload the location that is shown'], ['s', 'stop or start it'], ['f', 'follow the output'], ['t', 'theme'], ['?', 'these keys']];

export function KeysHelp({ close }) {
  const [isOff, set] = useState(localStorage.getItem('codelocd-keys') === 'off');
  const button = useRef(null);
  useEffect(() => button.current?.focus(), []);
  const turn = () => { localStorage.setItem('codelocd-keys', isOff ? 'on' : 'off'); set(!isOff); };
  return html`<${Overlay} close=${close} label="Keys"><div class="body stack"><h2>Keys</h2><dl class="pairs">${KEYS.map(([key, what]) => html`<dt><kbd>${key}</kbd></dt><dd>${what}</dd>`)}</dl>
    <div class="row"><button class="button" ref=${button} onClick=${turn}>${isOff ? 'Switch single keys on' : 'Switch single keys off'}</button><button class="button" onClick=${close}>Close</button></div></div><//>`;
}
