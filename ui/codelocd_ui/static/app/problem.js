// Why a location is not as it should be: the summary, what to try, and the user's own lines.
import { html, useState } from './html.js';
import { Copy, Mark, Orders, editorLink, ordersFor, to, useAnswer } from './parts.js';
import { coloured, framesOf, ownFrame } from './frames.js';
import { definitionsOf, level, pasteOf } from './stories.js';
import { clock, counted, visible, shortPath } from './format.js';
import { ask } from './connection.js';

/** The code of one frame, with a caret where the mistake is. @param {{frame: Frame, folder?: string}} props */
export function Code({ frame, folder }) {
  const name = folder && frame.file.startsWith(`${folder}/`) ? frame.file.slice(folder.length + 1) : shortPath(frame.file);
  const address = frame.own ? editorLink(frame.file, frame.line) : undefined;
  const text = `${visible(name)}:${frame.line}`;
  return html`<div class="code" tabindex="0" role="group" aria-label=${`Code of ${text}`}>
    <div class="file" title=${visible(frame.file)}>${address ? html`<a href=${address} title="Open in the editor">${text}</a>` : text}${frame.function ? html` <span class="quiet">in ${visible(frame.function)}</span>` : ''}</div>
    ${(frame.code ?? []).map(([number, line]) => html`<div class=${`at ${number === frame.line ? 'hit' : ''}`}><span>${number}</span><span>${coloured(line).map(([kind, piece]) => html`<span class=${kind}>${visible(piece)}</span>`)}${number === frame.line && frame.column != null && frame.column >= 0 ? html`<div class="caret" aria-hidden="true">${' '.repeat(frame.column)}^</div>` : ''}</span></div>`)}
  </div>`;
}

/** The summary without the remedy, which stands below it. @param {ProblemDocument} problem */
function short({ summary, remedy }) {
  return remedy && summary.endsWith(remedy) ? summary.slice(0, -remedy.length).replace(/[;,\s]+$/, '') : summary;
}

/**
 * A card that tells all of it. `open` false: one line until it is opened. `here`: on the location's own page,
 * which has its name and its orders already.
 * @param {{location: CodeLocation, open?: boolean, here?: boolean}} props
 */
export function Problem({ location, open = true, here = false }) {
  const [isOpen, set] = useState(open);
  const problem = location.problem;
  const { answer } = useAnswer(() => (isOpen && problem ? ask('show', { location: location.name }) : Promise.resolve(null)), [isOpen, location.name, problem?.at]);
  if (!problem) return null;
  /** @type {ProblemDocument} */
  const full = answer?.problem ?? problem;
  const folder = answer?.working_directory;
  const orders = ordersFor(location).filter((one) => one === 'reload' || one === 'start');
  return html`<article class=${`card problem ${isOpen ? '' : 'closed'}`} aria-label=${`Problem of ${visible(location.name)}`}>
    <header>
      <${Mark} of=${level(location)} />
      <div class="words">
        ${!here && html`<h3><a href=${to.location(location.name)}>${visible(location.name)}</a></h3>`}
        <p class="summary">${visible(short(full))}</p>
        ${isOpen && html`<p class="meta">${since(location, full)}</p>`}
      </div>
      <div class="row actions">${isOpen ? html`<${Copy} text=${`${full.summary}\n\n${full.detail ?? ''}`}>Copy traceback<//>${!here && html`<${Orders} names=${[location.name]} orders=${orders} primary="" />`}`
        : html`<button type="button" class="button" aria-expanded="false" aria-label=${`Show the problem of ${visible(location.name)}`} onClick=${() => set(true)}>Show</button>`}</div>
    </header>
    ${isOpen && full.remedy ? html`<div class="try"><b>Try</b><code>${visible(full.remedy)}</code><${Copy} text=${pasteOf(full.remedy)} label="Copy what to try" /></div>` : ''}
    ${isOpen ? html`<${Traced} problem=${full} folder=${folder} />` : ''}
  </article>`;
}

/** Where it happened: the user's innermost frame, the others folded. @param {{problem: ProblemDocument, folder?: string}} props */
export function Traced({ problem, folder }) {
  const frames = problem.frames?.length ? problem.frames : framesOf(problem.detail ?? ''), own = ownFrame(frames);
  return html`${own ? html`<${Code} frame=${own} folder=${folder} />` : ''}<${More} frames=${frames.filter((one) => one !== own)} folder=${folder} detail=${problem.detail ?? ''} />`;
}

/** What serves, and since when it is so. @param {CodeLocation} location @param {ProblemDocument} problem */
function since(location, problem) {
  if (location.state === 'serving') return `Last good version still serves (generation ${location.generation}, ${counted(definitionsOf(location), 'definition')}). Broken since ${clock(problem.at)}. Save a fix and it takes over.`;
  return `${location.state === 'backoff' ? 'It is tried again by itself.' : 'Nothing serves. Save a fix and it is tried again.'} Since ${clock(problem.at)}.`;
}

/** The other frames, and the text as it was written; folded. @param {{frames: Frame[], folder?: string, detail: string}} props */
function More({ frames, folder, detail }) {
  const [shown, show] = useState('');
  const inPackages = frames.filter((one) => !one.own).length;
  const turn = (/** @type {string} */ what) => () => show(shown === what ? '' : what);
  if (!frames.length && !detail) return null;
  return html`<div class="more">
      ${frames.length > 0 && html`<button type="button" class="button" aria-expanded=${shown === 'frames'} onClick=${turn('frames')}>${inPackages === frames.length ? `${counted(frames.length, 'frame')} in packages` : `${counted(frames.length, 'more frame')}`}</button>`}
      ${detail && html`<button type="button" class="button" aria-expanded=${shown === 'text'} onClick=${turn('text')}>Whole text</button>`}
    </div>
    ${shown === 'frames' && frames.map((frame) => html`<${Code} frame=${frame} folder=${folder} />`)}
    ${shown === 'text' && html`<pre class="text" tabindex="0" role="region" aria-label="Whole text">${visible(detail)}</pre>`}`;
}
