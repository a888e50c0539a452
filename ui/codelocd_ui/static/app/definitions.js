// All definitions in one list, with a filter.
import { html, useMemo, useState } from './html.js';
import { useStore, keyOf } from './store.js';
import { Mark, Virtual, to } from './parts.js';
import { matcher } from './filters.js';
import { level } from './stories.js';
import { counted, visible } from './format.js';

const ROW = 36;

export function DefinitionsPage({ route }) {
  const store = useStore();
  const [text, set] = useState(route.query.get('q') ?? '');
  const shown = useMemo(() => sorted(store.rows.filter(matcher(text))), [store.rows, text]);
  const filter = (event) => {
    set(event.target.value);
    history.replaceState(null, '', `#/definitions${event.target.value ? `?q=${encodeURIComponent(event.target.value)}` : ''}`);
  };
  return html`<div class="tools"><h1 class="hidden">Definitions</h1>
      <input class="field" type="search" style=${{ flex: 1, maxWidth: '520px' }} placeholder="kind:asset location:sales group:raw, or a part of a name" aria-label="Filter definitions" value=${text} onInput=${filter} />
      <span class="meta" role="status">${text ? `${shown.length.toLocaleString('en')} of ` : ''}${counted(store.rows.length, 'definition')}</span></div>
    <${Virtual} items=${shown} height=${ROW} row=${(row) => html`<${Row} row=${row} />`} label="Definitions" empty=${text ? 'Nothing fits that filter.' : 'No definitions yet.'} />`;
}

const sorted = (rows) => rows.sort((a, b) => a[0].localeCompare(b[0]) || a[2].localeCompare(b[2]) || a[3].localeCompare(b[3]));

function Row({ row }) {
  const store = useStore();
  const location = store.locations.get(row[0]);
  const [sign, at] = store.touched.get(keyOf(row)) ?? ['', 0];
  return html`<a class="definition-row" href=${to.definition(row)}>
    <${Mark} of=${location ? level(location) : 'off'} /><span class="who">${visible(row[0])}</span><span class="kind">${row[2].replace('_', ' ')}</span>
    <b>${visible(row[3])}</b>${sign && Date.now() / 1000 - at < 30 ? html`<span class="pill busy">${sign === '+' ? 'new' : 'changed'}</span>` : ''}
    <span class="quiet">${visible(row[4])}</span>${row[5].map((one) => html`<span class="pill off">${visible(one)}</span>`)}</a>`;
}

/** The definitions of one location as a table. */
export function DefinitionTable({ rows }) {
  const shown = useMemo(() => sorted([...rows]), [rows]);
  if (!shown.length) return html`<p class="empty">It lists no definitions.</p>`;
  return html`<div class="card" style=${{ height: `min(60vh, ${shown.length * ROW + 2}px)`, display: 'flex', flexDirection: 'column' }}><${Virtual} items=${shown} height=${ROW} row=${(row) => html`<${Row} row=${row} />`} label="Definitions" empty="" /></div>`;
}
