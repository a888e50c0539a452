// The environments in the store: their size, who uses them, their packages, and how two differ.
import { html, useState } from './html.js';
import { useStore } from './store.js';
import { Waiting, to, useAnswer } from './parts.js';
import { age, bytes, visible } from './format.js';
import { ask } from './connection.js';

const FILTERED_FROM = 12, USERS = 12;

/** @param {EnvironmentDocument} one */
const address = (one) => `#/environments/${encodeURIComponent(one.key)}`;
/** @param {{names: string[]}} props */
function Users({ names }) {
  const [all, show] = useState(false);
  const shown = all ? names : names.slice(0, USERS);
  if (!names.length) return html`<span class="quiet">no location</span>`;
  return html`${shown.map((name, index) => html`${index ? ', ' : ''}<a class="link" href=${to.location(name)}>${visible(name)}</a>`)}${shown.length < names.length && html` <button type="button" class="link-button" onClick=${() => show(true)}>and ${names.length - shown.length} more</button>`}`;
}

/** @param {{route: Route}} props */
export function EnvironmentsPage({ route }) {
  const store = useStore();
  const { answer, error } = useAnswer(() => ask('environments'), [store.locations.size, [...store.locations.values()].map((one) => one.environment?.key).join()]);
  if (error) return html`<div class="inside"><h1>Environments</h1><p class="empty">${visible(error.message)}</p></div>`;
  /** @type {EnvironmentDocument[]} */
  const all = [...(answer ?? [])].sort((a, b) => b.size - a.size);
  const [key, word, other] = route.parts;
  if (key) return html`<${One} key=${key} name=${key} other=${word === 'diff' ? other : ''} all=${all} />`;
  const now = Date.now() / 1000, size = all.reduce((sum, one) => sum + one.size - one.shared, 0);
  return html`<div class="inside"><div class="lead"><h1>Environments</h1>${all.length > 0 && html`<p><b>${all.length}</b> in the store, <b>${bytes(size)}</b> that no other shares</p>`}</div>
    ${!answer ? html`<${Waiting} />` : !all.length && html`<div class="card empty">No environment was built: the locations use interpreters of your own.</div>`}
    ${all.length > 0 && html`<div class="card scroll-x" tabindex="0" role="region" aria-label="Table of environments"><table class="table fold"><thead><tr><th scope="col">Key</th><th scope="col">Used by</th><th scope="col" class="num">Size</th><th scope="col" class="num">Of that shared</th><th scope="col" class="num">Packages</th><th scope="col">Python</th><th scope="col">Last used</th><th scope="col">Created</th></tr></thead>
    <tbody>${all.map((one) => html`<tr key=${one.key}><td><a class="mono link" href=${address(one)}>${one.key.slice(0, 12)}</a></td><td><${Users} names=${one.used_by} /></td><td class="num">${bytes(one.size)}</td><td class="num wide">${bytes(one.shared)}</td><td class="num wide">${one.packages.length}</td><td>Python ${visible(one.python)}</td><td class="wide">${age(now - one.last_used)} ago</td><td class="wide">${age(now - one.created)} ago</td></tr>`)}</tbody></table></div>`}</div>`;
}

/** @param {{name: string, other: string, all: EnvironmentDocument[]}} props */
function One({ name, other, all }) {
  const { answer, error } = useAnswer(() => ask('environment', { key: name }), [name]);
  const choose = (/** @type {any} */ event) => { location.hash = `/environments/${encodeURIComponent(name)}${event.target.value ? `/diff/${encodeURIComponent(event.target.value)}` : ''}`; };
  const list = (/** @type {string[]} */ lines) => (lines.length ? lines.map((one) => html`<div>${visible(one)}</div>`) : '−');
  const others = all.filter((one) => one.key !== name);
  return html`<div class="inside"><h1 class="mono">${visible(name).slice(0, 12)}</h1>
    ${error && html`<p class="empty">${visible(error.message)}</p>`}${!error && !answer && html`<${Waiting} />`}
    ${answer && html`<div class="card"><div class="body"><dl class="pairs"><dt>Python</dt><dd>${visible(answer.python)}</dd><dt>Path</dt><dd class="mono">${visible(answer.path)}</dd><dt>Size</dt><dd>${answer.size == null ? 'not built by codelocd' : `${bytes(answer.size)}, ${bytes(answer.shared)} of it shared with others`}</dd><dt>Made for</dt><dd>${list(answer.why)}</dd><dt>Described in</dt><dd class="mono">${list(answer.inputs)}</dd><dt>Used by</dt><dd><${Users} names=${answer.used_by} /></dd></dl></div></div>`}
    ${others.length > 0 && html`<div class="row"><label class="row">Compare with <select class="field" value=${other} onChange=${choose}><option value="">…</option>${others.map((one) => html`<option value=${one.key}>${one.key.slice(0, 12)} ${visible(one.used_by.join(', '))}</option>`)}</select></label></div>`}
    ${other ? html`<${Difference} key=${other} before=${name} after=${other} />` : answer && html`<${List} packages=${answer.packages} />`}</div>`;
}

/** The packages of an environment of which only the key is known. @param {{name: string}} props */
export function Packages({ name }) {
  const { answer, error } = useAnswer(() => ask('environment', { key: name }), [name]);
  if (error) return html`<p class="empty">${visible(error.message)}</p>`;
  if (!answer) return html`<${Waiting} />`;
  return html`${answer.used_by.length > 1 && html`<p>Shared by <${Users} names=${answer.used_by} />.</p>`}<${List} packages=${answer.packages} />`;
}

/** @param {{packages: {name: string, version: string, size: number | null}[]}} props */
function List({ packages }) {
  const [text, set] = useState('');
  const shown = packages.filter((one) => one.name.toLowerCase().includes(text.toLowerCase()));
  return html`<div class="heading filtered"><h2>Packages</h2><span class="count">${packages.length}</span><span class="spring"></span>${packages.length >= FILTERED_FROM && html`<input class="field" type="search" placeholder="Filter" aria-label="Filter packages" value=${text} onInput=${(/** @type {any} */ event) => set(event.target.value)} />`}</div>
    <ul class="card packages">${shown.map((one) => html`<li><span>${visible(one.name)}</span> <span class="quiet">${visible(one.version)}</span>${one.size == null ? '' : html` <span class="quiet size">${bytes(one.size)}</span>`}</li>`)}${!shown.length && html`<li class="quiet">none</li>`}</ul>`;
}

/** @param {{before: string, after: string}} props keys */
function Difference({ before, after }) {
  const { answer, error } = useAnswer(() => ask('diff', { environments: [before, after] }), [before, after]);
  if (error) return html`<p class="empty">${visible(error.message)}</p>`;
  if (!answer) return html`<${Waiting} />`;
  const split = (/** @type {string} */ one) => one.split('==');
  const rows = [
    ...answer.added.map((/** @type {string} */ one) => ['+', 'add', split(one)[0], '−', split(one)[1]]),
    ...answer.removed.map((/** @type {string} */ one) => ['−', 'remove', split(one)[0], split(one)[1], '−']),
    ...answer.changed.map((/** @type {string[]} */ [name, was, is]) => ['~', 'change', name, was, is]),
    ...(answer.python[0] === answer.python[1] ? [] : [['~', 'change', 'Python', ...answer.python]]),
  ];
  const counts = ['added', 'removed', 'changed'].map((each) => `${answer[each].length} ${each}`);
  return html`<div class="heading"><h2>Difference</h2><span class="meta">${rows.length ? counts.join(', ') : ''}</span></div>
    ${rows.length ? html`<div class="card scroll-x" tabindex="0" role="region" aria-label="Difference"><table class="table"><thead><tr><th scope="col">Package</th><th scope="col">${visible(before).slice(0, 12)}</th><th scope="col">${visible(after).slice(0, 12)}</th></tr></thead><tbody>${rows.map(([sign, kind, name, was, is]) => html`<tr><td><span class=${`delta ${kind}`}><i aria-hidden="true">${sign}</i><span class="hidden">${kind} </span>${visible(name)}</span></td><td class="mono">${visible(was)}</td><td class="mono">${visible(is)}</td></tr>`)}</tbody></table></div>` : html`<div class="card empty">They hold the same packages.</div>`}`;
}
