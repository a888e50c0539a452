// Parts of which the pages of runs consist: a table of runs, orders for one, how it is named.
import { html, useEffect, useRef, useState } from './html.js';
import { Mark, to, useAnswer } from './parts.js';
import { isLive } from './anyruns.js';
import { askedBy, dated, levelOf, nameOf, runWord, tookOf } from './runstates.js';
import { store, useClock, useStore } from './store.js';
import { age, counted, moment, seconds, visible } from './format.js';
import { ask, runOrder } from './connection.js';
import { sheet } from './sheet.js';

await sheet('runs.css');

const SHOWN = 500; // rows, each of which is drawn again every second

/** @param {{run: Run}} props */
export const RunState = ({ run }) => html`<span class=${`pill ${levelOf(run.state)}`} title=${visible(run.summary ?? run.state)}>${visible(runWord(run))}</span>`;

/** Whether what is shown may give orders now. */
export const mayOrder = () => !store.page.read_only && store.link === 'live' && !store.gone;

/** Said of a daemon of before there were runs. */
export const NoRuns = () => html`<div class="card empty">This daemon knows nothing of runs.</div>`;

/** @param {{run: Run}} props */
export function What({ run }) {
  const store = useStore(), name = nameOf(run), kind = run.job == null ? 'asset' : 'job', own = run.job ?? (run.select?.length === 1 ? run.select[0] : null);
  const row = own == null ? null : store.rows.find((one) => one[0] === run.location && one[2] === kind && one[3] === own);
  return row ? html`<a class="link" href=${to.definition(row)}>${visible(name)}</a>` : html`<span>${visible(name)}</span>`;
}

/**
 * Runs, newest first. @param {{runs: Run[], label?: string, short?: boolean}} props short: of one location, beside something else
 */
export function RunTable({ runs, label = 'Table of runs', short = false }) {
  const now = useClock();
  if (!runs.length) return html`<div class="card empty">There are no runs here.</div>`;
  return html`<div class="card scroll-x" tabindex="0" role="region" aria-label=${label}><table class="table fold"><thead><tr><th scope="col">Run</th><th scope="col">State</th><th scope="col">What</th><th scope="col" class="num">Took</th>${!short && html`<th scope="col">When</th><th scope="col">Asked by</th><th scope="col" class="num">Generation</th>`}</tr></thead>
    <tbody>${runs.slice(0, SHOWN).map((run) => html`<tr key=${run.id}><td><a class="name" href=${to.run(run.id)}><${Mark} of=${levelOf(run.state)} />${run.id}</a></td><td><${RunState} run=${run} /></td><td><${What} run=${run} /></td><td class="num took">${seconds(tookOf(run, now))}</td>
      ${!short && html`<td class="wide"><span title=${moment(run.queued)}>${age(Math.max(0, now - run.queued))} ago</span></td><td class="wide">${visible(askedBy(run.by))}</td><td class="num wide">${run.code?.generation ?? '−'}</td>`}</tr>`)}</tbody></table>${runs.length > SHOWN && html`<p class="empty">and ${counted(runs.length - SHOWN, 'more run')}: a filter finds them</p>`}</div>`;
}

/**
 * What can be done with a run: cancelled while it goes on, which asks in place, then killed; retried afterwards.
 * @param {{run: Run, onNew?: (id: number) => void}} props
 */
export function RunOrders({ run, onNew = (id) => { location.hash = to.run(id).slice(1); } }) {
  useStore();
  const [state, set] = useState({ asked: false, doing: '', said: '' });
  const box = useRef(/** @type {HTMLElement | null} */ (null)), wasAsked = useRef(false);
  useEffect(() => {
    if (state.asked !== wasAsked.current) /** @type {HTMLElement | null} */ (box.current?.querySelector('button'))?.focus();
    wasAsked.current = state.asked;
  }, [state.asked]);
  if (!mayOrder()) return null;
  const act = async (/** @type {RunOrder} */ name, /** @type {object} */ params) => {
    set({ asked: false, doing: name, said: '' });
    let said = '';
    try {
      const answer = await runOrder(name, { id: run.id, ...params });
      if (name === 'run_retry') onNew(answer.id ?? answer.run.id);
    } catch (error) { said = /** @type {Error} */ (error).message; }
    set({ asked: false, doing: '', said });
  };
  if (state.asked && isLive(run)) {
    return html`<div class="ask" role="group" aria-label="Confirm" ref=${box} onKeyDown=${(/** @type {KeyboardEvent} */ event) => event.key === 'Escape' && set({ ...state, asked: false })}>
      <span>Cancel run ${run.id}? ${run.state === 'queued' ? 'It has not begun.' : 'Its code is told, and killed if it goes on.'}</span>
      <button type="button" class="button danger" data-order="cancel-now" onClick=${() => act('run_cancel', {})}>Cancel it</button>
      <button type="button" class="button" onClick=${() => set({ ...state, asked: false })}>Let it go on</button></div>`;
  }
  return html`<div class="row" ref=${box}><span role="status">${state.said && html`<span class="outcome bad">${visible(state.said)}</span>`}</span>
    ${isLive(run) && (run.stopping
      ? html`<button type="button" class="button danger" data-order="kill" disabled=${Boolean(state.doing)} onClick=${() => act('run_cancel', { kill: true })}>Kill now</button>`
      : html`<button type="button" class="button" data-order="cancel" disabled=${Boolean(state.doing)} aria-busy=${state.doing === 'run_cancel'} onClick=${() => set({ ...state, asked: true, said: '' })}>${state.doing ? 'Cancelling…' : 'Cancel'} <kbd aria-hidden="true">c</kbd></button>`)}
    ${!isLive(run) && run.by.kind !== 'dagster' && html`<button type="button" class="button primary" data-order="retry" disabled=${Boolean(state.doing)} onClick=${() => act('run_retry', {})}>Run again</button>`}</div>`;
}

/**
 * The runs of a location: those that this page was told of, and the newest that its daemon keeps.
 * @param {string} location @param {boolean} isWanted the daemon is asked @returns {Iterable<Run>}
 */
export function useRunsOf(location, isWanted) {
  const store = useStore();
  const newest = Math.max(0, ...store.runs.keys());
  const { answer } = useAnswer(() => (isWanted ? ask('runs', { locations: [location] }) : Promise.resolve(null)), [location, isWanted, newest]);
  return new Map([...(answer?.runs ?? []), ...store.runs.values()].map((/** @type {Run} */ run) => [run.id, run])).values();
}

/** The last runs of a location that are known, or that its daemon is asked for. @param {{runs: Run[], title?: string, address?: string}} props */
export function LastRuns({ runs, title = 'Last runs', address }) {
  const now = useClock();
  if (!runs.length) return null;
  return html`<section class="stack" aria-label=${title}><div class="heading"><h2>${title}</h2>${address && html`<a class="meta link" href=${address}>all</a>`}</div>
    <ul class="card runs">${runs.map((run) => html`<li key=${run.id}><${Mark} of=${levelOf(run.state)} /><a href=${to.run(run.id)}><b>${run.id}</b> ${visible(run.job ?? (run.select ?? []).join(', '))}</a><span class="quiet">${visible(runWord(run))}${tookOf(run, now) == null ? '' : `, ${seconds(tookOf(run, now))}`}</span><time class="meta" title=${moment(run.started ?? run.queued)} datetime=${moment(run.started ?? run.queued)}>${dated(run.started ?? run.queued, now)}</time></li>`)}</ul></section>`;
}
