// What happened, as stories: the entries of one attempt together, crash loops folded.
import { html, useState } from './html.js';
import { useStore, addEvents } from './store.js';
import { Mark, When, to } from './parts.js';
import { outcome, told } from './stories.js';
import { visible } from './format.js';
import { ask } from './connection.js';

export function EventsPage({ route }) {
  const store = useStore();
  const [text, set] = useState(route.query.get('location') ?? '');
  const [bad, setBad] = useState(route.query.get('outcome') === 'bad');
  const entries = store.journal.filter((entry) => (!text || String(entry.location ?? '').includes(text)) && (!bad || outcome(entry.event) === 'bad'));
  const more = async () => {
    const oldest = store.journal[store.journal.length - 1]?.seq;
    const { events } = await ask('events', { lines: 400, ...(oldest ? { before: oldest } : {}) });
    addEvents(events);
  };
  return html`<div class="inside"><h1>Events</h1>
    <div class="row"><input class="field" type="search" placeholder="Location" aria-label="Filter by location" value=${text} onInput=${(event) => set(event.target.value)} /><button class="button" aria-pressed=${bad} onClick=${() => setBad(!bad)}>Failures only</button></div>
    <${EventList} entries=${entries} />
    <div><button class="button" onClick=${more}>Older</button></div></div>`;
}

/** Journal entries, newest first, told as stories. */
export function EventList({ entries }) {
  if (!entries.length) return html`<p class="empty">Nothing happened.</p>`;
  return html`<div class="card">${told(entries).slice(0, 300).map((story) => html`<${Story} key=${story.head.seq} story=${story} />`)}</div>`;
}

function Story({ story }) {
  const [isOpen, set] = useState(false);
  const worst = story.entries.some((one) => outcome(one.event) === 'bad') ? 'bad' : outcome(story.head.event);
  return html`<div class="save"><div class="first"><${Mark} of=${worst} /><b>${story.location ? html`<a href=${to.location(story.location)}>${visible(story.location)}</a>` : 'codelocd'}</b>
      <span>${visible(story.head.event.replaceAll('-', ' '))}${story.count > 1 ? ` ${story.count} times` : ''}${story.head.generation ? html` <span class="quiet">generation ${story.head.generation}</span>` : ''}</span>
      ${story.entries.length > 1 && html`<button class="button" aria-expanded=${isOpen} onClick=${() => set(!isOpen)}>${story.entries.length} entries</button>`}<${When} at=${story.head.at} /></div>
    ${story.head.detail && html`<div class="delta">${visible(story.head.detail)}</div>`}
    ${isOpen && story.entries.map((entry) => html`<div class="delta quiet">${entry.seq} ${visible(entry.event)} ${entry.before ? `${entry.before} → ${entry.after}` : ''} ${visible(entry.detail ?? '')}</div>`)}</div>`;
}
