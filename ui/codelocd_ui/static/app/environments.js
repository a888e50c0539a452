// The environments in the store: their size, who uses them, their packages, and how two differ.
import { html, useState } from './html.js';
import { useStore } from './store.js';
import { to, useAnswer } from './parts.js';
import { age, bytes, counted, visible } from './format.js';
import { ask } from './connection.js';

const FILTERED_FROM = 12;

/** @param {EnvironmentDocument} one */
const address = (one) => `#/environments/${encodeURIComponent(one.key)}`;
/** @param {{names: string[]}} props */
const Users = ({ names }) => (names.length ? html`${names.map((name, index) => html`${index ? ', ' : ''}<a class="link" href=${to.location(name)}>${visible(name)}</a>`)}` : html`<span class="quiet">no location</span>`);

/** @param {{route: Route}} props */
export function EnvironmentsPage({ route }) {
  const store = useStore();
  const { answer, error } = useAnswer(() => ask('environments'), [store.locations.size, [...store.locations.values()].map((one) => one.environment?.key).join()]);
  if (error) return html`<div class="inside"><h1>Environments</h1><p class="empty">${visible(error.message)}</p></div>`;
  /** @type {EnvironmentDocument[]} */
  const all = [...(answer ?? [])].sort((a, b) => b.size - a.size);
  const [key, word, other] = route.parts;
  if (key) return html`<${One} environment=${all.find((one) => one.key === key)} name=${key} other=${word === 'diff' ? all.find((one) => one.key === other) : null} all=${all} isKnown=${answer != null} />`;
  const now = Date.now() / 1000, size = all.reduce((sum, one) => sum + one.size - one.shared, 0);
  return html`<div class="inside"><div class="lead"><h1>Environments</h1>${all.length > 0 && html`<p><b>${all.length}</b> in the store, <b>${bytes(size)}</b> that no other shares</p>`}</div>
    ${answer && !all.length && html`<div class="card empty">No environment was built: the locations use interpreters of your own.</div>`}
    ${all.length > 0 && html`<div class="card scroll-x" tabindex="0" role="region" aria-label="Table of environments"><table class="table fold"><thead><tr><th scope="col">Key</th><th scope="col">Used by</th><th scope="col" class="num">Size</th><th scope="col" class="num">Of that shared</th><th scope="col" class="num">Packages</th><th scope="col">Python</th><th scope="col">Last used</th><th scope="col">Created</th></tr></thead>
    <tbody>${all.map((one) => html`<tr key=${one.key}><td><a class="mono link" href=${address(one)}>${one.key.slice(0, 12)}</a></td><td><${Users} names=${one.used_by} /></td><td class="num">${bytes(one.size)}</td><td class="num wide">${bytes(one.shared)}</td><td class="num wide">${one.packages.length}</td><td>Python ${visible(one.python)}</td><td class="wide">${age(now - one.last_used)} ago</td><td class="wide">${age(now - one.created)} ago</td></tr>`)}</tbody></table></div>`}</div>`;
}

/** @param {{environment?: EnvironmentDocument, name: string, other?: EnvironmentDocument | null, all: EnvironmentDocument[], isKnown: boolean}} props */
function One({ environment, name, other, all, isKnown }) {
  if (!environment) return html`<div class="inside"><h1 class="mono">${visible(name).slice(0, 24)}</h1>${isKnown && html`<p class="empty">It is not in the store: the location uses an interpreter of your own, or it was removed.</p>`}</div>`;
  const choose = (/** @type {any} */ event) => { location.hash = `${address(environment).slice(1)}${event.target.value ? `/diff/${encodeURIComponent(event.target.value)}` : ''}`; };
  return html`<div class="inside"><h1 class="mono">${environment.key.slice(0, 12)}</h1>
    <div class="card"><div class="body"><dl class="pairs"><dt>Python</dt><dd>${visible(environment.python)}</dd><dt>Path</dt><dd class="mono">${visible(environment.path)}</dd><dt>Size</dt><dd>${bytes(environment.size)}, ${bytes(environment.shared)} of it shared with others</dd><dt>Made for</dt><dd>${environment.why.map((one) => html`<div>${visible(one)}</div>`)}</dd><dt>Used by</dt><dd><${Users} names=${environment.used_by} /></dd></dl></div></div>
    ${all.length > 1 && html`<div class="row"><label class="row">Compare with <select class="field" value=${other?.key ?? ''} onChange=${choose}><option value="">…</option>${all.filter((one) => one !== environment).map((one) => html`<option value=${one.key}>${one.key.slice(0, 12)} ${visible(one.used_by.join(', '))}</option>`)}</select></label></div>`}
    ${other ? html`<${Difference} before=${environment} after=${other} />` : html`<${List} packages=${environment.packages} />`}</div>`;
}

/** The packages of an environment of which only the key is known. @param {{name: string}} props */
export function Packages({ name }) {
  const { answer } = useAnswer(() => ask('environments'), [name]);
  /** @type {EnvironmentDocument | undefined} */
  const found = (answer ?? []).find((/** @type {EnvironmentDocument} */ one) => one.key === name);
  if (!found) return null;
  return html`${found.used_by.length > 1 && html`<p>Shared by <${Users} names=${found.used_by} />.</p>`}<${List} packages=${found.packages} />`;
}

/** @param {{packages: string[]}} props */
function List({ packages }) {
  const [text, set] = useState('');
  const shown = packages.filter((one) => one.toLowerCase().includes(text.toLowerCase()));
  return html`<div class="heading filtered"><h2>Packages</h2><span class="count">${packages.length}</span><span class="spring"></span>${packages.length >= FILTERED_FROM && html`<input class="field" type="search" placeholder="Filter" aria-label="Filter packages" value=${text} onInput=${(/** @type {any} */ event) => set(event.target.value)} />`}</div>
    <ul class="card packages">${shown.map((one) => { const [name, version] = one.split('=='); return html`<li><span>${visible(name)}</span> <span class="quiet">${visible(version ?? '')}</span></li>`; })}${!shown.length && html`<li class="quiet">none</li>`}</ul>`;
}

/** @param {{before: EnvironmentDocument, after: EnvironmentDocument}} props */
function Difference({ before, after }) {
  const split = (/** @type {string[]} */ list) => new Map(list.map((one) => { const [name, version = ''] = one.split('=='); return [name, version]; }));
  const first = split(before.packages), second = split(after.packages);
  const names = [...new Set([...first.keys(), ...second.keys()])].sort().filter((name) => first.get(name) !== second.get(name));
  const word = (/** @type {string} */ name) => (!first.has(name) ? ['+', 'add', 'added'] : !second.has(name) ? ['−', 'remove', 'removed'] : ['~', 'change', 'changed']);
  const counts = ['added', 'removed', 'changed'].map((each) => `${names.filter((name) => word(name)[2] === each).length} ${each}`);
  return html`<div class="heading"><h2>Difference</h2><span class="meta">${names.length ? counts.join(', ') : ''}</span></div>
    ${names.length ? html`<div class="card scroll-x" tabindex="0" role="region" aria-label="Difference"><table class="table"><thead><tr><th scope="col">Package</th><th scope="col">${before.key.slice(0, 12)} <span class="quiet">${visible(before.used_by.join(', '))}</span></th><th scope="col">${after.key.slice(0, 12)} <span class="quiet">${visible(after.used_by.join(', '))}</span></th></tr></thead><tbody>${names.map((name) => html`<tr><td><span class=${`delta ${word(name)[1]}`}><i aria-hidden="true">${word(name)[0]}</i><span class="hidden">${word(name)[2]} </span>${visible(name)}</span></td><td class="mono">${visible(first.get(name) ?? '−')}</td><td class="mono">${visible(second.get(name) ?? '−')}</td></tr>`)}</tbody></table></div>` : html`<div class="card empty">They hold the same ${counted(before.packages.length, 'package')}.</div>`}`;
}
