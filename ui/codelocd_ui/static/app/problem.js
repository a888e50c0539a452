// Why a location is not as it should be: the summary, what to try, and the user's own lines.
import { html, useState } from './html.js';
import { Copy, Mark, Orders, ordersFor, to, useAnswer } from './parts.js';
import { coloured, framesOf, ownFrame } from './frames.js';
import { level } from './stories.js';
import { clock, counted, visible, shortPath } from './format.js';
import { ask } from './connection.js';
import { store } from './store.js';

/** The code of one frame, with a caret where the mistake is. */
export function Code({ frame, folder }) {
  if (!frame) return null;
  const name = folder && frame.file.startsWith(`${folder}/`) ? frame.file.slice(folder.length + 1) : shortPath(frame.file);
  const editor = store.page.editor;
  const address = `${editor}://file${encodeURI(frame.file)}:${frame.line}`;
  return html`<div class="code" tabindex="0" role="group" aria-label=${`Code of ${visible(name)}`}>
    <div class="file" title=${visible(frame.file)}>${editor && frame.own ? html`<a href=${address} title="Open in the editor">${visible(name)}:${frame.line}</a>` : html`${visible(name)}:${frame.line}`}${frame.function ? html` <span class="quiet">in ${visible(frame.function)}</span>` : ''}</div>
    ${(frame.code ?? []).map(([number, text]) => html`<div class=${`at ${number === frame.line ? 'hit' : ''}`}><span>${number}</span><span>${coloured(text).map(([kind, piece]) => html`<span class=${kind}>${visible(piece)}</span>`)}${number === frame.line && frame.column >= 0 ? html`<div class="caret" aria-hidden="true">${' '.repeat(frame.column)}^</div>` : ''}</span></div>`)}
  </div>`;
}

/** A card that tells all of it; `open` false: one line until it is opened. */
export function Problem({ location, open = true }) {
  const [isOpen, set] = useState(open);
  const problem = location.problem;
  const { answer } = useAnswer(() => (isOpen && problem ? ask('show', { location: location.name }) : Promise.resolve(null)), [isOpen, location.name, problem?.at]);
  if (!problem) return null;
  const full = answer?.problem ?? problem;
  const frames = full.frames?.length ? full.frames : framesOf(full.detail ?? '');
  const own = ownFrame(frames);
  const others = frames.filter((one) => one !== own);
  const served = location.state === 'serving';
  const count = Object.values(location.definitions ?? {}).reduce((sum, one) => sum + one, 0);
  return html`<article class="card" aria-label=${`Problem of ${visible(location.name)}`}>
    <header>
      <span class="row"><${Mark} of=${level(location)} /></span>
      <div class="words">
        <h3><a href=${to.location(location.name)}>${visible(location.name)}</a></h3>
        <p class="summary">${visible(full.summary)}</p>
        <p class="meta">${served
          ? `Last good version still serves (generation ${location.generation}, ${counted(count, 'definition')}). Broken since ${clock(full.at)}. Save a fix and it takes over.`
          : `${location.state === 'backoff' ? 'It is tried again by itself.' : 'Nothing serves.'} Since ${clock(full.at)}.`}</p>
      </div>
      ${isOpen ? html`<div class="row"><${Copy} text=${`${full.summary}\n\n${full.detail ?? ''}`}>Copy traceback<//><${Orders} names=${[location.name]} orders=${ordersFor(location).filter((one) => one === 'reload' || one === 'start')} primary="" /></div>`
        : html`<button class="button" aria-expanded="false" onClick=${() => set(true)}>Show</button>`}
    </header>
    ${isOpen && full.remedy ? html`<div class="try"><b>Try</b><code>${visible(full.remedy)}</code><${Copy} text=${full.remedy} /></div>` : ''}
    ${isOpen && own ? html`<${Code} frame=${own} folder=${answer?.working_directory} />` : ''}
    ${isOpen && others.length ? html`<${Others} frames=${others} folder=${answer?.working_directory} />` : ''}
    ${isOpen && full.detail ? html`<${Detail} text=${full.detail} />` : ''}
  </article>`;
}

function Others({ frames, folder }) {
  const [isOpen, set] = useState(false);
  const inPackages = frames.filter((one) => !one.own).length;
  return html`<div class="code"><button class="button" style=${{ marginLeft: '16px' }} aria-expanded=${isOpen} onClick=${() => set(!isOpen)}>${inPackages === frames.length ? `${counted(frames.length, 'frame')} in packages` : `${counted(frames.length, 'more frame')}`}</button></div>
    ${isOpen && frames.map((frame) => html`<${Code} frame=${frame} folder=${folder} />`)}`;
}

function Detail({ text }) {
  const [isOpen, set] = useState(false);
  return html`<div class="code"><button class="button" style=${{ marginLeft: '16px' }} aria-expanded=${isOpen} onClick=${() => set(!isOpen)}>Whole text</button></div>
    ${isOpen && html`<pre class="text" tabindex="0">${visible(text)}</pre>`}`;
}
