// One definition: what it is, where it stands in the code, what it is made from and what uses it.
import { html, useState } from './html.js';
import { useStore } from './store.js';
import { Mark, to, useAnswer } from './parts.js';
import { level } from './stories.js';
import { shortPath, visible } from './format.js';
import { ask } from './connection.js';

const SAID = new Set(['location', 'repository', 'kind', 'name', 'key', 'description', 'source', 'upstream', 'downstream', 'producers', 'deps', 'metadata']);

export function DefinitionPage({ route }) {
  const store = useStore();
  const [location, kind, name] = route.parts;
  const repository = route.query.get('repository');
  const revision = store.locations.get(location)?.generation;
  const { answer, error } = useAnswer(() => ask('show', { location, kind, name, ...(repository ? { repository } : {}) }), [location, kind, name, repository, revision]);
  if (error) return html`<div class="inside"><h1>${visible(name)}</h1><p class="empty">${visible(error.message)}</p></div>`;
  if (!answer) return html`<div class="inside"><h1>${visible(name)}</h1></div>`;
  const one = store.locations.get(location);
  const users = store.rows.filter((row) => row[0] === location && row[2] !== 'asset' && row[6].includes(name));
  const facts = Object.entries(answer).filter(([key, value]) => !SAID.has(key) && value != null && !(Array.isArray(value) && !value.length) && !(typeof value === 'object' && !Array.isArray(value) && !Object.keys(value).length));
  return html`<div class="inside">
    <div class="row"><h1>${visible(name)}</h1><span class="pill off">${visible(kind.replace('_', ' '))}</span><span class="spring"></span>${kind === 'asset' && html`<a class="button" href=${`#/graph/${encodeURIComponent(location)}/${encodeURIComponent(name)}`}>Graph</a>`}</div>
    <p class="row">${one && html`<${Mark} of=${level(one)} />`}<a class="link" href=${to.location(location)}>${visible(location)}</a>${answer.source && html`<${Source} source=${answer.source} />`}</p>
    ${answer.description && html`<div class="card"><div class="body" style=${{ whiteSpace: 'pre-wrap' }}>${visible(answer.description)}</div></div>`}
    ${answer.producers?.length > 1 && html`<div class="card"><header><${Mark} of="bad" /><div class="words"><h3>More than one location defines this key</h3>${answer.producers.map((each) => html`<div>${visible(each.location)}</div>`)}</div></header></div>`}
    <div class="columns"><div class="stack">
      ${kind === 'asset' && html`<${Neighbours} title="Made from" nodes=${(answer.upstream ?? []).map((each) => ({ key: each.key, ...(each.producers[0] ?? {}) }))} /><${Neighbours} title="Used by" nodes=${answer.downstream ?? []} />`}
      ${users.length > 0 && html`<div class="card"><header><h2>Targeted by</h2></header><div class="body stack">${users.map((row) => html`<a class="link" href=${to.definition(row)}>${visible(row[2].replace('_', ' '))} ${visible(row[3])}</a>`)}</div></div>`}
      <${Raw} document=${answer} />
    </div><div class="card"><div class="body"><dl class="pairs">${facts.map(([key, value]) => html`<dt>${visible(key.replaceAll('_', ' '))}</dt><dd>${shown(value)}</dd>`)}
      ${Object.entries(answer.metadata ?? {}).map(([key, value]) => html`<dt>${visible(key)}</dt><dd>${shown(value)}</dd>`)}</dl></div></div></div>
  </div>`;
}

const shown = (value) => (typeof value === 'string' ? visible(value) : Array.isArray(value) && value.every((one) => typeof one === 'string') ? value.map(visible).join(', ') : html`<code>${visible(JSON.stringify(value))}</code>`);

function Source({ source }) {
  const store = useStore();
  const text = `${visible(shortPath(source.file))}:${source.line}`;
  return store.page.editor ? html`<a class="mono link" href=${`${store.page.editor}://file${encodeURI(source.file)}:${source.line}`}>${text}</a>` : html`<span class="mono">${text}</span>`;
}

function Neighbours({ title, nodes }) {
  const store = useStore();
  return html`<div class="card"><header><h2>${title}</h2></header><div class="body stack">${nodes.map((node) => {
    const key = node.key.join('/'), one = node.location && store.locations.get(node.location);
    return html`<div class="row"><${Mark} of=${one ? level(one) : 'off'} />${node.location ? html`<a class="link" href=${to.definition([node.location, node.repository, 'asset', key])}>${visible(key)}</a><span class="quiet">${visible(node.location)}</span>` : html`<span>${visible(key)}</span><span class="quiet">no location makes it</span>`}</div>`;
  })}${!nodes.length && html`<span class="quiet">nothing</span>`}</div></div>`;
}

function Raw({ document }) {
  const [isOpen, set] = useState(false);
  return html`<div class="card"><header><button class="button" aria-expanded=${isOpen} onClick=${() => set(!isOpen)}>As JSON</button></header>${isOpen && html`<pre class="text" tabindex="0">${visible(JSON.stringify(document, null, 2)).replaceAll('\\u000a', '\n')}</pre>`}</div>`;
}
