// The first page: what needs attention, what the last saves changed, and all locations.
import { html, useEffect, useState, useRef } from './html.js';
import { useStore, useClock } from './store.js';
import { Mark, State, Stages, Spark, When, to } from './parts.js';
import { Problem } from './problem.js';
import { folded, headline, level, worstFirst } from './stories.js';
import { age, bytes, counted, percent, seconds, visible } from './format.js';
import { want } from './connection.js';

const OPEN_PROBLEMS = 2;

export function Overview() {
  const store = useStore();
  useEffect(() => { want({ usage: true }); return () => want({ usage: false }); }, []);
  const locations = [...store.locations.values()].sort(worstFirst);
  const broken = locations.filter((one) => one.problem && ['bad', 'warn', 'busy'].includes(level(one)));
  const serving = locations.filter((one) => one.state === 'serving').length;
  const last = store.saves.find((one) => one.seconds != null);
  if (!locations.length) return html`<div class="inside"><h1>${headline(locations)}</h1><${Empty} /></div>`;
  return html`<div class="inside">
    <header><h1>${headline(locations)}</h1>
      <p><b>${serving} of ${locations.length}</b> serving · <b>${(store.count ?? 0).toLocaleString('en')}</b> definitions${last ? html` · last save served in <b>${seconds(last.seconds)}</b>` : ''}</p></header>
    <nav class="segments" aria-label="Locations, worst first">${locations.map((one) => html`<a class=${level(one)} href=${to.location(one.name)} title=${visible(one.name)} aria-label=${visible(one.name)}></a>`)}</nav>
    ${store.daemon?.config?.state === 'invalid' && html`<div class="card"><header><${Mark} of="warn" /><div class="words"><h3>The config has mistakes and is not applied</h3><p class="summary">${visible(store.daemon.config.problem)}</p></div></header></div>`}
    <div class="columns">
      <div class="stack">
        ${broken.length > 0 && html`<div class="heading"><h2>Needs attention</h2><span class="count">${broken.length}</span></div>
          ${broken.map((one, index) => html`<${Problem} key=${one.name} location=${one} open=${index < OPEN_PROBLEMS} />`)}`}
        <div class="heading"><h2>Locations</h2><span class="count">${locations.length}</span><span class="meta">worst first</span></div>
        <${Locations} locations=${locations} />
      </div>
      <section class="stack" aria-labelledby="changes"><div class="heading"><h2 id="changes">What changed</h2><span class="meta">newest first</span></div><${Changes} saves=${store.saves} /></section>
    </div></div>`;
}

function Empty() {
  const lines = '[location.shop]\npython_file = "definitions.py"';
  return html`<div class="card"><div class="body">Name the code that holds your definitions in <code>codelocd.toml</code>:</div><pre class="text">${lines}</pre></div>`;
}

/** All locations; the order does not change while the pointer is over them. */
export function Locations({ locations }) {
  const store = useStore();
  const now = useClock();
  const [isOver, over] = useState(false);
  const kept = useRef([]);
  if (!isOver) kept.current = locations.map((one) => one.name);
  const byName = new Map(locations.map((one) => [one.name, one]));
  const rows = kept.current.map((name) => byName.get(name)).filter(Boolean).concat(locations.filter((one) => !kept.current.includes(one.name)));
  return html`<div class="card scroll-x" tabindex="0" role="region" aria-label="Locations" onPointerEnter=${() => over(true)} onPointerLeave=${() => over(false)}>
    <table class="table fold"><thead><tr><th scope="col">Name</th><th scope="col">State</th><th scope="col" class="num">Definitions</th><th scope="col">Reloads</th><th scope="col" class="num">Last</th><th scope="col">Memory</th><th scope="col" class="num">CPU</th><th scope="col" class="num">Uptime</th></tr></thead>
    <tbody>${rows.map((one) => {
      const reloads = store.reloads.get(one.name) ?? [];
      const samples = store.usage.get(one.name) ?? [];
      const count = Object.values(one.definitions ?? {}).reduce((sum, each) => sum + each, 0);
      const build = store.builds.get(one.name);
      return html`<tr key=${one.name}>
        <td><a class="name" href=${to.location(one.name)}><${Mark} of=${level(one)} />${visible(one.name)}</a></td>
        <td><${State} location=${one} />${build ? html` <span class="meta">${visible(build.message)}${build.total ? ` ${build.done}/${build.total}` : ''}</span>` : ''}</td>
        <td class="num wide">${count || '−'}</td>
        <td class="wide"><${Spark} values=${reloads.map((each) => each.timing.total)} label=${`${reloads.length} reloads`} /></td>
        <td class="num wide">${reloads.length ? seconds(reloads[reloads.length - 1].timing.total) : '−'}</td>
        <td class="wide"><${Spark} values=${samples.map((each) => each[1])} label="memory" width=${48} /> ${bytes(one.memory)}</td>
        <td class="num wide">${percent(one.cpu)}</td>
        <td class="num wide">${one.upSince == null ? '−' : age(now - one.upSince)}</td></tr>`;
    })}</tbody></table></div>`;
}

/** Saves and what they changed. */
export function Changes({ saves, most = 12 }) {
  if (!saves.length) return html`<div class="card empty">Save a file and what it changed stands here.</div>`;
  return html`<div class="card">${folded(saves).slice(0, most).map(({ save, nothing, count }) => html`<div class="save" key=${`${save.location} ${save.generation}`}>
    <div class="first"><a href=${to.location(save.location)}><b>${visible(save.location)}</b></a>${count > 1 ? html`<span class="quiet">${count} saves, nothing changed</span>` : html`<span class="quiet">${seconds(save.seconds ?? save.timing?.total)}</span>`}<${When} at=${save.at} /></div>
    ${nothing ? count === 1 && html`<div class="delta quiet">no definition changed</div>` : html`<${Delta} sign="+" kind="add" rows=${save.added} /><${Delta} sign="~" kind="change" rows=${save.changed} fields=${save.fields} /><${Delta} sign="−" kind="remove" rows=${save.removed} />`}
    <${Stages} timing=${save.timing} words=${!nothing || count === 1} /></div>`)}</div>`;
}

function Delta({ sign, kind, rows, fields = [] }) {
  if (!rows.length) return null;
  return html`${rows.slice(0, 4).map((row, index) => html`<div class=${`delta ${kind}`}><i aria-hidden="true">${sign}</i>${kind === 'remove' ? visible(row[3]) : html`<a href=${to.definition(row)}>${visible(row[3])}</a>`} <span class="quiet">${row[2] === 'asset' ? '' : row[2].replace('_', ' ')} ${(fields[index] ?? []).join(', ')}</span></div>`)}
    ${rows.length > 4 && html`<div class="delta quiet">and ${counted(rows.length - 4, 'more')}</div>`}`;
}
