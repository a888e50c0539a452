// The first page: what needs attention, what the last saves changed, and all locations.
import { html, useEffect, useMemo, useState, useRef } from './html.js';
import { useStore, useClock } from './store.js';
import { Mark, Orders, Progress, Since, State, Stages, Spark, When, kindWord, ordersFor, to } from './parts.js';
import { Problem } from './problem.js';
import { goingOn, goingOnWords } from './anyruns.js';
import { definitionsOf, edgesOf, folded, headline, level, worstFirst } from './stories.js';
import { age, bytes, counted, percent, seconds, visible } from './format.js';
import { want } from './connection.js';

const OPEN_PROBLEMS = 2, MOST_PROBLEMS = 12, NAMES = 4, SAVES = 10, FILTERED_FROM = 8;

export function Overview() {
  const store = useStore();
  useEffect(() => { want({ usage: true }); return () => want({ usage: false }); }, []);
  const locations = [...store.locations.values()].sort(worstFirst);
  const broken = locations.filter((one) => one.problem && level(one) !== 'ok' && level(one) !== 'off');
  const serving = locations.filter((one) => one.state === 'serving').length;
  const last = store.saves[0];
  const edges = useMemo(() => edgesOf(store.rows), [store.rows]);
  const config = store.daemon?.config, runs = goingOnWords(goingOn(store.runs.values()));
  const building = locations.filter((one) => store.builds.has(one.name));
  if (!locations.length) return html`<div class="inside"><h1>${headline(locations)}</h1><${Empty} /></div>`;
  return html`<div class="inside">
    <div class="lead"><h1>${headline(locations)}</h1>
      <p><b>${serving} of ${locations.length}</b> serving · <b>${(store.count ?? 0).toLocaleString('en')}</b> ${store.count === 1 ? 'definition' : 'definitions'}${edges ? html` · <b>${edges.toLocaleString('en')}</b> ${edges === 1 ? 'edge' : 'edges'}` : ''}${last?.seconds != null ? html` · last save served in <b>${seconds(last.seconds)}</b>` : ''}${runs ? html` · <a class="link" href="#/runs?state=live">${runs.includes('running') ? runs : `${runs} to run`}</a>` : ''}</p></div>
    <ul class="segments" aria-label="Locations, worst first">${locations.map((one) => html`<li key=${one.name} class=${level(one)} title=${visible(one.name)}></li>`)}</ul>
    ${config?.state === 'invalid' && html`<div class="card problem"><header><${Mark} of="warn" /><div class="words"><h2>The config has mistakes and is not applied</h2><p class="summary">${visible(config.problem)}</p></div></header></div>`}
    <div class="columns">
      <div class="stack">
        ${broken.length > 0 && html`<div class="heading"><h2>Needs attention</h2><span class="count">${broken.length}</span></div>
          ${broken.slice(0, MOST_PROBLEMS).map((one, index) => html`<${Problem} key=${one.name} location=${one} open=${index < OPEN_PROBLEMS} />`)}
          ${broken.length > MOST_PROBLEMS && html`<p class="meta">and ${broken.length - MOST_PROBLEMS} more, first in the table below</p>`}`}
        ${building.map((one) => html`<div class="card building" key=${`build ${one.name}`}><${Mark} of="busy" /><a href=${to.location(one.name)}><b>${visible(one.name)}</b></a><${Progress} build=${store.builds.get(one.name)} /><${Since} since=${one.phaseSince} /></div>`)}
        <${Locations} locations=${locations} />
      </div>
      <section class="stack" aria-labelledby="changes"><div class="heading"><h2 id="changes">What changed</h2><span class="meta">newest first</span></div><${Changes} saves=${store.saves} /></section>
    </div></div>`;
}

function Empty() {
  const lines = '[location.shop]\npython_file = "definitions.py"\nwatch = ["*.sql"]';
  return html`<div class="card"><div class="body">Name the code that holds your definitions in <code>codelocd.toml</code>:</div><pre class="text" tabindex="0" role="region" aria-label="Lines of a config">${lines}</pre></div>`;
}

/** All locations, with orders for those that a filter leaves. @param {{locations: CodeLocation[]}} props */
function Locations({ locations }) {
  const [text, set] = useState('');
  const shown = text ? locations.filter((one) => one.name.toLowerCase().includes(text.toLowerCase())) : locations;
  const running = shown.filter((one) => ordersFor(one).includes('reload')).map((one) => one.name);
  return html`<div class="heading filtered"><h2>Locations</h2><span class="count">${text ? `${shown.length} of ` : ''}${locations.length}</span>
      ${text && running.length > 0 && html`<${Orders} names=${running} primary="" />`}<span class="spring"></span>
      ${locations.length >= FILTERED_FROM ? html`<input class="field" type="search" placeholder="Filter" aria-label="Filter the table of locations" value=${text} onInput=${(/** @type {any} */ event) => set(event.target.value)} />` : html`<span class="meta">worst first</span>`}</div>
    <${Table} locations=${shown} />`;
}

/** The order does not change while the pointer, or the focus, is in it. @param {{locations: CodeLocation[]}} props */
function Table({ locations }) {
  const store = useStore();
  const now = useClock();
  const [isHeld, hold] = useState(false);
  const kept = useRef(/** @type {string[]} */ ([]));
  if (!isHeld) kept.current = locations.map((one) => one.name);
  const byName = new Map(locations.map((one) => [one.name, one]));
  const rows = kept.current.flatMap((name) => byName.get(name) ?? []).concat(locations.filter((one) => !kept.current.includes(one.name)));
  if (!rows.length) return html`<div class="card empty">Nothing fits that filter.</div>`;
  return html`<div class="card scroll-x" tabindex="0" role="region" aria-label="Table of locations" onPointerEnter=${() => hold(true)} onPointerLeave=${() => hold(false)} onFocusIn=${() => hold(true)} onFocusOut=${() => hold(false)}>
    <table class="table fold"><thead><tr><th scope="col">Name</th><th scope="col">State</th><th scope="col" class="num">Definitions</th><th scope="col">Reloads</th><th scope="col" class="num">Last</th><th scope="col" class="num">Memory</th><th scope="col" class="num">CPU</th><th scope="col" class="num">Uptime</th></tr></thead>
    <tbody>${rows.map((one) => {
      const reloads = store.reloads.get(one.name) ?? [], done = reloads.filter((each) => each.ok);
      const samples = store.usage.get(one.name) ?? [];
      const build = store.builds.get(one.name);
      const last = done.length ? done[done.length - 1].timing.total : one.load_seconds;
      return html`<tr key=${one.name}>
        <td><a class="name" href=${to.location(one.name)}><${Mark} of=${level(one)} />${visible(one.name)}</a></td>
        <td><${State} location=${one} />${build ? html` <${Progress} build=${build} />` : ''}</td>
        <td class="num wide">${definitionsOf(one) || '−'}</td>
        <td class="wide"><${Spark} values=${done.slice(-20).map((each) => each.timing.total)} label=${counted(done.length, 'reload')} /></td>
        <td class="num wide">${seconds(last)}</td>
        <td class="num wide"><${Spark} values=${samples.map((each) => each[1])} label="memory" width=${48} /> <span class="figure">${bytes(one.memory)}</span></td>
        <td class="num wide">${percent(one.cpu)}</td>
        <td class="num wide">${one.upSince == null ? '−' : age(now - one.upSince)}</td></tr>`;
    })}</tbody></table></div>`;
}

/** Saves and what they changed. @param {{saves: Save[], most?: number}} props */
export function Changes({ saves, most = SAVES }) {
  if (!saves.length) return html`<div class="card empty">Save a file, and what it changed stands here.</div>`;
  return html`<div class="card">${folded(saves).slice(0, most).map(({ save, nothing, count }) => html`<div class="save" key=${`${save.location} ${save.generation} ${save.at}`}>
    <div class="first"><a href=${to.location(save.location)}><b>${visible(save.location)}</b></a>${count > 1 ? html`<span class="quiet">${count} saves, nothing changed</span>` : html`<span class="quiet">${seconds(save.seconds ?? save.timing?.total)}</span>`}<${When} at=${save.at} /></div>
    ${nothing ? count === 1 && html`<div class="delta quiet">no definition changed</div>` : html`<${Deltas} save=${save} />`}
    ${count === 1 && html`<${Stages} timing=${save.timing} words=${true} />`}</div>`)}</div>`;
}

/** @param {{save: Save}} props */
function Deltas({ save }) {
  if (save.counts) {
    const [added, changed, removed] = save.counts;
    const words = [['add', '+', added, 'added'], ['change', '~', changed, 'changed'], ['remove', '−', removed, 'removed']];
    return html`<div class="row tight">${words.filter((one) => one[2]).map(([kind, sign, count, word]) => html`<span class=${`delta ${kind}`}><i aria-hidden="true">${sign}</i>${count} ${word}</span>`)}</div>`;
  }
  return html`<${Delta} sign="+" kind="add" rows=${save.added} /><${Delta} sign="~" kind="change" rows=${save.changed} fields=${save.fields} /><${Delta} sign="−" kind="remove" rows=${save.removed} />`;
}

/** @param {{sign: string, kind: string, rows: Row[], fields?: string[][]}} props */
function Delta({ sign, kind, rows, fields = [] }) {
  if (!rows.length) return null;
  return html`${rows.slice(0, NAMES).map((row, index) => html`<div class=${`delta ${kind}`}><i aria-hidden="true">${sign}</i><span class="hidden">${kind} </span>${kind === 'remove' ? visible(row[3]) : html`<a href=${to.definition(row)}>${visible(row[3])}</a>`} <span class="quiet">${row[2] === 'asset' ? '' : kindWord(row[2])} ${visible((fields[index] ?? []).join(', '))}</span></div>`)}
    ${rows.length > NAMES && html`<div class="delta quiet">and ${rows.length - NAMES} more</div>`}`;
}
