// Starts a job or an asset: a dialog for what the run is given, then its page.
import { html, useLayoutEffect, useRef, useState } from './html.js';
import { Overlay } from './overlay.js';
import { mayOrder } from './runparts.js';
import { useStore } from './store.js';
import { to, useAnswer } from './parts.js';
import { parametersOf, runsIt, tagsIn } from './runstates.js';
import { kindWord } from './parts.js';
import { visible, words } from './format.js';
import { ask, runOrder } from './connection.js';

/** Whether the daemon runs it: what is Dagster's only where something has run, so that nothing new stands beside Dagster's page unasked. @param {ReturnType<typeof useStore>} store @param {Startable} what @param {any} [shown] what `show` says of it */
export const canStart = (store, what, shown) => store.page.runs && (what.kind === 'job' || what.kind === 'asset') && runsIt(store.locations.get(what.location)?.loader, store.runs.size > 0) && !shown?.external;

/** A button that asks what the run is given. @param {{what: Startable, shown: any}} props */
export function Start({ what, shown }) {
  const store = useStore();
  const [isOpen, open] = useState(false);
  if (!canStart(store, what, shown) || !mayOrder()) return null;
  return html`<button type="button" class="button primary" data-order="run" onClick=${() => open(true)}>${what.kind === 'job' ? 'Run' : 'Make'} <kbd aria-hidden="true">x</kbd></button>${isOpen && html`<${StartDialog} what=${what} shown=${shown} close=${() => open(false)} />`}`;
}

/** The object that the text is; null: it is empty, undefined: it is none. @param {string} text */
function parsedConfig(text) {
  if (!text.trim()) return null;
  try {
    const config = JSON.parse(text);
    return config && typeof config === 'object' && !Array.isArray(config) ? config : undefined;
  } catch { return undefined; }
}

/** What a field of this type takes. @type {Record<string, string>} */
const FORMS = { date: '2026-11-29', datetime: '2026-11-29T06:00', int: '1', float: '0.5' };

/** What `show` says, with the parameters of the assets that a job makes. @param {Startable} what @param {any} [shown] */
async function asked({ location, repository, kind, name }, shown) {
  const found = shown ?? await ask('show', { location, repository, kind, name });
  if (kind !== 'job' || !found.assets?.length) return found;
  const { definitions } = await ask('definitions', { locations: [location], kind: 'asset' });
  return { ...found, parameters: parametersOf(found, definitions.filter((/** @type {any} */ one) => one.repository === repository)) };
}

/** @param {{what: Startable, shown?: any, close: () => void}} props shown: what `show` says of it, if that is known */
export function StartDialog({ what, shown, close }) {
  const { location, repository, kind, name } = what;
  const { answer, error } = useAnswer(() => asked(what, shown), []);
  const [values, set] = useState(/** @type {Record<string, string>} */ ({}));
  const [tags, setTags] = useState(''), [settings, setSettings] = useState(''), [upstream, setUpstream] = useState(false), [checks, setChecks] = useState('with');
  const [state, tell] = useState({ doing: false, said: '' });
  const form = useRef(/** @type {HTMLFormElement | null} */ (null));
  useLayoutEffect(() => { /** @type {HTMLElement | null | undefined} */ (form.current?.querySelector('input, textarea, button[type=submit]'))?.focus(); }, [Boolean(answer)]);
  const known = answer ?? shown, isDagsters = useStore().locations.get(location)?.loader === 'dagster';
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    tell({ doing: true, said: '' });
    const config = parsedConfig(settings);
    if (config === undefined) { tell({ doing: false, said: 'The run config is no JSON object.' }); return; }
    const params = Object.fromEntries(Object.entries(values).filter(([, value]) => value !== ''));
    try {
      const { id } = await runOrder('run', { location, repository, names: [name], ...(kind === 'asset' && !isDagsters ? { upstream, checks } : {}), params, ...(config ? { config } : {}), tags: tagsIn(tags) });
      close();
      window.location.hash = to.run(id).slice(1);
    } catch (reason) { tell({ doing: false, said: /** @type {Error} */ (reason).message }); }
  };
  return html`<${Overlay} close=${close} label=${`${kind === 'job' ? 'Run' : 'Make'} ${visible(name)}`}><form class="body stack start" ref=${form} onSubmit=${submit}>
    <h2>${kind === 'job' ? 'Run' : 'Make'} ${visible(name)}</h2><p class="meta">${kindWord(kind)} of ${visible(location)}, with the code that it serves now</p>
    ${(known?.parameters ?? []).map((/** @type {any} */ one) => html`<label class="stack" key=${one.name}><span>${visible(one.name)} <span class="quiet">${visible(one.type ?? '')}</span></span>
      ${one.type === 'bool' ? html`<select class="field" value=${values[one.name] ?? ''} onChange=${(/** @type {any} */ event) => set({ ...values, [one.name]: event.target.value })}><option value="">${one.default == null ? 'default' : `default: ${words(one.default)}`}</option><option value="true">yes</option><option value="false">no</option></select>`
        : html`<input class="field" autocomplete="off" spellcheck="false" placeholder=${one.default == null ? FORMS[one.type] ?? '' : `${one.default}`} value=${values[one.name] ?? ''} onInput=${(/** @type {any} */ event) => set({ ...values, [one.name]: event.target.value })} />`}</label>`)}
    ${isDagsters && html`<label class="stack"><span>Run config <span class="quiet">as JSON</span></span><textarea class="field mono" rows="4" spellcheck="false" value=${settings} onInput=${(/** @type {any} */ event) => setSettings(event.target.value)}></textarea></label>`}
    <label class="stack"><span>Tags <span class="quiet">name=value, with spaces between</span></span><input class="field" autocomplete="off" spellcheck="false" value=${tags} onInput=${(/** @type {any} */ event) => setTags(event.target.value)} /></label>
    ${kind === 'asset' && !isDagsters && html`<label class="row"><input type="checkbox" checked=${upstream} onChange=${(/** @type {any} */ event) => setUpstream(event.target.checked)} /> Make what it is made from, too</label>
      <label class="row">Checks <select class="field" value=${checks} onChange=${(/** @type {any} */ event) => setChecks(event.target.value)}><option value="with">after the asset</option><option value="without">none</option><option value="only">checks alone</option></select></label>`}
    ${(state.said || error) && html`<p class="outcome bad" role="alert">${visible(state.said || error?.message)}</p>`}
    <div class="row"><button type="submit" class="button primary" data-order="run-now" disabled=${state.doing}>${state.doing ? 'Starting…' : kind === 'job' ? 'Run' : 'Make'}</button><button type="button" class="button" onClick=${close}>Close</button></div></form><//>`;
}
