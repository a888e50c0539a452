// One location: its problem or a summary, its definitions, output, events, environment and times.
import { html, useEffect, useMemo } from './html.js';
import { useStore, useClock } from './store.js';
import { Mark, Orders, Progress, Since, Stages, State, Waiting, ordersFor, to, useAnswer } from './parts.js';
import { Problem } from './problem.js';
import { Changes } from './overview.js';
import { Bars, Chart } from './chart.js';
import { DefinitionTable } from './definitions.js';
import { EventList } from './events.js';
import { Packages } from './environments.js';
import { LastRuns, RunTable, useRunsOf } from './runparts.js';
import { Schedules } from './schedules.js';
import { listed } from './runstates.js';
import { useRuns } from './frame.js';
import { Output, ofLocations } from './output.js';
import { STAGES, definitionsOf, level } from './stories.js';
import { age, bytes, counted, percent, seconds, visible } from './format.js';
import { ask, want } from './connection.js';

const TABS = [['', 'Summary'], ['definitions', 'Definitions'], ['runs', 'Runs'], ['output', 'Output'], ['events', 'Events'], ['environment', 'Environment'], ['timing', 'Timing']];
const RELOADS = 40, RUNS = 5;

/** @param {{route: Route}} props */
export function LocationPage({ route }) {
  const store = useStore();
  const now = useClock();
  const name = route.parts[0] ?? '', tab = route.parts[1] ?? '', hasRuns = useRuns();
  useEffect(() => { want({ usage: true }); return () => want({ usage: false }); }, []);
  const one = store.locations.get(name);
  if (!one) return html`<div class="inside"><h1>${visible(name)}</h1><p class="empty">There is no location of that name. <a class="link" href="#/">All locations</a></p></div>`;
  const reloads = (store.reloads.get(name) ?? []).slice(-RELOADS);
  const done = reloads.filter((each) => each.ok), last = done[done.length - 1];
  const build = store.builds.get(name), dagster = safeLink(store.daemon?.dagster?.url ?? '');
  return html`<div class="inside">
    <div class="row title"><h1>${visible(name)}</h1><${State} location=${one} />${build ? html`<${Progress} build=${build} /><${Since} since=${one.phaseSince} />` : ''}<span class="spring"></span>
      <a class="button" href=${to.graph(name)}>Graph</a>
      ${dagster && html`<a class="button" href=${dagster} target="_blank" rel="noreferrer noopener">Open in Dagster</a>`}
      <${Orders} names=${[name]} orders=${ordersFor(one)} hint="r" /></div>
    <nav class="tabs" aria-label="Views of the location">${TABS.filter(([key]) => key !== 'runs' || hasRuns).map(([key, title]) => html`<a href=${to.location(name, key)} aria-current=${key === tab ? 'page' : undefined}>${key === '' && one.problem ? 'Problem' : title}${key === 'definitions' ? html` <span class="quiet">${definitionsOf(one) || ''}</span>` : ''}</a>`)}</nav>
    <dl class="card facts">
      <div><dt>Generation</dt><dd>${one.generation ?? '−'} <span>${one.upSince == null ? '' : `up ${age(now - one.upSince)}`}</span></dd></div>
      <div><dt>Last reload</dt><dd>${last ? seconds(last.timing.total) : seconds(one.load_seconds)} <span>${one.start_method ?? ''}</span></dd></div>
      <div><dt>Memory</dt><dd>${bytes(one.memory)} <span>${one.cpu == null ? '' : `${percent(one.cpu)} CPU`}</span></dd></div>
      <div><dt>Environment</dt><dd>${one.environment ? html`<a class="mono" href=${`#/environments/${encodeURIComponent(one.environment.key)}`}>${visible(one.environment.key.slice(0, 12))}</a>` : '−'} <span>${one.environment ? `Python ${visible(one.environment.python)}` : ''}</span></dd></div>
    </dl>
    ${tab === '' && html`<${Summary} one=${one} reloads=${reloads} />`}
    ${tab === 'definitions' && html`<${DefinitionTable} rows=${store.rows.filter((row) => row[0] === name)} />`}
    ${tab === 'runs' && hasRuns && html`<${RunsTab} name=${name} />`}
    ${tab === 'output' && html`<div class="card framed"><${Output} source=${ofLocations([name])} route=${route} /></div>`}
    ${tab === 'events' && html`<${EventList} entries=${store.journal.filter((entry) => entry.location === name)} />`}
    ${tab === 'environment' && html`<${EnvironmentTab} name=${name} one=${one} />`}
    ${tab === 'timing' && html`<${TimingTab} name=${name} reloads=${reloads} />`}
  </div>`;
}

/** Only addresses of the web become links. @param {string} address */
const safeLink = (address) => (/^https?:\/\//.test(address) ? address : undefined);

/** @param {{one: CodeLocation, reloads: Reload[]}} props */
function Summary({ one, reloads }) {
  const store = useStore();
  const hasRuns = useRuns(), runs = useRunsOf(one.name, hasRuns);
  const samples = store.usage.get(one.name) ?? [];
  return html`${one.problem && html`<${Problem} key=${`${one.name} ${one.problem.at}`} location=${one} here=${level(one) !== 'ok'} />`}
    ${!one.problem && one.last_failure && html`<div class="card problem"><header><${Mark} of="off" /><div class="words"><h2>It failed before, and serves again</h2><p class="summary">${visible(one.last_failure.summary)}</p></div></header></div>`}
    <div class="columns"><div class="stack">
      <div class="card"><header><h2 class="words">Reload time</h2><span class="meta">save → served</span></header><${Bars} reloads=${reloads} /></div>
      <div class="pair">
        <div class="card"><header><h2 class="words">Memory</h2><span class="meta">PSS, with descendants</span></header><${Chart} label="Memory" unit="bytes" points=${samples.map((each) => [each[0], each[1]])} empty="Samples come while this page is open." /></div>
        <div class="card"><header><h2 class="words">CPU</h2><span class="meta">of one core</span></header><${Chart} label="CPU" unit="percent" points=${samples.map((each) => [each[0], each[2]])} empty="Samples come while this page is open." /></div>
      </div>
    </div><div class="stack"><${LastRuns} runs=${listed(runs, one.name, '').slice(0, RUNS)} address=${to.location(one.name, 'runs')} /><section class="stack" aria-label="What changed"><div class="heading"><h2>What changed</h2></div><${Changes} saves=${store.saves.filter((save) => save.location === one.name)} most=${6} /></section></div></div>`;
}

/** @param {{name: string}} props */
function RunsTab({ name }) {
  const store = useStore();
  const known = useRunsOf(name, true);
  return html`<div class="heading"><h2>Runs</h2><a class="meta link" href=${`#/runs?location=${encodeURIComponent(name)}`}>all runs</a></div><${RunTable} runs=${listed(known, name, '')} label=${`Runs of ${visible(name)}`} />
    ${store.rows.some((row) => row[0] === name && (row[2] === 'schedule' || row[2] === 'sensor')) && html`<div class="heading"><h2>Schedules and sensors</h2></div><${Schedules} locations=${[name]} />`}`;
}

/** @type {Record<string, string>} */
const REASONS = { environment: 'Why this environment', start_method: 'Why started so' };

/** @param {{name: string, one: CodeLocation}} props */
function EnvironmentTab({ name, one }) {
  const { answer, error } = useAnswer(() => ask('show', { location: name }), [name, one.generation, one.environment?.key]);
  if (error) return html`<p class="empty">${visible(error.message)}</p>`;
  if (!answer) return html`<${Waiting} />`;
  const environment = answer.environment;
  const why = answer.why ?? {};
  const list = (/** @type {string[]} */ all) => all.map((each) => html`<div class="mono">${visible(each)}</div>`);
  return html`<div class="card"><div class="body"><dl class="pairs">
    <dt>Key</dt><dd class="mono">${environment ? html`<a class="link" href=${`#/environments/${encodeURIComponent(environment.key)}`}>${visible(environment.key)}</a>` : '−'}</dd>
    <dt>Python</dt><dd>${visible(environment?.python ?? '−')} <span class="mono quiet">${visible(environment?.executable ?? '')}</span></dd>
    <dt>Origin</dt><dd>${visible(environment?.origin ?? '−')}</dd>
    ${Object.keys(REASONS).filter((key) => why[key]).map((key) => html`<dt>${REASONS[key]}</dt><dd>${visible(why[key])}</dd>`)}
    ${why.inputs?.length > 0 && html`<dt>Made from</dt><dd>${list(why.inputs)}</dd>`}
    <dt>Working directory</dt><dd class="mono">${visible(answer.working_directory ?? '−')}</dd>
    <dt>Variables</dt><dd>${answer.variables?.length ? list(answer.variables) : html`<span class="quiet">none of its own</span>`}</dd>
    <dt>Declared in</dt><dd class="mono">${visible(answer.declared_in ?? '−')}</dd>
  </dl></div></div>
  ${environment && html`<${Packages} name=${environment.key} />`}`;
}

/** @param {{name: string, reloads: Reload[]}} props */
function TimingTab({ name, reloads }) {
  const { answer } = useAnswer(() => ask('show', { location: name }), [name, reloads.length]);
  const totals = useMemo(() => reloads.filter((each) => each.ok).map((each) => each.timing.total ?? 0).sort((a, b) => a - b), [reloads]);
  const at = (/** @type {number} */ part) => totals[Math.min(totals.length - 1, Math.floor(totals.length * part))];
  const failed = reloads.length - totals.length;
  const hooks = answer?.why?.hooks;
  const inherited = hooks ? Object.entries({ ...hooks.at_exit, ...hooks.at_fork }).map(([what, count]) => `${what} ${count}`) : [];
  return html`<div class="card"><header><div class="words"><h2>The last ${counted(reloads.length, 'reload')}</h2>
      <p class="meta">${totals.length ? `Half of them within ${seconds(at(0.5))}, 95 of 100 within ${seconds(at(0.95))}${failed ? `; ${failed} failed` : ''}.` : 'Save a file, and where its time went stands here.'}</p></div></header>
      <${Bars} reloads=${reloads} height=${220} /></div>
    ${answer?.timing && html`<div class="card"><header><h2 class="words">The last load</h2><span class="meta">${seconds(answer.timing.total)}</span></header><div class="body stack"><${Stages} timing=${answer.timing} words=${false} />
      <table class="table plain"><caption class="hidden">Stages of the last load</caption><thead class="hidden"><tr><th scope="col">Stage</th><th scope="col">Time</th></tr></thead><tbody>${STAGES.filter((stage) => answer.timing[stage] != null).map((stage) => html`<tr><th scope="row"><i class=${`key stage-${stage}`}></i>${MEANING[stage]}</th><td class="num">${seconds(answer.timing[stage])}</td></tr>`)}</tbody></table>
      <p class="meta">Started by ${visible(answer.start_method ?? '−')}${answer.why?.start_method ? `: ${visible(answer.why.start_method)}` : ''}.${inherited.length ? ` Inherited: ${visible(inherited.join(', '))}.` : ''}</p></div></div>`}`;
}
/** @type {Record<string, string>} */
const MEANING = { event: 'the save is noticed', decision: 'what to do is decided', start: 'a process is started', import: 'your code is imported', snapshot: 'what it defines is told', publish: 'it is served' };
