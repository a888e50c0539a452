// One run: its steps and checks as they end, why it failed, its attempts, what it was given, its output.
import { html, useEffect, useState } from './html.js';
import { useClock, useStore } from './store.js';
import { Mark, Waiting, to, useAnswer } from './parts.js';
import { Traced } from './problem.js';
import { Output, ofRun } from './output.js';
import { RunOrders, RunState, What } from './runparts.js';
import { isLive } from './anyruns.js';
import { askedBy, checkState, dated, levelOf, nameOf, toldOf, tookOf, until, withPlan } from './runstates.js';
import { age, bytes, counted, moment, seconds, shortPath, visible, words } from './format.js';
import { ask, hearTold, want } from './connection.js';

/** The whole document of a run, after all that was told since. @param {number} id */
function useRun(id) {
  const store = useStore();
  const [whole, set] = useState(/** @type {WholeRun | null} */ (null));
  const [error, fail] = useState(/** @type {Error | null} */ (null));
  const known = store.runs.get(id);
  useEffect(() => {
    want({ run: id });
    return () => want({ run: null });
  }, [id]);
  useEffect(() => {
    let current = true;
    /** @type {{attempt: number, told: any}[] | null} */
    let early = [];
    const stop = hearTold((heard) => {
      if (heard.id !== id) return;
      if (early) early.push(heard); else set((run) => run && toldOf(run, heard));
    });
    ask('run_show', { id }).then(({ run }) => {
      if (!current) return;
      const waited = early ?? [];
      early = null;
      fail(null);
      set((before) => waited.reduce(toldOf, withPlan(run, before)));
    }, (reason) => { if (current) fail(reason); });
    return () => { current = false; stop(); };
  }, [id, known?.state, known?.attempt, JSON.stringify(known?.counts), store.link, store.gone]);
  const now = whole && known ? { ...whole, ...known } : whole; // a summary may be newer, and lacks the steps
  return { run: /** @type {WholeRun | null} */ (now), error };
}

/** @param {{id: number, route: Route}} props */
export function RunPage({ id, route }) {
  const { run, error } = useRun(id), dagster = useStore().daemon?.dagster?.url ?? '';
  const now = useClock();
  if (!run) return html`<div class="inside"><h1>Run ${id}</h1>${!error ? html`<${Waiting} />` : html`<p class="empty">${visible(error.message)} <a class="link" href="#/runs">All runs</a></p>`}</div>`;
  const tab = route.parts[1] === 'output' || route.parts[1] === 'code' ? route.parts[1] : '';
  return html`<div class="inside">
    <div class="row title"><h1>Run ${run.id}</h1><${RunState} run=${run} /><${What} run=${run} /><span class="spring"></span>${run.dagster_run && /^https?:\/\//.test(dagster) && html`<a class="button" href=${`${dagster.replace(/\/$/, '')}/runs/${encodeURIComponent(run.dagster_run)}`} target="_blank" rel="noreferrer noopener">Open in Dagster</a>`}<${RunOrders} run=${run} /></div>
    <nav class="tabs" aria-label="Views of the run">${[['', 'Steps'], ['output', 'Output'], ['code', 'Code']].map(([key, title]) => html`<a href=${to.run(id, key)} aria-current=${key === tab ? 'page' : undefined}>${title}${key === '' && run.steps.length ? html` <span class="quiet">${run.steps.length}</span>` : ''}</a>`)}</nav>
    <dl class="card facts">
      <div><dt>${run.ended == null ? 'Takes' : 'Took'}</dt><dd>${seconds(tookOf(run, now))} <span>${run.started == null ? `queued ${age(Math.max(0, now - run.queued))} ago` : `since ${dated(run.started, now)}`}</span></dd></div>
      <div><dt>Asked by</dt><dd>${visible(askedBy(run.by))} <span>${run.scheduled_for == null ? '' : `for ${dated(run.scheduled_for, now)}`}</span></dd></div>
      <div><dt>Generation</dt><dd>${run.code?.generation ?? '−'} <span>${run.code?.manifest ? html`<a class="mono" href=${to.run(id, 'code')}>${visible(run.code.manifest.slice(0, 12))}</a>` : ''}</span></dd></div>
      <div><dt>Attempts</dt><dd>${run.attempts.length || '−'} <span>${visible(run.attempts[run.attempts.length - 1]?.start_method ?? '')}</span></dd></div>
    </dl>
    ${tab === '' && html`<${Steps} run=${run} now=${now} />`}
    ${tab === 'output' && html`<div class="card framed"><${Output} key=${id} source=${ofRun(run)} route=${route} /></div>`}
    ${tab === 'code' && html`<${RunCode} run=${run} />`}</div>`;
}

/** @param {{run: WholeRun, now: number}} props */
function Steps({ run, now }) {
  const last = run.attempts[run.attempts.length - 1];
  const problem = last?.problem ?? null, failed = run.steps.filter((one) => one.problem);
  const given = [...Object.entries(run.params), ...Object.entries(run.tags).map(([name, value]) => [`tag ${name}`, value])];
  return html`${problem && !failed.length && html`<${Failure} title=${nameOf(run)} problem=${problem} />`}
    ${!problem && !isLive(run) && run.summary && !failed.length && html`<div class="card problem"><header><${Mark} of=${levelOf(run.state)} /><div class="words"><p class="summary">${visible(run.summary)}</p></div></header></div>`}
    ${failed.map((one) => html`<${Failure} key=${one.name} title=${one.name} problem=${one.problem} />`)}
    <div class="columns"><div class="stack">
      ${run.steps.length ? html`<ol class="card steps" aria-label="Steps">${run.steps.map((one) => html`<${OneStep} key=${`${one.kind} ${one.name}`} step=${one} now=${now} />`)}</ol>` : html`<div class="card empty">${run.state === 'queued' ? `It waits in the queue${run.waits_for?.length ? ` for: ${visible(run.waits_for.join('; '))}` : '.'}` : isLive(run) ? 'Its code is being loaded.' : 'No step began.'}</div>`}
    </div><div class="stack">
      <div class="card"><div class="body"><dl class="pairs"><dt>Queued</dt><dd title=${moment(run.queued)}>${dated(run.queued, now)}</dd>
        ${run.retry_at != null && html`<dt>Next attempt</dt><dd title=${moment(run.retry_at)}>${run.retry_at > now ? until(run.retry_at, now) : 'waits in the queue'}</dd>`}
        ${run.retry_of != null && html`<dt>Again after</dt><dd><a class="link" href=${to.run(run.retry_of)}>run ${run.retry_of}</a></dd>`}
        ${given.map(([name, value]) => html`<dt>${visible(name)}</dt><dd>${visible(words(value))}</dd>`)}
        ${run.config && html`<dt>Run config</dt><dd class="mono">${visible(JSON.stringify(run.config))}</dd>`}
        ${run.environment && html`<dt>Environment</dt><dd><a class="mono link" href=${`#/environments/${encodeURIComponent(run.environment)}`}>${visible(run.environment.slice(0, 12))}</a></dd>`}
        ${(run.code?.late ?? []).length > 0 && html`<dt>Imported late</dt><dd>${visible(run.code.late.map(shortPath).join(', '))}</dd>`}</dl></div></div>
      <${Attempts} attempts=${run.attempts} /></div></div>`;
}

/** @param {{title: string, problem: any}} props */
const Failure = ({ title, problem }) => html`<article class="card problem" aria-label=${`Problem of ${visible(title)}`}><header><${Mark} of="bad" /><div class="words"><h2>${visible(title)}</h2><p class="summary">${visible(problem.summary)}</p></div></header><${Traced} problem=${problem} /></article>`;

/** @param {{step: Step, now: number}} props */
function OneStep({ step, now }) {
  const goes = step.state === 'started';
  return html`<li><div class="first"><${Mark} of=${levelOf(step.state)} /><b>${visible(step.name)}</b>${step.kind === 'asset' ? '' : html`<span class="quiet">${visible(step.kind)}</span>`}<span class="quiet">${visible(goes ? 'runs' : step.state)}${step.why ? ` (${visible(step.why)})` : ''}</span><span class="spring"></span><span class="took">${goes && step.since ? seconds(Math.max(0, Math.floor(now - step.since))) : step.seconds == null || step.state === 'skipped' ? '' : seconds(step.seconds)}</span></div>
    <${Facts} of=${step} />
    ${step.checks.length > 0 && html`<ul aria-label=${`Checks of ${visible(step.name)}`}>${step.checks.map((check) => html`<li><div class="first"><${Mark} of=${levelOf(checkState(check))} /><span>${visible(check.name)}</span><span class="quiet">${visible(checkState(check))}${check.summary ? `: ${visible(check.summary)}` : ''}</span></div><${Facts} of=${{ metadata: check.metadata }} /></li>`)}</ul>`}</li>`;
}

/** @param {{of: {metadata?: Record<string, any>, summary?: string | null, problem?: any}}} props */
function Facts({ of }) {
  const all = Object.entries(of.metadata ?? {});
  return html`${of.summary && !of.problem && html`<p class="detail">${visible(of.summary)}</p>`}${all.length > 0 && html`<dl class="metadata">${all.map(([name, value]) => html`<div><dt>${visible(name)}</dt><dd>${visible(words(value))}</dd></div>`)}</dl>`}`;
}

/** @param {{attempts: Attempt[]}} props */
function Attempts({ attempts }) {
  if (!attempts.length) return null;
  return html`<section class="stack" aria-label="Attempts"><div class="heading"><h2>Attempts</h2><span class="count">${attempts.length}</span></div><ul class="card runs">${attempts.map((one) => html`<li key=${one.number}><${Mark} of=${levelOf(one.state)} /><span><b>${one.number}</b> ${visible(one.why && one.state !== 'succeeded' ? `${one.state}: ${one.why}` : one.state)}${one.signal == null ? '' : `, signal ${one.signal}`}${one.exit ? `, exit ${one.exit}` : ''}</span>
    <span class="quiet">${[one.pid && `pid ${one.pid}`, one.memory_peak && `at most ${bytes(one.memory_peak)}`, one.started != null && one.ended != null && seconds(tookOf(one, one.ended))].filter(Boolean).join(', ')}</span></li>`)}</ul></section>`;
}

/** The texts that the run read, as they were. @param {{run: WholeRun}} props */
function RunCode({ run }) {
  const [chosen, choose] = useState('');
  const { answer, error } = useAnswer(() => ask('run_show', { id: run.id, code: true }), [run.id, run.code?.manifest]);
  if (error) return html`<p class="empty">${visible(error.message)}</p>`;
  const files = Object.keys(answer?.code ?? {}).sort(), shown = chosen || files[0];
  if (answer && !files.length) return html`<div class="card empty">It read its code from the disk, and no text of it was kept.</div>`;
  if (!answer) return html`<${Waiting} />`;
  return html`<div class="row"><select class="field" aria-label="File" value=${shown} onChange=${(/** @type {any} */ event) => choose(event.target.value)}>${files.map((one) => html`<option value=${one}>${visible(one)}</option>`)}</select><span class="meta">${counted(files.length, 'file')}</span></div>
    <div class="card"><pre class="text whole" tabindex="0" role="region" aria-label="Code that ran">${visible(answer.code[shown])}</pre></div>`;
}
