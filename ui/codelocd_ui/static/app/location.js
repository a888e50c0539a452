// One location: its problem or a summary, its definitions, output, events, environment and times.
import { html, useEffect, useMemo } from './html.js';
import { useStore, useClock } from './store.js';
import { Mark, Orders, Stages, State, ordersFor, to, useAnswer } from './parts.js';
import { Problem } from './problem.js';
import { Changes } from './overview.js';
import { Chart } from './chart.js';
import { DefinitionTable } from './definitions.js';
import { EventList } from './events.js';
import { Output } from './output.js';
import { age, bytes, counted, percent, seconds, visible } from './format.js';
import { ask, want } from './connection.js';

const TABS = [['', 'Summary'], ['definitions', 'Definitions'], ['output', 'Output'], ['events', 'Events'], ['environment', 'Environment'], ['timing', 'Timing']];

export function LocationPage({ route }) {
  const store = useStore();
  const now = useClock();
  const name = route.parts[0] ?? '', tab = route.parts[1] ?? '';
  useEffect(() => { want({ usage: true }); return () => want({ usage: false }); }, []);
  const one = store.locations.get(name);
  if (!one) return html`<div class="inside"><h1>${visible(name)}</h1><p class="empty">There is no location of that name. <a class="link" href="#/">All locations</a></p></div>`;
  const reloads = store.reloads.get(name) ?? [];
  const last = reloads[reloads.length - 1];
  const count = Object.values(one.definitions ?? {}).reduce((sum, each) => sum + each, 0);
  return html`<div class="inside">
    <div class="row"><h1>${visible(name)}</h1><${State} location=${one} /><span class="spring"></span>
      <a class="button" href=${`#/graph/${encodeURIComponent(name)}`}>Graph</a>
      ${store.daemon?.dagster?.url && html`<a class="button" href=${safeLink(store.daemon.dagster.url)} target="_blank" rel="noreferrer noopener">Open in Dagster</a>`}
      <${Orders} names=${[name]} orders=${ordersFor(one)} hint="r" /></div>
    <nav class="tabs" aria-label="Views of the location">${TABS.map(([key, title]) => html`<a href=${to.location(name, key)} aria-current=${key === tab ? 'page' : undefined}>${key === '' && one.problem ? 'Problem' : title}${key === 'definitions' ? ` ${count || ''}` : ''}</a>`)}</nav>
    <dl class="card facts" style=${{ margin: 0 }}>
      <div><dt>Generation</dt><dd class="value" style=${{ margin: 0 }}>${one.generation ?? '−'} <span>${one.upSince == null ? '' : `up ${age(now - one.upSince)}`}</span></dd></div>
      <div><dt>Last reload</dt><dd class="value" style=${{ margin: 0 }}>${last ? seconds(last.timing.total) : seconds(one.load_seconds)} <span>${one.start_method ?? ''}</span></dd></div>
      <div><dt>Memory</dt><dd class="value" style=${{ margin: 0 }}>${bytes(one.memory)} <span>${percent(one.cpu)} CPU</span></dd></div>
      <div><dt>Environment</dt><dd class="value" style=${{ margin: 0 }}>${one.environment ? html`<a class="mono" href=${`#/environments/${encodeURIComponent(one.environment.key)}`}>${one.environment.key.slice(0, 12)}</a>` : '−'} <span>${one.environment ? `Python ${one.environment.python}` : ''}</span></dd></div>
    </dl>
    ${tab === '' && html`<${Summary} one=${one} />`}
    ${tab === 'definitions' && html`<${DefinitionTable} rows=${store.rows.filter((row) => row[0] === name)} />`}
    ${tab === 'output' && html`<div class="card" style=${{ height: '60vh', display: 'flex', flexDirection: 'column' }}><${Output} locations=${[name]} /></div>`}
    ${tab === 'events' && html`<${EventList} entries=${store.journal.filter((entry) => entry.location === name)} />`}
    ${tab === 'environment' && html`<${EnvironmentTab} name=${name} one=${one} />`}
    ${tab === 'timing' && html`<${Timing} name=${name} reloads=${reloads} />`}
  </div>`;
}

/** Only addresses of the web become links. */
export const safeLink = (address) => (/^https?:\/\//.test(address) ? address : undefined);

function Summary({ one }) {
  const store = useStore();
  const reloads = store.reloads.get(one.name) ?? [], samples = store.usage.get(one.name) ?? [];
  return html`${one.problem && html`<${Problem} key=${`${one.name} ${one.problem.at}`} location=${one} />`}
    ${!one.problem && one.last_failure && html`<div class="card"><header><${Mark} of="off" /><div class="words"><h3>It failed before, and serves again</h3><p class="summary">${visible(one.last_failure.summary)}</p></div></header></div>`}
    <div class="columns"><div class="stack">
      <div class="card"><header><h2 class="words">Reload time</h2><span class="meta">save → served</span></header><${Chart} label="Reload time" unit="seconds" points=${reloads.map((each) => [each.at, each.timing.total])} empty="Two reloads make a chart." /></div>
      <div class="card"><header><h2 class="words">Memory</h2><span class="meta">PSS, with descendants</span></header><${Chart} label="Memory" unit="bytes" points=${samples.map((each) => [each[0], each[1]])} empty="Samples come while this page is open." /></div>
      <div class="card"><header><h2 class="words">CPU</h2><span class="meta">of one core</span></header><${Chart} label="CPU" unit="percent" points=${samples.map((each) => [each[0], each[2]])} empty="Samples come while this page is open." /></div>
    </div><section class="stack" aria-label="What changed"><h2>What changed</h2><${Changes} saves=${store.saves.filter((save) => save.location === one.name)} /></section></div>`;
}

function EnvironmentTab({ name, one }) {
  const { answer, error } = useAnswer(() => ask('show', { location: name }), [name, one.generation, one.environment?.key]);
  if (error) return html`<p class="empty">${visible(error.message)}</p>`;
  if (!answer) return html`<p class="empty">…</p>`;
  const environment = answer.environment;
  const why = Object.entries(answer.why ?? {});
  return html`<div class="card"><div class="body"><dl class="pairs">
    <dt>Key</dt><dd class="mono">${environment ? html`<a class="link" href=${`#/environments/${encodeURIComponent(environment.key)}`}>${environment.key}</a>` : '−'}</dd>
    <dt>Python</dt><dd>${environment?.python ?? '−'} <span class="mono quiet">${visible(environment?.executable ?? '')}</span></dd>
    <dt>Origin</dt><dd>${environment?.origin ?? '−'}</dd>
    ${why.map(([key, value]) => html`<dt>Why ${visible(key.replace('_', ' '))}</dt><dd>${visible(typeof value === 'string' ? value : JSON.stringify(value))}</dd>`)}
    <dt>Made from</dt><dd>${(answer.inputs ?? []).map((file) => html`<div class="mono">${visible(file)}</div>`)}</dd>
    <dt>Working directory</dt><dd class="mono">${visible(answer.working_directory ?? '')}</dd>
    <dt>Variables</dt><dd class="mono">${(answer.variables ?? []).map(visible).join(', ') || 'none of its own'}</dd>
    <dt>Declared in</dt><dd class="mono">${visible(typeof answer.declared_in === 'string' ? answer.declared_in : JSON.stringify(answer.declared_in ?? ''))}</dd>
  </dl></div></div>`;
}

function Timing({ name, reloads }) {
  const { answer } = useAnswer(() => ask('show', { location: name }), [name, reloads.length]);
  const totals = useMemo(() => reloads.map((each) => each.timing.total).sort((a, b) => a - b), [reloads.length]);
  const at = (part) => totals[Math.min(totals.length - 1, Math.floor(totals.length * part))];
  const most = totals[totals.length - 1] || 1;
  return html`<div class="card"><header><div class="words"><h2>The last ${counted(reloads.length, 'reload')}</h2>
      <p class="meta">${totals.length ? `p50 ${seconds(at(0.5))}, p95 ${seconds(at(0.95))}` : 'Save a file, and where its time went stands here.'}</p></div></header>
    <div class="body stack">${[...reloads].reverse().map((each) => html`<div class="row"><span class="meta" style=${{ width: '64px' }}>${seconds(each.timing.total)}</span><div style=${{ width: `${Math.max(2, (each.timing.total / most) * 80)}%` }}><${Stages} timing=${each.timing} words=${false} /></div></div>`)}
      ${reloads.length > 0 && html`<div class="legend">${['event', 'decision', 'start', 'import', 'snapshot', 'publish'].map((stage) => html`<span><i class=${`stage-${stage}`}></i>${stage}</span>`)}</div>`}</div></div>
    ${answer?.timing && html`<div class="card"><header><h2 class="words">The last load</h2></header><div class="body stack"><${Stages} timing=${answer.timing} /><p class="meta">Started by ${visible(answer.start_method ?? '−')}${answer.why?.start_method ? `: ${visible(answer.why.start_method)}` : ''}</p></div></div>`}`;
}
