// How assets hang together across locations: locations first, each opened in place.
import { html, useEffect, useMemo, useRef, useState } from './html.js';
import { useStore, keyOf } from './store.js';
import { Mark, to } from './parts.js';
import { arranged, lineage, Cells } from './layout.js';
import { found } from './filters.js';
import { level } from './stories.js';
import { counted, visible } from './format.js';

const ALL_OPEN = 150, CARDS_FROM = 0.45, LEAST = 0.02, MOST = 1.5, MANY_EDGES = 5000;

export function GraphPage({ route }) {
  const store = useStore();
  const [focusLocation, focusAsset] = route.parts;
  const assets = store.rows.filter((row) => row[2] === 'asset').length;
  const [open, setOpen] = useState(() => new Set((route.query.get('open') ?? '').split(',').filter(Boolean).concat(focusLocation ? [focusLocation] : [])));
  const everything = assets <= ALL_OPEN && !open.size;
  const names = useMemo(() => new Set(everything ? store.rows.map((row) => row[0]) : open), [everything, open, store.rows]);
  const picture = useMemo(() => arranged(store.rows, names), [store.rows, names]);
  const [chosen, choose] = useState(null);
  const [direction, setDirection] = useState(route.query.get('dir') ?? 'both');
  const [text, setText] = useState('');
  const [camera, setCamera] = useState(null);
  const box = useRef(null), canvas = useRef(null);
  const narrow = matchMedia('(max-width: 899px)').matches;

  const related = useMemo(() => {
    const asset = chosen && picture.assets.find((one) => one.id === chosen);
    return asset ? lineage(picture.edges, asset, direction) : null;
  }, [chosen, direction, picture]);

  const fit = () => {
    const { clientWidth: width, clientHeight: height } = box.current;
    const zoom = Math.max(LEAST, Math.min(1, (width - 48) / (picture.width || 1), (height - 48) / (picture.height || 1)));
    setCamera({ zoom, x: (width - picture.width * zoom) / 2, y: (height - picture.height * zoom) / 2 });
  };
  const fly = (node, zoom = 1) => {
    const { clientWidth: width, clientHeight: height } = box.current;
    setCamera({ zoom, x: width / 2 - (node.x + node.width / 2) * zoom, y: height / 2 - (node.y + node.height / 2) * zoom });
  };
  useEffect(() => {
    if (!box.current || !picture.boxes.length || camera) return;
    const asset = focusAsset && picture.assets.find((one) => one.location === focusLocation && one.name === focusAsset);
    const location = focusLocation && picture.boxes.find((one) => one.name === focusLocation);
    if (asset) { choose(asset.id); fly(asset); } else if (location) fly(location, Math.min(1, box.current.clientWidth / (location.width + 100))); else fit();
  }, [picture, camera]);

  const toggle = (one) => {
    const next = new Set(everything ? picture.boxes.map((each) => each.name) : open);
    if (next.has(one.name)) next.delete(one.name); else next.add(one.name);
    const moved = arranged(store.rows, next).boxes.find((each) => each.name === one.name);
    setOpen(next);
    setCamera((now) => ({ ...now, x: now.x + (one.x - moved.x) * now.zoom, y: now.y + (one.y - moved.y) * now.zoom }));
    history.replaceState(null, '', `#/graph?open=${[...next].map(encodeURIComponent).join(',')}`);
  };

  const cells = useMemo(() => {
    const made = new Cells();
    for (const line of linesOf(picture)) made.add(line, Math.min(line.x1, line.x2), Math.min(line.y1, line.y2), Math.max(line.x1, line.x2), Math.max(line.y1, line.y2));
    return made;
  }, [picture]);
  useEffect(() => { if (camera && canvas.current) draw(canvas.current, box.current, camera, picture, cells, related, store); }, [camera, picture, related, store.link, document.documentElement.dataset.theme]);
  useEffect(() => {
    if (!box.current) return undefined;
    const observer = new ResizeObserver(() => setCamera((now) => now && { ...now }));
    observer.observe(box.current);
    return () => observer.disconnect();
  }, []);

  const zoomAt = (factor, x, y) => setCamera((now) => {
    const zoom = Math.max(LEAST, Math.min(MOST, now.zoom * factor));
    return { zoom, x: x - ((x - now.x) / now.zoom) * zoom, y: y - ((y - now.y) / now.zoom) * zoom };
  });
  const onWheel = (event) => {
    event.preventDefault();
    const area = box.current.getBoundingClientRect();
    if (event.ctrlKey || event.metaKey) zoomAt(Math.exp(-event.deltaY / 200), event.clientX - area.left, event.clientY - area.top);
    else setCamera((now) => ({ ...now, x: now.x - event.deltaX, y: now.y - event.deltaY }));
  };
  useEffect(() => {
    const element = box.current;
    element?.addEventListener('wheel', onWheel, { passive: false });
    return () => element?.removeEventListener('wheel', onWheel);
  });
  const drag = useRef(null);
  const pointer = {
    onPointerDown: (event) => { if (event.target === canvas.current) { drag.current = [event.clientX, event.clientY, false]; event.currentTarget.setPointerCapture(event.pointerId); } },
    onPointerMove: (event) => {
      if (!drag.current) return;
      const [x, y] = drag.current;
      drag.current = [event.clientX, event.clientY, true];
      setCamera((now) => ({ ...now, x: now.x + event.clientX - x, y: now.y + event.clientY - y }));
    },
    onPointerUp: (event) => {
      const moved = drag.current?.[2];
      drag.current = null;
      if (event.target === canvas.current && moved === false) choose(null);
    },
  };
  const hits = text ? found(picture.assets.map((one) => ({ text: one.name, one })), text, 8) : [];
  const jump = (one) => {
    setText('');
    if (!names.has(one.location)) setOpen(new Set([...names, one.location]));
    choose(one.id);
    const target = arranged(store.rows, new Set([...names, one.location])).assets.find((each) => each.id === one.id);
    fly(target);
  };
  const keys = (event) => {
    if (event.key === 'u') setDirection(direction === 'up' ? 'both' : 'up');
    if (event.key === 'd') setDirection(direction === 'down' ? 'both' : 'down');
    if (event.key === 'Escape') choose(null);
    const at = chosen && picture.assets.find((one) => one.id === chosen);
    if (!at || !event.key.startsWith('Arrow')) return;
    event.preventDefault();
    const next = neighbour(picture, at, event.key);
    if (next) { choose(next.id); fly(next, camera.zoom); }
  };
  if (!assets) return html`<div class="empty"><h1>Graph</h1>No location lists an asset.</div>`;
  const selected = chosen && picture.assets.find((one) => one.id === chosen);
  return html`<div class="tools"><h1 class="hidden">Graph</h1><input class="field" type="search" placeholder="Asset" aria-label="Find an asset" value=${text} onInput=${(event) => setText(event.target.value)} onKeyDown=${(event) => event.key === 'Enter' && hits[0] && jump(hits[0].one)} />
      ${hits.map((hit) => html`<button class="button" onClick=${() => jump(hit.one)}>${visible(hit.text)}</button>`)}
      ${selected && html`<button class="button" aria-pressed=${direction === 'up'} onClick=${() => setDirection(direction === 'up' ? 'both' : 'up')}>Upstream only <kbd>u</kbd></button><button class="button" aria-pressed=${direction === 'down'} onClick=${() => setDirection(direction === 'down' ? 'both' : 'down')}>Downstream only <kbd>d</kbd></button>`}
      <span class="meta">${counted(picture.boxes.length, 'location')}, ${counted(assets, 'asset')}, ${counted(picture.edges.length, 'edge')}</span></div>
    <div class="graph" onKeyDown=${keys}>
      ${!narrow && html`<div class="plane" ref=${box} ...${pointer} tabindex="0" role="application" aria-label="Graph of assets; the outline beside it has the same">
        <canvas ref=${canvas}></canvas>
        ${camera && cardsIn(picture, camera, box.current).map((node) => node.assets
          ? html`<button key=${node.name} class=${`box ${node.isOpen ? 'open' : ''} ${stale(store, node.name)}`} style=${placedAt(node, camera, node.isOpen ? 34 : node.height)} aria-expanded=${node.isOpen} onClick=${() => toggle(node)}><${Mark} of=${levelOf(store, node.name)} /><b>${visible(node.name)}</b><span class="quiet">${node.assets.length}</span></button>`
          : html`<button key=${node.id} class=${`asset ${node.id === chosen ? 'chosen' : ''} ${related && !related.has(node) ? 'apart' : ''} ${sign(store, node)}`} style=${placedAt(node, camera, node.height)} onClick=${() => choose(node.id === chosen ? null : node.id)}><b>${visible(node.name)}</b><span class="quiet">${visible(node.group || node.location)}</span></button>`)}
        <div class="zoom"><button class="button" aria-label="Smaller" onClick=${() => zoomAt(1 / 1.3, box.current.clientWidth / 2, box.current.clientHeight / 2)}>−</button><span class="meta">${camera ? Math.round(camera.zoom * 100) : 100} %</span><button class="button" aria-label="Larger" onClick=${() => zoomAt(1.3, box.current.clientWidth / 2, box.current.clientHeight / 2)}>+</button><button class="button" onClick=${fit}>Fit</button></div>
      </div>`}
      ${(selected || narrow) && html`<aside class="outline" aria-label="Outline">${selected ? html`<${Chosen} asset=${selected} picture=${picture} choose=${(one) => { choose(one.id); if (box.current) fly(one); }} />` : html`<${Outline} picture=${picture} choose=${(one) => choose(one.id)} />`}</aside>`}
    </div>`;
}

const levelOf = (store, name) => (store.locations.has(name) ? level(store.locations.get(name)) : 'off');
const stale = (store, name) => (['warn', 'bad'].includes(levelOf(store, name)) ? 'stale' : '');
function sign(store, node) {
  const [what, at] = store.touched.get(keyOf(node.row)) ?? ['', 0];
  return what && Date.now() / 1000 - at < 30 ? 'touched' : '';
}
const placedAt = (node, camera, height) => ({ transform: `translate(${camera.x + node.x * camera.zoom}px, ${camera.y + node.y * camera.zoom}px) scale(${camera.zoom})`, width: `${node.width}px`, height: `${height}px` });

/** The cards that are in view, and large enough to be read. */
function cardsIn(picture, camera, element) {
  if (!element) return [];
  const left = -camera.x / camera.zoom, top = -camera.y / camera.zoom;
  const right = left + element.clientWidth / camera.zoom, bottom = top + element.clientHeight / camera.zoom;
  const isIn = (one) => one.x < right && one.x + one.width > left && one.y < bottom && one.y + one.height > top;
  const boxes = picture.boxes.filter(isIn);
  if (camera.zoom < CARDS_FROM) return boxes;
  return boxes.concat(boxes.filter((one) => one.isOpen).flatMap((one) => one.assets.filter(isIn)));
}

/** Edges as lines of the plane; those between closed locations are one. */
function linesOf(picture) {
  const byName = new Map(picture.boxes.map((one) => [one.name, one]));
  const lines = [], joined = new Map();
  for (const [from, target] of picture.edges) {
    const a = byName.get(from.location), b = byName.get(target.location);
    const start = a.isOpen ? from : a, end = b.isOpen ? target : b;
    if (start === end) continue;
    const name = `${start.id ?? start.name}\0${end.id ?? end.name}`;
    const known = joined.get(name);
    if (known) { known.count += 1; known.pairs.push([from, target]); continue; }
    const line = { x1: start.x + start.width, y1: start.y + (start.isOpen ? 17 : start.height / 2), x2: end.x, y2: end.y + (end.isOpen ? 17 : end.height / 2), across: a !== b, count: 1, pairs: [[from, target]] };
    joined.set(name, line);
    lines.push(line);
  }
  return lines;
}

function draw(canvas, element, camera, picture, cells, related, store) {
  const ratio = devicePixelRatio || 1, width = element.clientWidth, height = element.clientHeight;
  if (canvas.width !== width * ratio || canvas.height !== height * ratio) { canvas.width = width * ratio; canvas.height = height * ratio; }
  const style = getComputedStyle(element), colour = (name) => probe(element, style.getPropertyValue(name));
  const pen = canvas.getContext('2d');
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  pen.setTransform(ratio * camera.zoom, 0, 0, ratio * camera.zoom, ratio * camera.x, ratio * camera.y);
  const left = -camera.x / camera.zoom, top = -camera.y / camera.zoom, right = left + width / camera.zoom, bottom = top + height / camera.zoom;
  const line2 = colour('--line2'), panel = colour('--panel'), quiet = colour('--t3'), accent = colour('--accent'), warn = colour('--warn-dot');
  for (const one of picture.boxes) {
    if (one.x > right || one.x + one.width < left || one.y > bottom || one.y + one.height < top) continue;
    pen.fillStyle = panel;
    pen.strokeStyle = stale(store, one.name) ? warn : line2;
    pen.setLineDash(stale(store, one.name) ? [6, 4] : []);
    pen.lineWidth = 1 / camera.zoom;
    pen.beginPath();
    pen.roundRect(one.x, one.y, one.width, one.height, 10);
    if (one.isOpen) pen.globalAlpha = 0.5;
    pen.fill();
    pen.globalAlpha = 1;
    pen.stroke();
    if (one.isOpen && camera.zoom < CARDS_FROM) {
      pen.fillStyle = line2;
      for (const asset of one.assets) { pen.globalAlpha = related && !related.has(asset) ? 0.35 : 1; pen.fillStyle = related?.has(asset) ? accent : line2; pen.fillRect(asset.x, asset.y + 12, asset.width, asset.height - 24); }
      pen.globalAlpha = 1;
    }
  }
  pen.setLineDash([]);
  const lines = cells.within(left, top, right, bottom);
  const few = lines.size > MANY_EDGES;
  for (const line of lines) {
    if (few && !line.across) continue;
    const lit = related && line.pairs.some(([from, target]) => related.has(from) && related.has(target));
    pen.globalAlpha = lit ? 1 : related ? 0.1 : line.across && camera.zoom < CARDS_FROM ? 0.35 : 0.75;
    pen.strokeStyle = lit ? accent : quiet;
    pen.lineWidth = (lit ? 1.8 : Math.min(4, 1 + Math.log2(line.count) / 2)) / Math.max(camera.zoom, 0.4);
    const bend = Math.max(24, Math.abs(line.x2 - line.x1) / 2);
    pen.beginPath();
    pen.moveTo(line.x1, line.y1);
    pen.bezierCurveTo(line.x1 + bend, line.y1, line.x2 - bend, line.y2, line.x2, line.y2);
    pen.stroke();
  }
  pen.globalAlpha = 1;
}

const colours = new Map();
function probe(element, value) {
  const name = `${value}${document.documentElement.dataset.theme}${matchMedia('(prefers-color-scheme: dark)').matches}`;
  if (!colours.has(name)) {
    const made = document.createElement('i');
    made.style.color = value;
    element.append(made);
    colours.set(name, getComputedStyle(made).color);
    made.remove();
  }
  return colours.get(name);
}

/** What an arrow key leads to: left is upstream, right is downstream, up and down the same column. */
function neighbour(picture, at, key) {
  if (key === 'ArrowLeft') return picture.edges.find(([, target]) => target === at)?.[0];
  if (key === 'ArrowRight') return picture.edges.find(([from]) => from === at)?.[1];
  const column = picture.assets.filter((one) => one.location === at.location && one.column === at.column).sort((a, b) => a.y - b.y);
  return column[column.indexOf(at) + (key === 'ArrowDown' ? 1 : -1)];
}

function Chosen({ asset, picture, choose }) {
  const up = picture.edges.filter(([, target]) => target === asset).map(([from]) => from);
  const down = picture.edges.filter(([from]) => from === asset).map(([, target]) => target);
  const list = (title, nodes) => html`<h3>${title}</h3>${nodes.map((one) => html`<button class="link-button" onClick=${() => choose(one)}>${visible(one.name)} <span class="quiet">${visible(one.location)}</span></button>`)}${!nodes.length && html`<span class="quiet">nothing</span>`}`;
  return html`<h2>${visible(asset.name)}</h2><p class="quiet">${visible(asset.location)}${asset.group ? ` · ${visible(asset.group)}` : ''}</p><a class="button" href=${to.definition(asset.row)}>Definition</a>
    ${list('Made from', up)}${(picture.ghosts.get(asset.id) ?? []).map((key) => html`<span class="quiet">${visible(key)}: no location makes it</span>`)}${list('Used by', down)}`;
}

function Outline({ picture, choose }) {
  return html`${picture.boxes.map((one) => html`<details><summary><b>${visible(one.name)}</b> <span class="quiet">${one.assets.length}</span></summary>${one.assets.map((asset) => html`<button class="link-button" onClick=${() => choose(asset)}>${visible(asset.name)}</button>`)}</details>`)}`;
}
