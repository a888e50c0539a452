// All definitions in one list, with a filter.
import { html, useEffect, useMemo, useState } from './html.js';
import { useStore, keyOf } from './store.js';
import { Mark, Virtual, kindWord, to } from './parts.js';
import { matcher, namesFile } from './filters.js';
import { askFiles } from './connection.js';
import { level } from './stories.js';
import { counted, visible } from './format.js';

const ROW = 36, FRESH = 30;

/** @param {{route: Route}} props */
export function DefinitionsPage({ route }) {
  const store = useStore();
  const [text, setText] = useState(route.query.get('q') ?? '');
  const [grouped, group] = useState(route.query.get('by') !== 'name');
  const files = useFiles(namesFile(text), store.revision);
  const all = useMemo(() => sorted(store.rows, grouped), [store.rows, grouped]);
  const shown = useMemo(() => all.filter(matcher(text, (row) => files.get(keyOf(row)) ?? '')), [all, text, files]);
  const items = useMemo(() => (grouped ? headed(shown) : shown), [shown, grouped]);
  const show = (/** @type {string} */ wanted, /** @type {boolean} */ byLocation) => {
    setText(wanted);
    group(byLocation);
    const query = new URLSearchParams({ ...(wanted ? { q: wanted } : {}), ...(byLocation ? {} : { by: 'name' }) }).toString();
    history.replaceState(null, '', `#/definitions${query ? `?${query}` : ''}`);
  };
  return html`<div class="tools"><h1 class="hidden">Definitions</h1>
      <input class="field grow" type="search" placeholder="kind:asset group:raw owner:ann tag:tier=1, or a part of a name" aria-label="Filter definitions" value=${text} onInput=${(/** @type {any} */ event) => show(event.target.value, grouped)} />
      <button type="button" class="button" aria-pressed=${grouped} onClick=${() => show(text, !grouped)}>By location</button>
      <span class="meta" role="status">${text ? `${shown.length.toLocaleString('en')} of ` : ''}${counted(store.rows.length, 'definition')}</span></div>
    <${Virtual} items=${items} height=${ROW} row=${(/** @type {Row | {heading: string, count: number}} */ item) => ('heading' in item ? html`<${Heading} name=${item.heading} count=${item.count} />` : html`<${Entry} row=${item} named=${!grouped} />`)} label="Definitions" empty=${text ? 'Nothing fits that filter.' : 'No definitions yet.'} />`;
}

/** By the key of a row its file, asked for where a filter needs it. @param {boolean} isWanted @param {number} revision */
function useFiles(isWanted, revision) {
  const [files, set] = useState(/** @type {Map<string, string>} */ (new Map()));
  useEffect(() => {
    if (isWanted) askFiles().then(({ files: found }) => set(new Map(Object.entries(found).flatMap(([file, rows]) => rows.map((row) => /** @type {[string, string]} */ ([keyOf(/** @type {any} */ (row)), file]))))), () => undefined);
  }, [isWanted, revision]);
  return files;
}

/** @param {string} a @param {string} b */
const inOrder = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
/** @param {Row[]} rows @param {boolean} byLocation */
const sorted = (rows, byLocation) => [...rows].sort((a, b) => (byLocation ? inOrder(a[0], b[0]) || inOrder(a[2], b[2]) : 0) || inOrder(a[3], b[3]) || inOrder(a[0], b[0]));

/** Rows with a heading before those of each location. @param {Row[]} rows */
function headed(rows) {
  /** @type {(Row | {heading: string, count: number})[]} */
  const items = [];
  let heading = { heading: '', count: 0 };
  for (const row of rows) {
    if (!items.length || heading.heading !== row[0]) { heading = { heading: row[0], count: 0 }; items.push(heading); }
    heading.count += 1;
    items.push(row);
  }
  return items;
}

/** @param {{name: string, count: number}} props */
function Heading({ name, count }) {
  const store = useStore();
  const location = store.locations.get(name);
  return html`<div class="definition-heading"><${Mark} of=${location ? level(location) : 'off'} /><a href=${to.location(name)}><b>${visible(name)}</b></a><span class="quiet">${count}</span></div>`;
}

/** @param {{row: Row, named?: boolean}} props */
function Entry({ row, named = false }) {
  const store = useStore();
  const location = store.locations.get(row[0]);
  const [sign, at] = store.touched.get(keyOf(row)) ?? ['', 0];
  return html`<a class="definition-row" href=${to.definition(row)}>
    ${named && html`<${Mark} of=${location ? level(location) : 'off'} /><span class="who">${visible(row[0])}</span>`}<span class="kind">${kindWord(row[2])}</span>
    <b>${visible(row[3])}</b>${sign && Date.now() / 1000 - at < FRESH ? html`<span class="pill busy">${sign === '+' ? 'new' : 'changed'}</span>` : ''}
    <span class="quiet">${visible(row[4])}</span>${row[5].map((one) => html`<span class="pill off">${visible(one)}</span>`)}</a>`;
}

/** The definitions of one location as a table. @param {{rows: Row[]}} props */
export function DefinitionTable({ rows }) {
  const shown = useMemo(() => sorted(rows, true), [rows.length, rows]);
  if (!shown.length) return html`<p class="empty">It lists no definitions.</p>`;
  return html`<div class="card list" style=${{ height: `min(60vh, ${shown.length * ROW + 2}px)` }}><${Virtual} items=${shown} height=${ROW} row=${(/** @type {Row} */ row) => html`<${Entry} row=${row} />`} label="Definitions" empty="" /></div>`;
}
