// The graph as a list, which does all that the picture does: locations, their assets, and up and down from one.
import { html, useState } from './html.js';
import { Mark, to } from './parts.js';
import { store } from './store.js';
import { level } from './stories.js';
import { counted, visible } from './format.js';

const MOST = 300;

/** @param {string} name @returns {Level} */
export function levelOf(name) {
  const location = store.locations.get(name);
  return location ? level(location) : 'off';
}

/** @param {{picture: Picture, chosen: Asset | null, related: Set<Asset> | null, direction: string, choose: (asset: Asset | null) => void, turn: (direction: string) => void}} props */
export function Outline({ picture, chosen, related, direction, choose, turn }) {
  return html`<aside class="outline" aria-label="Outline">
    ${chosen ? html`<${Chosen} asset=${chosen} picture=${picture} related=${related} direction=${direction} choose=${choose} turn=${turn} />` : html`<h2>Locations</h2><ul class="tree">${picture.boxes.map((box) => html`<${Branch} key=${box.name} box=${box} choose=${choose} />`)}</ul>`}</aside>`;
}

/** @param {{box: Box, choose: (asset: Asset) => void}} props */
function Branch({ box, choose }) {
  const [isOpen, set] = useState(false);
  return html`<li><button type="button" class="branch" aria-expanded=${isOpen} onClick=${() => set(!isOpen)}><${Mark} of=${levelOf(box.name)} /><b>${visible(box.name)}</b><span class="quiet">${box.assets.length}</span></button>
    ${isOpen && html`<ul>${box.assets.slice(0, MOST).map((asset) => html`<li key=${asset.id}><button type="button" class="link-button" onClick=${() => choose(asset)}>${visible(asset.name)}</button></li>`)}${box.assets.length > MOST && html`<li class="quiet">and ${box.assets.length - MOST} more: find them above</li>`}</ul>`}</li>`;
}

/** @param {{asset: Asset, picture: Picture, related: Set<Asset> | null, direction: string, choose: (asset: Asset | null) => void, turn: (direction: string) => void}} props */
function Chosen({ asset, picture, related, direction, choose, turn }) {
  const up = picture.edges.filter(([, target]) => target === asset).map(([from]) => from);
  const down = picture.edges.filter(([from]) => from === asset).map(([, target]) => target);
  const ghosts = picture.ghosts.get(asset.id) ?? [];
  const list = (/** @type {string} */ title, /** @type {Asset[]} */ nodes, /** @type {string[]} */ missing) => html`<h3>${title}</h3><ul>${nodes.map((one) => html`<li key=${one.id}><button type="button" class="link-button" onClick=${() => choose(one)}>${visible(one.name)}</button>${one.location !== asset.location ? html` <span class="quiet">${visible(one.location)}</span>` : ''}</li>`)}${missing.map((key) => html`<li>${visible(key)} <span class="quiet">no location makes it</span></li>`)}${!nodes.length && !missing.length && html`<li class="quiet">nothing</li>`}</ul>`;
  const only = (/** @type {string} */ which, /** @type {string} */ words, /** @type {string} */ key) => html`<button type="button" class="button" aria-pressed=${direction === which} onClick=${() => turn(direction === which ? 'both' : which)}>${words} <kbd aria-hidden="true">${key}</kbd></button>`;
  return html`<div class="row"><span class="quiet">${visible(asset.location)}${asset.group ? ` · ${visible(asset.group)}` : ''}</span><span class="spring"></span><button type="button" class="button" aria-label="Select no asset" onClick=${() => choose(null)}>×</button></div>
    <h2 class="chosen-name">${visible(asset.name)}</h2>
    <div class="row"><a class="button" href=${to.definition(asset.row)}>Definition</a><a class="button" href=${to.location(asset.location)}>Location</a></div>
    <div class="row">${only('up', 'Upstream only', 'u')}${only('down', 'Downstream only', 'd')}</div>
    <p class="meta">${counted((related?.size ?? 1) - 1, 'asset')} ${direction === 'up' ? 'upstream' : direction === 'down' ? 'downstream' : 'up- and downstream'}</p>
    ${direction !== 'down' && list('Made from', up, ghosts)}${direction !== 'up' && list('Used by', down, [])}`;
}
