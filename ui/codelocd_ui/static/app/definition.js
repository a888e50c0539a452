// One definition: what it is, where it stands in the code, what it is made from and what uses it.
import { html, useState } from './html.js';
import { useClock, useStore } from './store.js';
import { Mark, Waiting, editorLink, kindWord, to, useAnswer } from './parts.js';
import { level } from './stories.js';
import { age, shortPath, visible, words } from './format.js';
import { LastRuns, useRunsOf } from './runparts.js';
import { Ticks } from './schedules.js';
import { Start, canStart } from './starting.js';
import { useRuns } from './frame.js';
import { listed, nameOf } from './runstates.js';
import { ask } from './connection.js';

const SAID = new Set(['location', 'repository', 'kind', 'name', 'key', 'description', 'source', 'upstream', 'downstream', 'producers', 'deps', 'metadata', 'last_made']);
const RUNS = 6;
const FIRST = ['group', 'kinds', 'owners', 'tags', 'cron', 'timezone', 'job', 'target', 'minimum_interval', 'partitions', 'automation', 'resources'];

/** Whether there is anything to be said of it. @param {any} value */
const isSaid = (value) => value != null && value !== false && (typeof value !== 'object' || Object.keys(value).length > 0);

/** @param {{route: Route}} props */
export function DefinitionPage({ route }) {
  const store = useStore();
  const [location = '', kind = '', ...rest] = route.parts, name = rest.join('/');
  const repository = route.query.get('repository');
  const one = store.locations.get(location);
  const hasRuns = useRuns(), known = useRunsOf(location, hasRuns && canStart(store, { location, repository: '', kind, name }));
  const { answer, error } = useAnswer(() => ask('show', { location, kind, name, ...(repository ? { repository } : {}) }), [location, kind, name, repository, one?.generation, [...store.runs.values()].filter((run) => run.location === location && run.ended != null).length]);
  if (error) return html`<div class="inside"><h1>${visible(name)}</h1><p class="empty">${visible(error.message)}</p></div>`;
  if (!answer) return html`<div class="inside"><h1>${visible(name)}</h1><${Waiting} /></div>`;
  const targets = store.rows.filter((row) => row[0] === location && row[2] !== 'asset' && row[6].includes(name) && row[3] !== name);
  const own = store.rows.find((row) => row[0] === location && row[2] === kind && row[3] === name)?.[6] ?? [];
  const rank = (/** @type {string} */ key) => (FIRST.includes(key) ? FIRST.indexOf(key) : FIRST.length);
  const facts = Object.entries(answer).filter(([key, value]) => !SAID.has(key) && isSaid(value)).sort(([a], [b]) => rank(a) - rank(b));
  const url = store.daemon?.dagster?.url;
  return html`<div class="inside">
    <div class="row title"><h1>${visible(name)}</h1><span class="pill off">${kindWord(kind)}</span><span class="spring"></span><${Start} what=${{ location, repository: answer.repository, kind, name }} shown=${answer} />
      ${kind === 'asset' && html`<a class="button" href=${to.graph(location, name)}>Graph</a>`}
      ${kind === 'asset' && /^https?:\/\//.test(url ?? '') && html`<a class="button" href=${`${url.replace(/\/$/, '')}/assets/${answer.key.map(encodeURIComponent).join('/')}`} target="_blank" rel="noreferrer noopener">Open in Dagster</a>`}</div>
    <p class="row">${one && html`<${Mark} of=${level(one)} />`}<a class="link" href=${to.location(location)}>${visible(location)}</a>${answer.source && html`<${Source} source=${answer.source} />`}</p>
    ${answer.producers?.length > 1 && html`<div class="card problem"><header><${Mark} of="bad" /><div class="words"><h2>More than one location defines this key</h2>${answer.producers.map((/** @type {any} */ each) => html`<div><a class="link" href=${to.definition([each.location, each.repository, 'asset', each.key.join('/')])}>${visible(each.location)}</a></div>`)}</div></header></div>`}
    ${answer.last_made && html`<${LastMade} made=${answer.last_made} />`}${(kind === 'schedule' || kind === 'sensor') && one?.loader === 'native' && store.page.runs && html`<${Ticks} location=${location} name=${name} />`}
    ${answer.description && html`<p class="description">${visible(answer.description)}</p>`}
    <div class="columns"><div class="stack">
      ${kind === 'asset' && html`<${Lineage} answer=${answer} name=${name} />`}
      ${kind !== 'asset' && own.length > 0 && html`<div class="card"><header><h2>${kind === 'schedule' || kind === 'sensor' ? 'Starts' : 'Of the assets'}</h2></header><div class="body stack">${own.map((key) => html`<${Target} location=${location} kind=${kind === 'schedule' || kind === 'sensor' ? 'job' : 'asset'} name=${key} />`)}</div></div>`}
      ${targets.length > 0 && html`<div class="card"><header><h2>Targeted by</h2></header><div class="body stack">${targets.map((row) => html`<div class="row"><a class="link" href=${to.definition(row)}>${visible(row[3])}</a><span class="quiet">${kindWord(row[2])}</span></div>`)}</div></div>`}
      ${canStart(store, { location, repository: answer.repository, kind, name }) && html`<${LastRuns} runs=${listed(known, location, '').filter((run) => nameOf(run) === `${location}/${name}`).slice(0, RUNS)} />`}
      <${Raw} document=${answer} />
    </div>${facts.length + Object.keys(answer.metadata ?? {}).length > 0 && html`<div class="card"><div class="body"><dl class="pairs">${facts.map(([key, value]) => html`<dt>${visible(key.replaceAll('_', ' '))}</dt><dd>${Object.hasOwn(LISTED, key) ? html`<${Listed} field=${key} value=${value} />` : key === 'parameters' ? value.map((/** @type {any} */ each) => html`<div class="mono">${visible(parameterOf(each))}</div>`) : visible(words(value))}</dd>`)}
      ${Object.entries(answer.metadata ?? {}).map(([key, value]) => html`<dt>${visible(key)}</dt><dd>${visible(words(value))}</dd>`)}</dl></div></div>`}</div>
  </div>`;
}

/** By which run an asset was made last. @param {{made: {run: number, at: number, code_current: boolean | null}}} props */
function LastMade({ made }) {
  const now = useClock();
  return html`<p>Last made ${age(Math.max(0, now - made.at))} ago by <a class="link" href=${to.run(made.run)}>run ${made.run}</a>${made.code_current === false ? html`, <span class="pill warn">with other code than is served now</span>` : ''}</p>`;
}

/** @param {{name: string, type: string | null, default: any}} one */
const parameterOf = (one) => `${one.name}${one.type ? `: ${one.type}` : ''}${one.default == null ? '' : ` = ${one.default}`}`;

/** Facts by which the list of definitions can be filtered. @type {Record<string, string>} */
const LISTED = { group: 'group', kinds: 'kind', owners: 'owner', tags: 'tag' };
/** @param {{field: string, value: any}} props a text, a list of them, or a map */
function Listed({ field, value }) {
  const all = typeof value === 'string' ? [value] : Array.isArray(value) ? value.map(String) : Object.entries(value).map(([name, each]) => `${name}=${each}`);
  return html`${all.map((one, index) => html`${index ? ', ' : ''}${/\s/.test(one) ? visible(one) : html`<a class="link" href=${`#/definitions?q=${encodeURIComponent(`${LISTED[field]}:${one}`)}`}>${visible(one)}</a>`}`)}`;
}

/** @param {{location: string, kind: string, name: string}} props */
const Target = ({ location, kind, name }) => html`<div class="row"><a class="link" href=${to.definition([location, '', kind, name])}>${visible(name)}</a><span class="quiet">${kindWord(kind)}</span></div>`;

/** @param {{source: {file: string, line: number}}} props */
function Source({ source }) {
  const text = `${visible(shortPath(source.file))}:${source.line}`, address = editorLink(source.file, source.line);
  return address ? html`<a class="mono link" href=${address} title=${visible(source.file)}>${text}</a>` : html`<span class="mono">${text}</span>`;
}

/** The asset between what it is made from and what uses it. @param {{answer: any, name: string}} props */
function Lineage({ answer, name }) {
  const up = (answer.upstream ?? []).map((/** @type {any} */ each) => ({ key: each.key, ...(each.producers[0] ?? {}) }));
  return html`<div class="card lineage">
    <section aria-label="Made from"><h2>Made from</h2><${Nodes} nodes=${up} /></section>
    <div class="self"><span class="node">${visible(name)}</span></div>
    <section aria-label="Used by"><h2>Used by</h2><${Nodes} nodes=${answer.downstream ?? []} /></section></div>`;
}

/** @param {{nodes: any[]}} props */
function Nodes({ nodes }) {
  const store = useStore();
  if (!nodes.length) return html`<p class="quiet">nothing</p>`;
  return html`<ul>${nodes.map((node) => {
    const key = node.key.join('/'), one = node.location && store.locations.get(node.location);
    return html`<li class="node"><${Mark} of=${one ? level(one) : 'off'} />${node.location ? html`<a href=${to.definition([node.location, node.repository, 'asset', key])}>${visible(key)}</a><span class="quiet">${visible(node.location)}</span>` : html`<span>${visible(key)}</span><span class="quiet">no location makes it</span>`}</li>`;
  })}</ul>`;
}

/** @param {{document: any}} props */
function Raw({ document }) {
  const [isOpen, set] = useState(false);
  return html`<div><button type="button" class="button" aria-expanded=${isOpen} onClick=${() => set(!isOpen)}>As JSON</button></div>${isOpen && html`<div class="card"><pre class="text" tabindex="0" role="region" aria-label="As JSON">${visible(JSON.stringify(document, null, 2))}</pre></div>`}`;
}
