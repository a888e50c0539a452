// Search over everything (⌘K), and the list of keys.
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from './html.js';
import { store } from './store.js';
import { Mark, kindWord, ordersFor, to } from './parts.js';
import { nextTheme, pages } from './frame.js';
import { Overlay } from './overlay.js';
import { StartDialog } from './starting.js';
import { ask, askFiles, order } from './connection.js';
import { showsRuns } from './anyruns.js';
import { jobsOf, levelOf, nameOf, runWord } from './runstates.js';
import { environmentsOf, found, matcher, namesField } from './filters.js';
import { level } from './stories.js';
import { counted, shortPath, visible } from './format.js';

const MOST = 40, ASKED_FROM = 2;

/** @typedef {{text: string, kind: string, address?: string, level?: Level, act?: () => void, start?: Startable}} Hit */

/** @param {Row} row @returns {Hit} */
const hitOf = (row) => ({ text: row[3], kind: `${kindWord(row[2])} in ${row[0]}`, address: to.definition(row) });

/** @param {{close: () => void}} props */
export function Search({ close }) {
  const [text, set] = useState('');
  const [at, move] = useState(0), [starting, start] = useState(/** @type {Startable | null} */ (null));
  const field = useRef(/** @type {HTMLElement | null} */ (null));
  useLayoutEffect(() => field.current?.focus(), []);
  /** @type {Hit[]} */
  const all = useMemo(() => [
    ...pages(showsRuns(store)).map(([, title, address]) => ({ text: title, kind: 'page', address })),
    ...[...store.locations.values()].map((one) => ({ text: one.name, kind: 'location', address: to.location(one.name), level: level(one) })),
    ...environmentsOf([...store.locations.values()]).map(({ key, text: about }) => ({ text: about, kind: 'environment', address: `#/environments/${encodeURIComponent(key)}` })),
    ...actions(),
    ...[...store.runs.values()].map((run) => ({ text: `run ${run.id} ${nameOf(run)}`, kind: runWord(run), address: to.run(run.id), level: levelOf(run.state) })).reverse(),
    ...store.rows.map(hitOf),
  ], []);
  const more = useMore(text.trim().length >= ASKED_FROM);
  const hits = useMemo(() => (namesField(text) ? store.rows.filter(matcher(text)).slice(0, MOST).map(hitOf) : [...runOf(text), ...found(all, text, MOST), ...(text.trim() ? found(more, text, MOST) : [])].slice(0, MOST)), [text, all, more]);
  const choose = (/** @type {Hit | undefined} */ hit) => { if (!hit) return; if (hit.start) { start(hit.start); return; } close(); if (hit.act) hit.act(); else location.hash = (hit.address ?? '').slice(1); };
  const keys = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault();
      move((now) => Math.max(0, Math.min(hits.length - 1, now + (event.key === 'ArrowDown' ? 1 : -1))));
    } else if (event.key === 'Enter') choose(hits[at]);
  };
  useEffect(() => { document.getElementById(`hit-${at}`)?.scrollIntoView({ block: 'nearest' }); }, [at]);
  if (starting) return html`<${StartDialog} what=${starting} close=${close} />`;
  return html`<${Overlay} close=${close} label="Search"><input ref=${field} value=${text} placeholder="Locations, definitions, files, packages, runs, or owner:… tag:… kind:… group:…" role="combobox" aria-expanded="true" aria-controls="hits" aria-activedescendant=${hits.length ? `hit-${at}` : undefined} aria-label="Search" onInput=${(/** @type {any} */ event) => { set(event.target.value); move(0); }} onKeyDown=${keys} />
    <ul id="hits" role="listbox" aria-label="Results">${hits.map((hit, index) => html`<li id=${`hit-${index}`} role="option" aria-selected=${index === at} onClick=${() => choose(hit)} onPointerMove=${() => move(index)}>${hit.level ? html`<${Mark} of=${hit.level} />` : ''}<span>${visible(hit.text)}</span><span class="meta">${visible(hit.kind)}</span></li>`)}</ul>
    ${!hits.length && html`<div class="empty">Nothing has that name.</div>`}<//>`;
}

/** The run of that number, also one that the page was not told of. @param {string} text @returns {Hit[]} */
function runOf(text) {
  const id = Number(/^(?:run\s+)?#?(\d+)$/i.exec(text.trim())?.[1]);
  return store.page.runs && id && showsRuns(store) && !store.runs.has(id) ? [{ text: `run ${id}`, kind: 'run', address: to.run(id) }] : [];
}

/** What is asked for only once something is typed: files, and packages of environments. @param {boolean} isWanted */
function useMore(isWanted) {
  const [more, set] = useState(/** @type {Hit[]} */ ([]));
  useEffect(() => {
    if (!isWanted) return;
    let current = true;
    Promise.all([askFiles(), ask('environments')]).then(([{ files }, environments]) => { if (current) set([...filesOf(files), ...packagesOf(environments)]); }, () => undefined);
    return () => { current = false; };
  }, [isWanted]);
  return more;
}

/** @param {Record<string, string[][]>} files @returns {Hit[]} */
const filesOf = (files) => Object.entries(files).map(([file, definitions]) => ({ text: shortPath(file), kind: `file, ${counted(definitions.length, 'definition')} in ${[...new Set(definitions.map(([location]) => location))].join(', ')}`, address: `#/definitions?q=${encodeURIComponent(`file:${file.split(/\s+/).pop()}`)}` }));

/** @param {EnvironmentDocument[]} environments @returns {Hit[]} */
const packagesOf = (environments) => environments.flatMap(({ key, packages, used_by: users }) => packages.map((one) => ({ text: one.replace('==', ' '), kind: `package in ${key.slice(0, 12)}${users.length ? ` of ${users.slice(0, 3).join(', ')}` : ''}`, address: `#/environments/${encodeURIComponent(key)}` })));

/** What can be done from anywhere: runs of jobs, a reload of each location, and the theme. @returns {Hit[]} */
function actions() {
  const theme = { text: 'Change the theme', kind: 'action', act: nextTheme };
  if (store.page.read_only) return [theme];
  const running = [...store.locations.values()].filter((one) => ordersFor(one).includes('reload'));
  const jobs = store.page.runs ? jobsOf(store.rows, store.locations, store.runs.size > 0) : [];
  return [theme, ...jobs.map((job) => ({ text: `Run ${job.location}/${job.name}`, kind: 'action', start: job })), ...running.map((one) => ({ text: `Reload ${one.name}`, kind: 'action', act: () => { location.hash = to.location(one.name).slice(1); order('reload', [one.name]).catch(() => undefined); } }))];
}

const KEYS = [['⌘K', 'search everything'], ['/', 'filter this page'], ['g o', 'overview'], ['g g', 'graph'], ['g d', 'definitions'], ['g l', 'output'], ['g e', 'events'], ['g v', 'environments'], ['g r', 'runs'], ['g s', 'schedules and sensors'], ['j k ↵', 'next and previous row, open it'], ['[ ]', 'previous and next problem'], ['r', 'reload the location that is shown'], ['s', 'stop or start it'], ['x', 'run the job, or make the asset, that is shown'], ['c', 'cancel the run that is shown'], ['f', 'follow the output'], ['t', 'theme'], ['?', 'these keys']];

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
