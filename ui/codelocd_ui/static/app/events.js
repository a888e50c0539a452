// What happened, as stories: what one save led to together, crash loops folded.
import { html, useMemo, useRef, useState } from './html.js';
import { useStore, useClock, addEvents } from './store.js';
import { Mark, When, to } from './parts.js';
import { density, told } from './journal.js';
import { clock, counted, exactly, seconds, visible } from './format.js';
import { ask } from './connection.js';

const HOUR = 3600, PARTS = 120, AT_ONCE = 400, MOST = 300;

/** @param {{route: Route}} props */
export function EventsPage({ route }) {
  const store = useStore();
  const [location, setLocation] = useState(route.query.get('location') ?? '');
  const [level, setLevel] = useState(route.query.get('outcome') ?? '');
  const [span, setSpan] = useState(/** @type {[number, number] | null} */ (numbers(route.query.get('span'))));
  const [older, setOlder] = useState('');
  const all = useMemo(() => told(store.journal), [store.journal]);
  const here = all.filter((story) => (!location || story.location === location) && (!level || story.level === level));
  const shown = span ? here.filter((story) => story.head.at >= span[0] && story.first.at <= span[1]) : here;
  const note = (/** @type {Record<string, string>} */ changed) => {
    const said = { location, outcome: level, span: span ? span.join('-') : '', ...changed };
    const query = new URLSearchParams(Object.entries(said).filter(([, value]) => value)).toString();
    history.replaceState(null, '', `#/events${query ? `?${query}` : ''}`);
  };
  const select = (/** @type {[number, number] | null} */ wanted) => { setSpan(wanted); note({ span: wanted ? wanted.join('-') : '' }); };
  const more = async () => {
    const oldest = store.journal[store.journal.length - 1]?.seq;
    const { events } = await ask('events', { lines: AT_ONCE, ...(oldest ? { before: oldest } : {}) });
    setOlder(addEvents(events) ? '' : 'There are none.');
  };
  const names = [...new Set(store.journal.map((one) => one.location).filter((one) => one != null))].sort();
  return html`<div class="inside"><h1>Events</h1>
    <${Strip} stories=${here} span=${span} select=${select} />
    <div class="row"><select class="field" aria-label="Location" value=${location} onChange=${(/** @type {any} */ event) => { setLocation(event.target.value); note({ location: event.target.value }); }}><option value="">all locations</option>${names.map((one) => html`<option value=${one}>${visible(one)}</option>`)}</select>
      <select class="field" aria-label="Outcome" value=${level} onChange=${(/** @type {any} */ event) => { setLevel(event.target.value); note({ outcome: event.target.value }); }}><option value="">every outcome</option><option value="bad">failures</option><option value="ok">served</option></select>
      ${span && html`<button type="button" class="button" onClick=${() => select(null)}>${clock(span[0])} to ${clock(span[1])} ×</button>`}
      <span class="meta" role="status">${counted(shown.length, 'story', 'stories')}</span></div>
    <${Stories} stories=${shown} />
    <div class="row"><button type="button" class="button" onClick=${more}>Older</button><span class="meta" role="status">${older}</span></div></div>`;
}

/** `1700000000-1700003600` as two numbers. @param {string | null} text @returns {[number, number] | null} */
function numbers(text) {
  const [from, to] = (text ?? '').split('-').map(Number);
  return from > 0 && to > from ? [from, to] : null;
}

/**
 * How much happened in the last hour; a part of it is selected by dragging.
 * @param {{stories: Story[], span: [number, number] | null, select: (span: [number, number] | null) => void}} props
 */
function Strip({ stories, span, select }) {
  const now = useClock(10_000);
  const began = useRef(/** @type {number | null} */ (null));
  const from = now - HOUR;
  const counts = density(stories, from, now, PARTS);
  const most = Math.max(1, ...counts.map((one) => one.all));
  const moment = (/** @type {PointerEvent} */ event) => {
    const area = /** @type {HTMLElement} */ (event.currentTarget).getBoundingClientRect();
    return Math.round(from + Math.max(0, Math.min(1, (event.clientX - area.left) / area.width)) * HOUR);
  };
  const pointer = {
    onPointerDown: (/** @type {PointerEvent} */ event) => { began.current = moment(event); /** @type {HTMLElement} */ (event.currentTarget).setPointerCapture(event.pointerId); },
    onPointerMove: (/** @type {PointerEvent} */ event) => { if (began.current != null) { const at = moment(event); if (Math.abs(at - began.current) > HOUR / PARTS) select([Math.min(at, began.current), Math.max(at, began.current)]); } },
    onPointerUp: () => { began.current = null; },
  };
  const bad = counts.reduce((sum, one) => sum + one.bad, 0), total = counts.reduce((sum, one) => sum + one.all, 0);
  const place = span ? { left: `${Math.max(0, ((span[0] - from) / HOUR) * 100)}%`, width: `${Math.max(0.5, ((Math.min(now, span[1]) - Math.max(from, span[0])) / HOUR) * 100)}%` } : {};
  return html`<div class="card density"><div class="strip" role="img" aria-label=${`The last hour: ${counted(total, 'story', 'stories')}, ${bad} of them failed`} ...${pointer}>
      ${counts.map((one) => html`<i><span class="bad" style=${{ height: `${(one.bad / most) * 100}%` }}></span><span class="rest" style=${{ height: `${((one.all - one.bad) / most) * 100}%` }}></span></i>`)}
      ${span && span[1] > from && html`<div class="selected" style=${place}></div>`}</div>
    <div class="ends" aria-hidden="true"><span>${clock(from)}</span><span>drag to select</span><span>${clock(now)}</span></div></div>`;
}

/** Journal entries, newest first, told as stories. @param {{entries: Entry[]}} props */
export function EventList({ entries }) {
  return html`<${Stories} stories=${useMemo(() => told(entries), [entries[0]?.seq, entries.length])} />`;
}

/** @param {{stories: Story[]}} props */
function Stories({ stories }) {
  if (!stories.length) return html`<div class="card empty">Nothing happened.</div>`;
  return html`<ol class="card stories">${stories.slice(0, MOST).map((story) => html`<${One} key=${story.first.seq} story=${story} />`)}</ol>`;
}

/** @param {{story: Story}} props */
function One({ story }) {
  const [isOpen, set] = useState(false);
  const who = story.location == null ? 'codelocd' : story.location, run = story.first.event.startsWith('run-') ? /^run (\d+)/.exec(story.first.detail ?? '')?.[1] : null;
  return html`<li class="story"><div class="first"><${When} at=${story.first.at} /><${Mark} of=${story.level} />
      ${story.location == null ? html`<b class="who">${who}</b>` : html`<a class="who" href=${to.location(who)}><b>${visible(who)}</b></a>`}
      <span class="what">${run ? html`<a href=${to.run(Number(run))}>${visible(story.title)}</a>` : visible(story.title)}${story.count > 1 ? html` <b>${story.count} times in ${seconds(story.head.at - story.first.at)}</b>` : ''}${story.detail ? html`<span class="detail">${visible(story.detail)}</span>` : ''}</span>
      <span class="took">${story.seconds == null ? '' : seconds(story.seconds)}</span>
      <button type="button" class="open" aria-expanded=${isOpen} aria-label=${`${isOpen ? 'Hide' : 'Show'} the ${counted(story.entries.length, 'entry', 'entries')} of ${visible(who)}`} onClick=${() => set(!isOpen)}>${isOpen ? '▾' : '▸'}</button></div>
    ${isOpen && html`<ul class="entries">${story.entries.map((entry) => html`<li><span class="quiet">${exactly(entry.at)}</span> ${visible(entry.event)}${entry.before !== entry.after && entry.after ? html` <span class="quiet">${entry.before ?? '−'} → ${entry.after}</span>` : ''}${entry.generation ? html` <span class="quiet">generation ${entry.generation}</span>` : ''} ${visible(entry.detail ?? '')}</li>`)}</ul>`}</li>`;
}
