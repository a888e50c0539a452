// Lines as they are printed. At the end the view follows; scrolled up it stands still.
import { html, useEffect, useMemo, useRef, useState } from './html.js';
import { useStore } from './store.js';
import { Ring } from './ring.js';
import { styled } from './ansi.js';
import { lineFilter } from './filters.js';
import { clock, counted, visible } from './format.js';
import { ask, hearOutput } from './connection.js';

const LINES = 20000, HEIGHT = 18, SHOWN = 2000, DRAW = 50;

export function OutputPage({ route }) {
  const store = useStore();
  const [name, set] = useState(route.query.get('location') ?? '');
  return html`<h1 class="hidden">Output</h1><${Output} key=${name} locations=${name ? [name] : null} picker=${html`<select class="field" aria-label="Location" value=${name} onChange=${(event) => set(event.target.value)}><option value="">all locations</option>${[...store.locations.keys()].sort().map((one) => html`<option value=${one}>${visible(one)}</option>`)}</select>`} />`;
}

/** The output of these locations, null: of all, with its tools. */
export function Output({ locations, picker }) {
  const ring = useRef(new Ring(LINES)), box = useRef(null), timer = useRef(0);
  const [tick, draw] = useState(0);
  const [text, setText] = useState('');
  const [stream, setStream] = useState('');
  const [follows, setFollows] = useState(true);
  const [frozen, freeze] = useState(null);
  const [view, look] = useState([0, 60]);
  const filter = useMemo(() => lineFilter(text), [text]);
  const seen = useRef(new Map());

  useEffect(() => {
    const soon = () => { if (!timer.current) timer.current = setTimeout(() => { timer.current = 0; draw((count) => count + 1); }, DRAW); };
    const add = (lines) => {
      const fresh = [];
      for (const line of lines) {
        const last = seen.current.get(line[2]);
        if (last && line[0] <= last[0]) continue;
        if (last && line[0] > last[0] + 1) fresh.push(rule(`${counted(line[0] - last[0] - 1, 'line')} of ${line[2]} skipped`, line));
        if (last && line[5] !== last[1] && line[5] != null) fresh.push(rule(`generation ${line[5]}, ${clock(line[1])}`, line));
        seen.current.set(line[2], [line[0], line[5]]);
        fresh.push(line);
      }
      ring.current.push(fresh);
      soon();
    };
    let early = [], began = false;
    const stop = hearOutput(locations ?? true, (message) => { if (began) add(message.lines); else early.push(...message.lines); });
    ask('logs', { lines: 1000, ...(locations ? { locations } : {}) })
      .then(({ lines }) => add(lines.map((one) => [one.seq, one.at, one.location, one.stream, one.text, one.generation])), () => undefined)
      .finally(() => { began = true; add(early); early = []; });
    return () => { stop(); clearTimeout(timer.current); timer.current = 0; };
  }, []);

  const live = useMemo(() => (filter ? ring.current.filter((line) => line.rule || ((!stream || line[3] === stream) && filter.test(line[4]))) : []), [tick, filter, stream]);
  const lines = follows || !frozen ? live : frozen;
  const fresh = frozen && !follows ? Math.max(0, ring.current.dropped + ring.current.length - frozen.mark) : 0;
  useEffect(() => { if (follows && box.current) { box.current.scrollTop = box.current.scrollHeight; measure(); } }, [live, follows]);

  const measure = () => {
    const element = box.current;
    const first = Math.max(0, Math.floor(element.scrollTop / HEIGHT) - 5);
    const last = Math.ceil((element.scrollTop + element.clientHeight) / HEIGHT) + 5;
    look((now) => (now[0] === first && now[1] === last ? now : [first, last]));
  };
  const hold = () => { if (!follows) return; const kept = live.slice(); kept.mark = ring.current.dropped + ring.current.length; freeze(kept); setFollows(false); };
  const onScroll = () => {
    const element = box.current;
    const atEnd = element.scrollTop + element.clientHeight >= element.scrollHeight - HEIGHT;
    if (atEnd && !follows) follow();
    measure();
  };
  const follow = () => { freeze(null); setFollows(true); };
  const keys = (event) => {
    if (['ArrowUp', 'PageUp', 'Home'].includes(event.key)) hold();
    if (event.key === 'f' || event.key === 'End') { event.preventDefault(); follow(); }
  };
  const download = () => {
    const text = lines.filter((line) => !line.rule).map((line) => `${new Date(line[1] * 1000).toISOString()} ${line[2]} ${line[3]} ${line[4]}`).join('\n');
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([text, '\n'], { type: 'text/plain' }));
    link.download = 'output.txt';
    link.click();
    URL.revokeObjectURL(link.href);
  };
  const [first, last] = view;
  const several = !locations || locations.length > 1;
  return html`<div class="tools">${picker}
      <input class="field" type="search" placeholder="text, or /expression/" aria-label="Filter lines" value=${text} onInput=${(event) => setText(event.target.value)} aria-invalid=${!filter} />
      <select class="field" aria-label="Stream" value=${stream} onChange=${(event) => setStream(event.target.value)}><option value="">both streams</option><option value="stdout">stdout</option><option value="stderr">stderr</option></select>
      <button class="button" aria-pressed=${follows} onClick=${() => (follows ? hold() : follow())}>${follows ? 'Following' : 'Follow'} <kbd>f</kbd></button>
      <button class="button" onClick=${download}>Download</button>
      <span class="meta">${counted(lines.length, 'line')}${ring.current.dropped ? `, older ones are in the log` : ''}</span></div>
    <div class="output" ref=${box} tabindex="0" role="log" aria-live="off" aria-label="Output" onScroll=${onScroll} onWheel=${(event) => event.deltaY < 0 && hold()} onKeyDown=${keys}>
      <div style=${{ height: `${lines.length * HEIGHT}px` }}></div>
      ${lines.slice(first, last).map((line, index) => html`<${Line} key=${line.rule ? `r${first + index}` : `${line[2]} ${line[0]}`} line=${line} top=${(first + index) * HEIGHT} several=${several} filter=${text ? filter : null} />`)}
    </div>
    ${fresh > 0 && html`<button class="button primary new-lines" onClick=${follow}>${counted(fresh, 'new line')} ↓</button>`}`;
}

const rule = (text, line) => ({ rule: text, 2: line[2], 4: '' });

function Line({ line, top, several, filter }) {
  const [whole, set] = useState(false);
  if (line.rule) return html`<div class="line rule" style=${{ top: `${top}px` }}>${several ? html`<span class="who">${visible(line[2])}</span>` : ''}<span>${visible(line.rule)}</span></div>`;
  const text = whole ? line[4] : line[4].slice(0, SHOWN);
  return html`<div class=${`line ${line[3]}`} style=${{ top: `${top}px` }}><span class="when">${clock(line[1])}</span>${several ? html`<span class="who" title=${visible(line[2])}>${visible(line[2])}</span>` : ''}<span class="text">${styled(text).map(([style, piece]) => html`<span class=${style}>${filter ? filter.parts(piece).map(([hit, part]) => (hit ? html`<mark>${visible(part)}</mark>` : visible(part))) : visible(piece)}</span>`)}${line[4].length > SHOWN && !whole ? html` <button class="button" onClick=${() => set(true)}>and ${(line[4].length - SHOWN).toLocaleString('en')} more characters</button>` : ''}</span></div>`;
}
