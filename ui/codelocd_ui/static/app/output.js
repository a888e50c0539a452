// Lines as they are printed. At the end the view follows; scrolled up it stands still.
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from './html.js';
import { useStore } from './store.js';
import { Copy } from './parts.js';
import { Ring, firsts, lineAt, wrapped } from './ring.js';
import { plain, styled } from './ansi.js';
import { lineFilter } from './filters.js';
import { clock, counted, exactly, moment, visible } from './format.js';
import { ask, hearOutput, hearRunOutput } from './connection.js';

const LINES = 20000, HEIGHT = 18, SHOWN = 2000, DRAW = 50, SPARE = 8, FIRST = 1000, OLDER = 2000, LOOKS = 10, AROUND = 30, ROWS = 512; // more rows than any screen has, so that each is used again

/** Lines that stand still: `mark` are those that had come then, `from` the first number of each location. @typedef {{lines: Line[], mark: number, from: Record<string, number>}} Held */

/** @param {{route: Route}} props */
export function OutputPage({ route }) {
  const store = useStore();
  const [name, set] = useState(route.query.get('location') ?? '');
  const picker = html`<select class="field" aria-label="Location" value=${name} onChange=${(/** @type {any} */ event) => set(event.target.value)}><option value="">all locations</option>${[...store.locations.keys()].sort().map((one) => html`<option value=${one}>${visible(one)}</option>`)}</select>`;
  return html`<h1 class="hidden">Output</h1><${Output} key=${name} source=${ofLocations(name ? [name] : null)} picker=${picker} route=${route} />`;
}

/**
 * Where lines come from: `hear` as they are printed, `ask` those that are kept. `part`: what a rule divides them into.
 * @typedef {{name: string, several: boolean, part: string, hear: (listener: (message: {lines: any[]}) => void) => () => void, ask: (params: any) => Promise<{lines: Line[]}>}} Source
 */

/** What these locations print; null: all. @param {string[] | null} locations @returns {Source} */
export const ofLocations = (locations) => ({
  name: locations?.[0] ?? '', several: !locations || locations.length > 1, part: 'generation',
  hear: (listener) => hearOutput(locations ?? true, listener),
  ask: (params) => ask('logs', { ...(locations ? { locations } : {}), ...params }),
});

/** What a run prints. @param {Run} run @returns {Source} */
export const ofRun = ({ id, location }) => ({
  name: location, several: false, part: 'attempt',
  hear: hearRunOutput,
  ask: async ({ before, ...params }) => {
    const { lines } = await ask('run_logs', { id, ...params, ...(before ? { before: before[location] } : {}) });
    return { lines: lines.map((/** @type {any} */ line) => ({ ...line, location, generation: line.attempt ?? line.generation })) };
  },
});

/** Lines of the socket and of the method `logs` as one kind. @param {any} one @returns {Line} */
const lineOf = (one) => (Array.isArray(one) ? { seq: one[0], at: one[1], location: one[2], stream: one[3], text: one[4], generation: one[5] } : one);

/**
 * Lines, with a rule where a generation begins and where lines are missing; one that was seen is left out.
 * @param {Line[]} lines @param {Map<string, [number, number | null]>} seen of each location its last number and generation @param {string} part
 */
function ruled(lines, seen, part) {
  const fresh = [], rule = (/** @type {string} */ text, /** @type {Line} */ line) => ({ ...line, text, rule: true });
  for (const line of lines) {
    const last = seen.get(line.location);
    if (last && line.seq <= last[0]) continue;
    if (last && line.seq > last[0] + 1) fresh.push(rule(`${counted(line.seq - last[0] - 1, 'line')} skipped`, line));
    if (last && line.generation !== last[1] && line.generation != null) fresh.push(rule(`${part} ${line.generation}, ${clock(line.at)}`, line));
    seen.set(line.location, [line.seq, line.generation]);
    fresh.push(line);
  }
  return fresh;
}

/**
 * Lines from the daemon's log that came before the first ones of `from`, and fit; looks back until there are some.
 * @param {Record<string, number>} from @param {Source} source @param {object} of what else the lines are asked by @param {(line: Line) => boolean} fits
 */
async function before(from, source, of, fits) {
  /** @type {Line[]} */
  let found = [];
  let at = from, until = 0;
  for (let look = 0; look < LOOKS && !found.length; look += 1) {
    const { lines } = await source.ask({ ...of, lines: OLDER, before: at });
    if (!lines.length) return { found, from: at, until, ended: true };
    at = { ...at, ...firsts(lines) };
    until = lines[0].at;
    found = ruled(lines, new Map(), source.part).filter(fits);
    if (found.every((line) => line.rule)) found = [];
  }
  return { found, from: at, until, ended: false };
}

/**
 * The lines of a source; `changed` counts what was added.
 * @param {Source} source
 */
function useLines(source) {
  const ring = useRef(/** @type {Ring<Line>} */ (new Ring(LINES)));
  const [changed, draw] = useState(0);
  useEffect(() => {
    /** @type {Map<string, [number, number | null]>} */
    const seen = new Map();
    let timer = 0, began = false;
    /** @type {Line[]} */
    let early = [];
    const add = (/** @type {Line[]} */ lines) => {
      ring.current.push(ruled(lines, seen, source.part));
      if (!timer) timer = window.setTimeout(() => { timer = 0; draw((count) => count + 1); }, DRAW);
    };
    const stop = source.hear((message) => { const lines = message.lines.map(lineOf); if (began) add(lines); else early.push(...lines); });
    source.ask({ lines: FIRST })
      .then(({ lines }) => add(lines), () => undefined)
      .finally(() => { began = true; add(early); early = []; });
    return () => { stop(); clearTimeout(timer); };
  }, []);
  return { ring: ring.current, changed };
}

/**
 * What a source prints, with its tools.
 * @param {{source: Source, picker?: any, route: Route}} props
 */
export function Output({ source, picker, route }) {
  const { ring, changed } = useLines(source);
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const [text, setText] = useState(route.query.get('q') ?? '');
  const [stream, setStream] = useState('');
  const [wraps, wrap] = useState(false);
  const [frozen, freeze] = useState(/** @type {Held | null} */ (null));
  const [view, look] = useState([0, 60]);
  const [chosen, choose] = useState(/** @type {[Line, Line] | null} */ (null));
  const [wanted, want] = useState(Number(route.query.get('at')) || 0);
  const filter = useMemo(() => lineFilter(text), [text]);
  const total = ring.dropped + ring.length;
  const fits = (/** @type {Line} */ line) => line.rule || ((!stream || line.stream === stream) && (!filter || filter.test(line.text)));
  const live = useMemo(() => ring.filter(fits), [changed, filter, stream]);
  const lines = frozen ? frozen.lines : live;
  const { several } = source;
  const columns = Math.max(20, Math.floor(((box.current?.clientWidth ?? 1000) - (several ? 268 : 164)) / 7.2));
  const tops = useMemo(() => (wraps ? wrapped(lines, columns, SHOWN) : null), [lines, wraps, columns]);
  const rows = tops ? tops[lines.length] : lines.length;
  const topOf = (/** @type {number} */ index) => (tops ? tops[index] : index) * HEIGHT;

  const measure = () => {
    const element = box.current;
    if (!element) return;
    const first = Math.floor(element.scrollTop / HEIGHT) - SPARE, last = Math.ceil((element.scrollTop + element.clientHeight) / HEIGHT) + SPARE;
    look((now) => (now[0] === first && now[1] === last ? now : [first, last]));
  };
  useEffect(() => { if (!frozen && box.current) { box.current.scrollTop = box.current.scrollHeight; measure(); } }, [live, frozen, wraps]);
  useEffect(() => {
    const observer = new ResizeObserver(measure);
    if (box.current) observer.observe(box.current);
    return () => observer.disconnect();
  }, []);

  const held = (among = live) => ({ lines: among, mark: total, from: { ...firsts(ring.filter(() => true)), ...firsts(among) } });
  const hold = () => { if (!frozen) freeze(held()); };
  const follow = () => { freeze(null); tell({ busy: false, said: '' }); };
  const [back, tell] = useState({ busy: false, said: '' });
  const high = useRef(0); // of the box, before older lines came into it
  useLayoutEffect(() => {
    const element = box.current;
    if (element && high.current) { element.scrollTop += element.scrollHeight - high.current; high.current = 0; measure(); }
  }, [frozen]);
  const older = async () => {
    if (back.busy) return;
    const now = frozen ?? held();
    freeze(now);
    tell({ busy: true, said: '' });
    try {
      const { found, from, until, ended } = await before(now.from, source, stream ? { stream } : {}, fits);
      high.current = box.current?.scrollHeight ?? 0;
      freeze((one) => one && { ...one, from, lines: found.concat(one.lines) });
      tell({ busy: false, said: ended ? 'Nothing older is kept.' : found.length ? '' : `Nothing back to ${clock(until)}.` });
    } catch (error) { tell({ busy: false, said: /** @type {Error} */ (error).message }); }
  };
  const up = () => { hold(); if (box.current && box.current.scrollTop <= 0) older(); };
  const show = (/** @type {Line[]} */ among, /** @type {(line: Line) => boolean} */ test) => {
    const index = among.findIndex(test);
    freeze(held(among));
    requestAnimationFrame(() => { if (box.current) box.current.scrollTop = Math.max(0, topOf(index < 0 ? among.length - 1 : index) - box.current.clientHeight / 2); });
    return index < 0 ? null : among[index];
  };
  useEffect(() => { // the address names a moment
    if (!wanted || !live.length) return;
    want(0);
    const select = (/** @type {Line[]} */ among) => {
      const found = show(among, (line) => line.at >= wanted - 0.0005);
      if (found) choose([found, found]);
    };
    if (live[0].at <= wanted) { select(live); return; }
    source.ask({ lines: OLDER, since: wanted - AROUND, until: wanted + AROUND })
      .then(({ lines: there }) => select(ruled(there.concat(live.filter((line) => !line.rule)), new Map(), source.part).filter(fits)), () => select(live));
  }, [live.length > 0]);
  const refilter = (/** @type {() => void} */ change) => { freeze(null); change(); };
  const pick = (/** @type {Line} */ line, /** @type {MouseEvent} */ event) => {
    if (!getSelection()?.isCollapsed) return;
    hold();
    choose(event.shiftKey && chosen ? [chosen[0], line] : [line, line]);
    history.replaceState(null, '', addressed(route, { at: String(line.at), location: route.name === 'output' ? source.name : '' }));
  };
  const ends = chosen ? chosen.map((one) => lines.indexOf(one)).sort((a, b) => a - b) : [-1, -1];
  const selected = chosen && ends[0] >= 0 ? lines.slice(ends[0], ends[1] + 1).filter((line) => !line.rule) : [];
  const context = () => {
    const [line] = /** @type {[Line, Line]} */ (chosen);
    setText('');
    setStream('');
    show(ring.filter(() => true), (one) => one === line);
  };
  const keys = (/** @type {KeyboardEvent} */ event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (['ArrowUp', 'PageUp', 'Home'].includes(event.key)) up();
    if (event.key === 'f' || event.key === 'End') { event.preventDefault(); follow(); }
    if (event.key === 'Escape') choose(null);
  };
  const onScroll = () => {
    const element = box.current;
    if (element && frozen && !wanted && element.scrollTop + element.clientHeight >= element.scrollHeight - HEIGHT / 2 && !chosen) follow();
    measure();
  };
  const fresh = frozen ? Math.max(0, total - frozen.mark) : 0;
  const first = Math.max(0, tops ? lineAt(tops, Math.max(0, view[0])) : view[0]), last = Math.min(lines.length, (tops ? lineAt(tops, Math.max(0, view[1])) : view[1]) + 1);
  return html`<div class="tools">${picker}
      <input class="field" type="search" placeholder="text, or /expression/" aria-label="Filter lines" value=${text} onInput=${(/** @type {any} */ event) => refilter(() => setText(event.target.value))} aria-invalid=${!filter} />
      <select class="field" aria-label="Stream" value=${stream} onChange=${(/** @type {any} */ event) => refilter(() => setStream(event.target.value))}><option value="">both streams</option><option value="stdout">stdout</option><option value="stderr">stderr</option></select>
      <button type="button" class="button" aria-pressed=${!frozen} onClick=${() => (frozen ? follow() : hold())}>Follow <kbd aria-hidden="true">f</kbd></button>
      <button type="button" class="button" aria-pressed=${wraps} onClick=${() => wrap(!wraps)}>Wrap</button>
      <button type="button" class="button" onClick=${older} disabled=${back.busy} title="From the daemon's log; so does scrolling up at the top">Older</button>
      <button type="button" class="button" onClick=${() => download(lines)}>Download</button>
      ${selected.length > 0 && html`<${Copy} text=${selected.map((line) => plain(line.text)).join('\n')}>Copy ${counted(selected.length, 'line')}<//>${(text || stream) && html`<button type="button" class="button" onClick=${context}>In context</button>`}<button type="button" class="button" onClick=${() => choose(null)} aria-label="Select no line">×</button>`}
      <span class="meta">${filter ? counted(lines.length, 'line') : 'This is no expression.'}</span><span class="meta" role="status">${visible(back.said)}</span></div>
    <div class="output-frame"><div class=${`output ${wraps ? 'wraps' : ''}`} ref=${box} tabindex="0" role="log" aria-live="off" aria-label="Output" onScroll=${onScroll} onWheel=${(/** @type {WheelEvent} */ event) => event.deltaY < 0 && up()} onPointerDown=${(/** @type {PointerEvent} */ event) => event.offsetX > /** @type {HTMLElement} */ (event.currentTarget).clientWidth && hold()} onTouchMove=${up} onKeyDown=${keys}>
      <div style=${{ height: `${rows * HEIGHT}px` }}></div>
      ${lines.slice(first, last).map((line, index) => html`<${One} key=${(first + index) % ROWS} line=${line} top=${topOf(first + index)} several=${several} filter=${text ? filter : null} isChosen=${first + index >= ends[0] && first + index <= ends[1]} pick=${pick} />`)}
      ${!lines.length && html`<p class="empty">${text || stream ? 'No line fits that filter.' : 'Nothing was printed yet.'}</p>`}
    </div>
    ${fresh > 0 && html`<button type="button" class="button primary new-lines" onClick=${follow}>${counted(fresh, 'new line')} ↓</button>`}</div>`;
}

/** The address of the page with other values in its query. @param {Route} route @param {Record<string, string>} changed */
function addressed(route, changed) {
  const query = new URLSearchParams(route.query);
  for (const [name, value] of Object.entries(changed)) if (value) query.set(name, value); else query.delete(name);
  return `#/${[route.name, ...route.parts].map(encodeURIComponent).join('/')}?${query}`;
}

/** @param {Line[]} lines */
function download(lines) {
  const text = lines.filter((line) => !line.rule).map((line) => `${moment(line.at)} ${line.location} ${line.stream} ${plain(line.text)}\n`);
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob(text, { type: 'text/plain' }));
  link.download = 'output.txt';
  link.click();
  URL.revokeObjectURL(link.href);
}

/** @param {{line: Line, top: number, several: boolean, filter: ReturnType<typeof lineFilter>, isChosen: boolean, pick: (line: Line, event: MouseEvent) => void}} props */
function One({ line, top, several, filter, isChosen, pick }) {
  const [opened, open] = useState(/** @type {Line | null} */ (null)), whole = opened === line;
  const who = several ? html`<span class="who" title=${visible(line.location)}>${visible(line.location)}</span>` : '';
  if (line.rule) return html`<div class="line rule" style=${{ top: `${top}px` }}>${who}<span>${visible(line.text)}</span></div>`;
  const text = whole ? line.text : line.text.slice(0, SHOWN), more = line.text.length - SHOWN;
  const shown = (/** @type {string} */ piece) => (filter ? filter.parts(piece).map(([hit, part]) => (hit ? html`<mark>${visible(part)}</mark>` : visible(part))) : visible(piece));
  return html`<div class=${`line ${line.stream} ${isChosen ? 'chosen' : ''} ${whole ? 'whole' : ''}`} style=${{ top: `${top}px` }} onClick=${(/** @type {MouseEvent} */ event) => pick(line, event)}><span class="when" title=${moment(line.at)}>${exactly(line.at)}</span>${who}<span class="text">${styled(text).map(([style, piece]) => (style ? html`<span class=${style}>${shown(piece)}</span>` : shown(piece)))}${more > 0 && !whole ? html` <button type="button" class="link-button" onClick=${(/** @type {Event} */ event) => { event.stopPropagation(); open(line); }}>and ${more.toLocaleString('en')} more characters</button>` : ''}</span></div>`;
}
