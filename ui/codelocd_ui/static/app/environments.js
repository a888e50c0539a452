// The environments in the store: their size, who uses them, their packages, and how two differ.
import { html, useState } from './html.js';
import { useStore } from './store.js';
import { to, useAnswer } from './parts.js';
import { age, bytes, visible } from './format.js';
import { ask } from './connection.js';

export function EnvironmentsPage({ route }) {
  const store = useStore();
  const { answer, error } = useAnswer(() => ask('environments'), [store.locations.size]);
  if (error) return html`<div class="inside"><h1>Environments</h1><p class="empty">${visible(error.message)}</p></div>`;
  const all = [...(answer ?? [])].sort((a, b) => b.size - a.size);
  const [key, word, other] = route.parts;
  if (key) return html`<${One} environment=${all.find((one) => one.key === key)} name=${key} other=${word === 'diff' ? all.find((one) => one.key === other) : null} all=${all} />`;
  const now = Date.now() / 1000;
  return html`<div class="inside"><h1>Environments</h1><div class="card scroll-x" tabindex="0" role="region" aria-label="Environments"><table class="table fold"><thead><tr><th scope="col">Key</th><th scope="col">Python</th><th scope="col" class="num">Size</th><th scope="col" class="num">Of that shared</th><th scope="col" class="num">Packages</th><th scope="col">Used by</th><th scope="col">Last used</th><th scope="col">Created</th></tr></thead>
    <tbody>${all.map((one) => html`<tr key=${one.key}><td><a class="mono link" href=${`#/environments/${encodeURIComponent(one.key)}`}>${one.key.slice(0, 12)}</a></td><td>${visible(one.python)}</td><td class="num">${bytes(one.size)}</td><td class="num wide">${bytes(one.shared)}</td><td class="num wide">${one.packages.length}</td><td>${one.used_by.map((name, index) => html`${index ? ', ' : ''}<a class="link" href=${to.location(name)}>${visible(name)}</a>`)}</td><td class="wide">${age(now - one.last_used)} ago</td><td class="wide">${age(now - one.created)} ago</td></tr>`)}</tbody></table>${answer && !all.length && html`<p class="empty">No environment was built: the locations use interpreters of your own.</p>`}</div></div>`;
}

function One({ environment, name, other, all }) {
  const [text, set] = useState('');
  if (!environment) return html`<div class="inside"><h1 class="mono">${visible(name).slice(0, 24)}</h1><p class="empty">It is not in the store: the location uses an interpreter of your own, or it was removed.</p></div>`;
  const packages = environment.packages.filter((one) => one.toLowerCase().includes(text.toLowerCase()));
  return html`<div class="inside"><h1 class="mono">${environment.key.slice(0, 12)}</h1>
    <div class="card"><div class="body"><dl class="pairs"><dt>Python</dt><dd>${visible(environment.python)}</dd><dt>Path</dt><dd class="mono">${visible(environment.path)}</dd><dt>Size</dt><dd>${bytes(environment.size)}, ${bytes(environment.shared)} of it shared with others</dd><dt>Why</dt><dd>${environment.why.map((one) => html`<div>${visible(one)}</div>`)}</dd><dt>Used by</dt><dd>${environment.used_by.map(visible).join(', ') || 'no location'}</dd></dl></div></div>
    <div class="row"><label>Compare with <select class="field" value=${other?.key ?? ''} onChange=${(event) => { location.hash = event.target.value ? `/environments/${environment.key}/diff/${event.target.value}` : `/environments/${environment.key}`; }}><option value="">…</option>${all.filter((one) => one !== environment).map((one) => html`<option value=${one.key}>${one.key.slice(0, 12)} ${visible(one.used_by.join(', '))}</option>`)}</select></label></div>
    ${other ? html`<${Difference} before=${environment} after=${other} />` : html`<input class="field" type="search" placeholder="Package" aria-label="Filter packages" value=${text} onInput=${(event) => set(event.target.value)} /><div class="card"><div class="body mono">${packages.map((one) => html`<div>${visible(one)}</div>`)}${!packages.length && html`<span class="quiet">none</span>`}</div></div>`}</div>`;
}

function Difference({ before, after }) {
  const split = (list) => new Map(list.map((one) => one.split('==')));
  const first = split(before.packages), second = split(after.packages);
  const names = [...new Set([...first.keys(), ...second.keys()])].sort().filter((name) => first.get(name) !== second.get(name));
  return html`<div class="card"><table class="table"><thead><tr><th scope="col">Package</th><th scope="col">${before.key.slice(0, 12)}</th><th scope="col">${after.key.slice(0, 12)}</th></tr></thead><tbody>${names.map((name) => html`<tr><td>${visible(name)}</td><td>${visible(first.get(name) ?? '−')}</td><td>${visible(second.get(name) ?? '−')}</td></tr>`)}</tbody></table>${!names.length && html`<p class="empty">They hold the same packages.</p>`}</div>`;
}
