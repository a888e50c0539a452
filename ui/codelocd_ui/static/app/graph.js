// How assets hang together across locations: locations first, each opened in place.
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from './html.js';
import { store as known, useStore, keyOf } from './store.js';
import { Mark } from './parts.js';
import { Outline, levelOf } from './outline.js';
import { CARDS_FROM, SHEET, areaOf, draw, isIn } from './canvas.js';
import { CARD, arranged, groupId, lineage, Cells } from './layout.js';
import { found } from './filters.js';
import { counted, visible } from './format.js';

const ALL_OPEN = 150, LEAST = 0.02, MOST = 1.5, HEAD = 34, PLATE = 46, COUNTED = 130, FRESH = 30, HITS = 8, MARGIN = 48, PANEL = 300, READABLE = 0.6, OPENING = 0.8;

/** The graph's state that its address holds. @param {Route} route */
function readAddress(route) {
  const [location, ...name] = route.parts;
  return { location: location ?? '', name: name.join('/'), open: (route.query.get('open') ?? '').split(',').filter(Boolean), unfolded: route.query.getAll('group'), direction: route.query.get('dir') ?? 'both' };
}

/** @param {{chosen: Asset | null, open: Set<string>, unfolded: Set<string>, direction: string}} state */
function writeAddress({ chosen, open, unfolded, direction }) {
  const query = new URLSearchParams();
  if (open.size) query.set('open', [...open].join(','));
  for (const each of unfolded) query.append('group', each);
  if (direction !== 'both') query.set('dir', direction);
  const path = chosen ? `/${encodeURIComponent(chosen.location)}/${encodeURIComponent(chosen.name)}` : '';
  history.replaceState(null, '', `#/graph${path}${query.size ? `?${query}` : ''}`);
}

/** What is open, what is chosen, and the picture of it. @param {Route} route */
function useGraph(route) {
  const { rows } = useStore();
  const begin = readAddress(route);
  const [open, setOpen] = useState(() => new Set([...begin.open, ...(begin.location ? [begin.location] : [])]));
  const [unfolded, setUnfolded] = useState(() => new Set(begin.unfolded));
  const [direction, turn] = useState(begin.direction);
  const [id, setId] = useState('');
  const assets = useMemo(() => rows.filter((row) => row[2] === 'asset').length, [rows]);
  const everything = assets <= ALL_OPEN && !open.size;
  const names = useMemo(() => new Set(everything || assets <= ALL_OPEN ? rows.map((row) => row[0]) : open), [everything, assets, open, rows]);
  const shut = useRef(/** @type {Set<string>} */ (new Set()));
  const shown = useMemo(() => new Set([...names].filter((name) => !shut.current.has(name))), [names, open]);
  const made = useRef(/** @type {{of: string, rows: Row[], picture: Picture} | null} */ (null));
  /** The picture of that, which follows the one that is shown. @param {Set<string>} opened @param {Set<string>} groups */
  const lay = (opened, groups) => {
    const of = [...opened].sort().concat('', [...groups].sort()).join('\0'), last = made.current;
    if (!last || last.rows !== rows || last.of !== of) made.current = { of, rows, picture: arranged(rows, opened, groups, last?.picture) };
    return /** @type {{picture: Picture}} */ (made.current).picture;
  };
  const picture = lay(shown, unfolded);
  const chosen = useMemo(() => (id && picture.assets.find((one) => one.id === id)) || null, [id, picture]);
  const related = useMemo(() => (chosen ? lineage(picture.edges, chosen, direction) : null), [chosen, direction, picture]);
  useEffect(() => { if (id || open.size || unfolded.size) writeAddress({ chosen, open, unfolded, direction }); }, [chosen, open, unfolded, direction]);
  const toggle = (/** @type {string} */ name) => {
    if (shown.has(name)) shut.current.add(name); else shut.current.delete(name);
    const next = new Set([...shown].filter((one) => one !== name));
    if (!shown.has(name)) next.add(name);
    setOpen(next);
    return lay(next, unfolded);
  };
  const unfold = (/** @type {string} */ group) => { const next = new Set(unfolded); if (next.has(group)) next.delete(group); else next.add(group); setUnfolded(next); return lay(shown, next); };
  /** The picture in which that asset has a card. */
  const reveal = (/** @type {Asset} */ asset) => {
    const group = groupId(asset.location, asset.group), isFolded = picture.boxes.some((box) => box.cards.some((card) => card.id === group));
    setId(asset.id);
    if (shown.has(asset.location) && !isFolded) return picture;
    const next = new Set([...shown, asset.location]), groups = new Set([...unfolded, group]);
    shut.current.delete(asset.location);
    setOpen(next);
    setUnfolded(groups);
    return lay(next, groups);
  };
  return { assets, picture, chosen, related, direction, turn, toggle, unfold, reveal, clear: () => setId('') };
}

/** Where one looks from. @param {{current: HTMLElement | null}} box */
function useCamera(box) {
  const [camera, setCamera] = useState(/** @type {Camera | null} */ (null));
  const size = () => [box.current?.clientWidth ?? 0, box.current?.clientHeight ?? 0];
  const move = (/** @type {(now: Camera) => Camera} */ change) => setCamera((now) => (now ? change(now) : now));
  return {
    camera, move,
    /** Show all of it, but no smaller than `least`; what has no room is on the right. */
    fit: (/** @type {Picture} */ picture, least = LEAST) => {
      const [width, height] = size();
      const zoom = Math.max(least, Math.min(1, (width - MARGIN) / (picture.width || 1), (height - MARGIN) / (picture.height || 1)));
      setCamera({ zoom, x: Math.max(MARGIN / 2, (width - picture.width * zoom) / 2), y: (height - picture.height * zoom) / 2 });
    },
    fly: (/** @type {Placed} */ node, zoom = 1) => {
      const [width, height] = size();
      setCamera({ zoom, x: width / 2 - (node.x + node.width / 2) * zoom, y: height / 2 - (node.y + node.height / 2) * zoom });
    },
    zoom: (/** @type {number} */ factor, /** @type {number} */ x, /** @type {number} */ y) => move((now) => {
      const zoom = Math.max(LEAST, Math.min(MOST, now.zoom * factor));
      return { zoom, x: x - ((x - now.x) / now.zoom) * zoom, y: y - ((y - now.y) / now.zoom) * zoom };
    }),
  };
}

/** @param {{route: Route}} props */
export function GraphPage({ route }) {
  const graph = useGraph(route);
  const { picture, chosen, related } = graph;
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const view = useCamera(box);
  const [text, setText] = useState('');
  const [outlined, outline] = useState(false);
  const narrow = matchMedia('(max-width: 899px)').matches;
  const asked = `${route.parts.join('/')}`;
  useEffect(() => { // what the address names, when it is shown or changed
    if (!picture.boxes.length || (!box.current && !narrow)) return;
    const { location, name } = readAddress(route);
    const asset = name ? picture.assets.find((one) => one.location === location && one.name === name) : undefined;
    if (asset) choose(asset);
    else {
      const at = picture.boxes.find((one) => one.name === location);
      if (at && box.current) view.fly(at, Math.min(1, box.current.clientWidth / (at.width + 100), box.current.clientHeight / (at.height + 60))); else view.fit(picture, picture.boxes.some((one) => one.isOpen) ? LEAST : OPENING);
    }
  }, [asked, picture.boxes.length > 0]);

  /** Choose an asset and fly to it, and to all that hangs together with it where that can be read. */
  const choose = (/** @type {Asset | null} */ asset) => {
    if (!asset) { graph.clear(); return; }
    const shown = graph.reveal(asset), target = shown.assets.find((one) => one.id === asset.id);
    const width = (box.current?.clientWidth ?? 0) - (related ? 0 : PANEL) - MARGIN, height = (box.current?.clientHeight ?? 0) - MARGIN;
    if (!target || width <= 0) return;
    const all = around([...lineage(shown.edges, target, graph.direction)]), zoom = Math.min(1, width / all.width, height / all.height);
    requestAnimationFrame(() => view.fly(zoom >= READABLE ? all : { ...target, ...CARD }, zoom >= READABLE ? zoom : 1));
  };
  /** Open or close something, so that it stays under the pointer. */
  const change = (/** @type {Placed} */ before, /** @type {Picture} */ after, /** @type {(one: any) => boolean} */ isSame) => {
    const moved = [...after.boxes, ...after.boxes.flatMap((one) => one.cards)].find(isSame);
    if (moved) view.move((now) => ({ ...now, x: now.x + (before.x - moved.x) * now.zoom, y: now.y + (before.y - moved.y) * now.zoom }));
  };
  const toggle = (/** @type {Box} */ one) => change(one, graph.toggle(one.name), (each) => each.assets && each.name === one.name);
  const unfold = (/** @type {Asset} */ card) => change(card, graph.unfold(card.id), (each) => each.id === card.folded?.[0].id);
  const pick = (/** @type {Asset | null} */ asset) => { if (asset) graph.reveal(asset); else graph.clear(); };
  const hits = useMemo(() => (text ? found(picture.assets.map((one) => ({ text: one.name, one })), text, HITS) : []), [text, picture]);
  const jump = (/** @type {Asset} */ one) => { setText(''); choose(one); };
  const keys = (/** @type {KeyboardEvent} */ event) => {
    if (/** @type {HTMLElement} */ (event.target).closest('input') || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === 'u' || event.key === 'd') graph.turn(graph.direction === 'both' ? (event.key === 'u' ? 'up' : 'down') : 'both');
    if (event.key === 'Escape') choose(null);
    if (!chosen || !event.key.startsWith('Arrow')) return;
    event.preventDefault();
    const next = neighbour(picture, chosen, event.key);
    if (next) choose(next);
  };
  if (!graph.assets) return html`<div class="empty"><h1>Graph</h1>No location lists an asset.</div>`;
  return html`<div class="tools"><h1 class="hidden">Graph</h1><input class="field" type="search" placeholder="Find an asset" aria-label="Find an asset" value=${text} onInput=${(/** @type {any} */ event) => setText(event.target.value)} onKeyDown=${(/** @type {KeyboardEvent} */ event) => event.key === 'Enter' && hits[0] && jump(hits[0].one)} />
      ${hits.map((hit) => html`<button type="button" class="button" onClick=${() => jump(hit.one)}>${visible(hit.text)}</button>`)}
      ${!narrow && html`<button type="button" class="button" aria-pressed=${outlined || Boolean(chosen)} onClick=${() => outline(!outlined)}>Outline</button>`}
      <span class="meta">${counted(picture.boxes.length, 'location')}, ${counted(graph.assets, 'asset')}, ${counted(picture.edges.length, 'edge')}</span></div>
    <div class="graph" onKeyDown=${keys}>
      ${!narrow && html`<${Plane} box=${box} view=${view} picture=${picture} chosen=${chosen} related=${related} choose=${pick} toggle=${toggle} unfold=${unfold} />`}
      ${(outlined || chosen || narrow) && html`<${Outline} picture=${picture} chosen=${chosen} related=${related} direction=${graph.direction} choose=${choose} turn=${graph.turn} />`}
    </div>`;
}

/** The least part of the plane that holds these cards. @param {Asset[]} cards */
function around(cards) {
  const left = Math.min(...cards.map((one) => one.x)), top = Math.min(...cards.map((one) => one.y));
  const right = Math.max(...cards.map((one) => one.x + CARD.width)), bottom = Math.max(...cards.map((one) => one.y + CARD.height));
  return { x: left, y: top, width: right - left, height: bottom - top, column: 0 };
}

/** What an arrow key leads to: left is upstream, right is downstream, up and down the same column. @param {Picture} picture @param {Asset} at @param {string} key */
function neighbour(picture, at, key) {
  if (key === 'ArrowLeft') return picture.edges.find(([, target]) => target === at)?.[0];
  if (key === 'ArrowRight') return picture.edges.find(([from]) => from === at)?.[1];
  const column = picture.assets.filter((one) => one.location === at.location && one.column === at.column).sort((a, b) => a.y - b.y);
  return column[column.indexOf(at) + (key === 'ArrowDown' ? 1 : -1)];
}

/** The picture itself. @param {{box: {current: HTMLElement | null}, view: ReturnType<typeof useCamera>, picture: Picture, chosen: Asset | null, related: Set<Asset> | null, choose: (asset: Asset | null) => void, toggle: (box: Box) => void, unfold: (card: Asset) => void}} props */
function Plane({ box, view, picture, chosen, related, choose, toggle, unfold }) {
  const store = useStore();
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const { camera } = view;
  const cells = useMemo(() => { const made = new Cells(); for (const line of picture.lines) made.add(line); return made; }, [picture]);
  const drawn = useRef(/** @type {Camera | null} */ (null));
  const from = drawn.current, width = box.current?.clientWidth ?? 0, height = box.current?.clientHeight ?? 0;
  if (!from || !camera || from.zoom !== camera.zoom || Math.abs(camera.x - from.x) > SHEET || Math.abs(camera.y - from.y) > SHEET) drawn.current = camera;
  const at = drawn.current, looks = [at, picture, chosen, related, store.told, width, height];
  useLayoutEffect(() => { if (at && canvas.current) draw(canvas.current, at, picture, cells, related, (one) => ['warn', 'bad'].includes(levelOf(one.name))); }, looks);
  const drag = useRef(/** @type {{x: number, y: number, moved: boolean} | null} */ (null));
  useEffect(() => {
    const element = box.current;
    if (!element) return undefined;
    const observer = new ResizeObserver(() => view.move((now) => ({ ...now })));
    const wheel = (/** @type {WheelEvent} */ event) => {
      event.preventDefault();
      const area = element.getBoundingClientRect();
      if (event.ctrlKey || event.metaKey) view.zoom(Math.exp(-event.deltaY / 200), event.clientX - area.left, event.clientY - area.top);
      else view.move((now) => ({ ...now, x: now.x - event.deltaX, y: now.y - event.deltaY }));
    };
    observer.observe(element);
    element.addEventListener('wheel', wheel, { passive: false });
    return () => { observer.disconnect(); element.removeEventListener('wheel', wheel); };
  }, []);
  const pointer = {
    onPointerDown: (/** @type {PointerEvent} */ event) => { if (event.target === canvas.current) { drag.current = { x: event.clientX, y: event.clientY, moved: false }; box.current?.setPointerCapture(event.pointerId); } },
    onPointerMove: (/** @type {PointerEvent} */ event) => {
      const from = drag.current;
      if (!from) return;
      drag.current = { x: event.clientX, y: event.clientY, moved: true };
      view.move((now) => ({ ...now, x: now.x + event.clientX - from.x, y: now.y + event.clientY - from.y }));
    },
    onPointerUp: () => { const was = drag.current; drag.current = null; if (was && !was.moved) choose(null); },
  };
  const middle = () => /** @type {[number, number]} */ ([(box.current?.clientWidth ?? 0) / 2, (box.current?.clientHeight ?? 0) / 2]);
  const sheet = useMemo(() => html`<canvas ref=${canvas}></canvas>${at && onSheet({ picture, at, width, height, chosen, related, choose, toggle, unfold })}`, looks);
  return html`<div class="plane" ref=${box} ...${pointer} tabindex="0" role="group" aria-label="Graph of assets; the outline has the same as a list">
      <div class="sheet" style=${{ transform: camera && at ? `translate(${camera.x - at.x}px, ${camera.y - at.y}px)` : '' }}>${sheet}</div>
      <div class="zoom"><button type="button" class="button" aria-label="Smaller" onClick=${() => view.zoom(1 / 1.3, ...middle())}>−</button><span class="meta">${camera ? Math.round(camera.zoom * 100) : 100} %</span><button type="button" class="button" aria-label="Larger" onClick=${() => view.zoom(1.3, ...middle())}>+</button><button type="button" class="button" onClick=${() => view.fit(picture)}>Fit</button></div>
    </div>`;
}

/**
 * The boxes and cards in view, and a little around it: while the view is moved, the sheet is moved as a whole.
 * @param {{picture: Picture, at: Camera, width: number, height: number, chosen: Asset | null, related: Set<Asset> | null, choose: (asset: Asset | null) => void, toggle: (box: Box) => void, unfold: (card: Asset) => void}} given
 */
function onSheet({ picture, at, width, height, chosen, related, choose, toggle, unfold }) {
  const { boxes, cards } = inView(picture, at, width, height), far = at.zoom < CARDS_FROM;
  return html`${boxes.map((one) => html`<button type="button" key=${one.name} class=${`box ${far ? 'plate' : ''} ${far && one.width * at.zoom < COUNTED ? 'short' : ''} ${one.isOpen ? 'open' : ''}`} style=${placedAt(one, at, one.isOpen ? HEAD : one.height, far)} aria-expanded=${one.isOpen} title=${visible(one.name)} onClick=${() => toggle(one)}><${Mark} of=${levelOf(one.name)} /><b>${visible(one.name)}</b><span class="quiet">${one.assets.length}</span></button>`)}
    ${cards.map((one) => html`<${Card} key=${one.id} card=${one} style=${placedAt(one, at, one.height, false)} chosen=${chosen} related=${related} isTwice=${picture.twice.has(one.name)} choose=${choose} unfold=${unfold} />`)}`;
}

/** @param {{card: Asset, style: any, chosen: Asset | null, related: Set<Asset> | null, isTwice: boolean, choose: (asset: Asset | null) => void, unfold: (card: Asset) => void}} props */
function Card({ card, style, chosen, related, isTwice, choose, unfold }) {
  const { touched } = known;
  if (card.isGhost) return html`<div class="asset ghost" style=${style}><b>${visible(card.name)}</b><span class="quiet">no location makes it</span></div>`;
  const apart = related && !(card.folded ? card.folded.some((one) => related.has(one)) : related.has(card)) ? 'apart' : '';
  const lit = related && !apart ? 'lit' : '';
  if (card.folded) return html`<button type="button" class=${`asset folded ${apart} ${lit}`} style=${style} aria-expanded="false" onClick=${() => unfold(card)}><b>${visible(card.name)}</b><span class="quiet">${counted(card.folded.length, 'asset')}</span></button>`;
  const [sign, at] = touched.get(keyOf(card.row)) ?? ['', 0];
  const isFresh = sign && Date.now() / 1000 - at < FRESH;
  return html`<button type="button" class=${`asset ${card === chosen ? 'chosen' : ''} ${apart} ${lit} ${isFresh ? 'touched' : ''}`} style=${style} title=${visible(card.name)} aria-pressed=${card === chosen} onClick=${() => choose(card === chosen ? null : card)}><b>${isTwice ? html`<${Mark} of="bad" /> ` : ''}${isFresh ? html`<i class="sign">${sign}</i>` : ''}${visible(card.name)}</b><span class="quiet">${isTwice ? 'more than one location defines it' : visible(card.group || card.location)}</span></button>`;
}

/** @param {Placed} node @param {Camera} camera @param {number} height @param {boolean} far a plate keeps its size */
function placedAt(node, camera, height, far) {
  const place = `translate(${Math.round(camera.x + node.x * camera.zoom)}px, ${Math.round(camera.y + node.y * camera.zoom)}px)`; // whole pixels: letters stay sharp
  return far ? { transform: place, maxWidth: `${node.width * camera.zoom}px`, width: '', height: '' } : { transform: `${place} scale(${camera.zoom})`, width: `${node.width}px`, height: `${height}px`, maxWidth: '' };
}

/** The boxes and cards in that part, where they are large enough to be read. @param {Picture} picture @param {Camera} camera @param {number} width @param {number} height */
function inView(picture, camera, width, height) {
  const area = areaOf({ ...camera, x: camera.x + SHEET, y: camera.y + SHEET }, width + 2 * SHEET, height + 2 * SHEET);
  const boxes = picture.boxes.filter((one) => isIn(area, one)), far = camera.zoom < CARDS_FROM;
  return { boxes: far ? boxes.filter((one) => one.width * camera.zoom >= PLATE) : boxes, cards: far ? [] : boxes.flatMap((one) => one.cards.filter((card) => isIn(area, card))) };
}
