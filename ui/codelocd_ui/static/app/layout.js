// The picture of the graph: locations as boxes, and inside an open one its assets or groups. Pure.
import { placed } from './placing.js';

export const CARD = { width: 198, height: 52 };
const GAP = { x: 64, y: 14 }, PAD = { x: 16, top: 44, bottom: 16 }, BETWEEN = { x: 110, y: 28 };
const FOLDED_FROM = 60, GROUP_FROM = 3, EDGE_OF_OPEN = 17;

/** The name by which a group of a location is unfolded. @param {string} location @param {string} group */
export const groupId = (location, group) => `${location}\0\0${group}`;

/**
 * The graph of assets. Edges go from what is made to what is made from it. In a location of more than 60
 * assets the groups are one card each, but for those in `unfolded`. `before`: the picture that this one
 * follows; what is in both keeps its place, as far as what has grown leaves it.
 * @param {Row[]} rows @param {Set<string>} open locations whose assets are shown @param {Set<string>} unfolded as `groupId` names them
 * @param {Picture | null} before @returns {Picture}
 */
export function arranged(rows, open, unfolded = new Set(), before = null) {
  const { assets, edges, ghosts, twice } = graphOf(rows);
  /** @type {Map<string, Box>} */
  const byName = new Map();
  for (const asset of assets) {
    let box = byName.get(asset.location);
    if (!box) byName.set(asset.location, box = { id: asset.location, name: asset.location, assets: [], cards: [], x: 0, y: 0, width: CARD.width, height: CARD.height, column: 0, isOpen: open.has(asset.location) });
    box.assets.push(asset);
  }
  const boxes = [...byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  const cardOf = cardsOf(boxes, unfolded);
  const joined = joinedUp(edges, cardOf, byName);
  addGhosts(boxes, ghosts, cardOf, joined);
  const lines = byBox(joined);
  const sizes = new Map(boxes.filter((one) => one.isOpen).map((one) => [one, inside(one, lines.get(one) ?? [], before?.insides.get(one.name) ?? null)]));
  /** @type {Map<string, [Box, Box]>} */
  const links = new Map();
  for (const one of joined) if (one.across) links.set(`${one.a.name}\0${one.b.name}`, [one.a, one.b]);
  const shape = boxes.filter((one) => one.isOpen).map((one) => one.name).concat([...unfolded].sort()).join('\0');
  const size = placed(boxes, [...links.values()], BETWEEN, undefined, undefined, before && isSame(before, shape, boxes) ? before.memory : null);
  for (const [box, { memory }] of sizes) moved(memory, box.x, box.y);
  for (const asset of assets) { const card = cardOf.get(asset) ?? byName.get(asset.location); if (card && card !== asset) { asset.x = card.x; asset.y = card.y; } }
  return {
    boxes, assets, edges, ghosts, twice, shape, width: size.width, height: size.height, memory: size.memory,
    lines: Array.from(joined, (one) => ({ from: one.from, to: one.to, across: one.across, count: one.pairs.length, pairs: one.pairs, points: route(one, sizes, size) })),
    insides: new Map(Array.from(sizes, ([box, { memory }]) => [box.name, memory])),
  };
}

/** Whether the same is open, of about as many: else all is placed anew. @param {Picture} before @param {string} shape @param {Box[]} boxes */
function isSame(before, shape, boxes) {
  return before.shape === shape && before.boxes.length < 2 * boxes.length && boxes.length < 2 * before.boxes.length;
}

/** Assets, the edges between them, and the keys that more than one of them makes; an upstream that no location makes is a ghost. @param {Row[]} rows */
export function graphOf(rows) {
  /** @type {Asset[]} */
  const assets = rows.filter((row) => row[2] === 'asset').map((row) => ({ row, id: `${row[0]}\0${row[1]}\0${row[3]}`, location: row[0], name: row[3], group: row[4], x: 0, y: 0, width: CARD.width, height: CARD.height, column: 0 }));
  /** @type {Map<string, Asset[]>} */
  const byName = new Map();
  for (const asset of assets) {
    const same = byName.get(asset.name);
    if (same) same.push(asset); else byName.set(asset.name, [asset]);
  }
  /** @type {Edge[]} */
  const edges = [];
  /** @type {Map<string, string[]>} */
  const ghosts = new Map();
  for (const asset of assets) for (const key of asset.row[6]) {
    const made = byName.get(key);
    const from = made?.length === 1 && made[0] !== asset ? made[0] : made?.find((one) => one.location === asset.location && one !== asset) ?? made?.find((one) => !one.row[7] && one !== asset) ?? made?.find((one) => one !== asset);
    if (from) edges.push([from, asset]); else if (!made) ghosts.set(asset.id, [...(ghosts.get(asset.id) ?? []), key]);
  }
  const twice = new Set(Array.from(byName.values()).filter((same) => same.filter((one) => !one.row[7]).length > 1).map(([one]) => one.name));
  return { assets, edges, ghosts, twice };
}

/** The cards of open boxes: assets, and groups that are folded. @param {Box[]} boxes @param {Set<string>} unfolded */
function cardsOf(boxes, unfolded) {
  /** @type {Map<Asset, Asset>} */
  const cardOf = new Map();
  for (const box of boxes) {
    if (!box.isOpen) continue;
    /** @type {Map<string, Asset[]>} */
    const groups = new Map();
    for (const asset of box.assets) (groups.get(asset.group) ?? groups.set(asset.group, []).get(asset.group))?.push(asset);
    for (const [group, members] of groups) {
      const folds = box.assets.length > FOLDED_FROM && groups.size > 1 && members.length >= GROUP_FROM && !unfolded.has(groupId(box.name, group));
      if (!folds) { for (const asset of members) { box.cards.push(asset); cardOf.set(asset, asset); } continue; }
      const card = { ...members[0], id: groupId(box.name, group), name: group || 'no group', folded: members, ...CARD };
      box.cards.push(card);
      for (const asset of members) cardOf.set(asset, card);
    }
  }
  return cardOf;
}

/** @typedef {{from: Asset | Box, to: Asset | Box, a: Box, b: Box, across: boolean, pairs: Edge[]}} Joined */

/**
 * Edges between cards, or closed boxes; those of the same two are one.
 * @param {Edge[]} edges @param {Map<Asset, Asset>} cardOf @param {Map<string, Box>} byName
 */
function joinedUp(edges, cardOf, byName) {
  /** @type {Map<Asset | Box, Map<Asset | Box, Joined>>} */
  const known = new Map();
  /** @type {Set<Joined>} */
  const joined = new Set();
  for (const edge of edges) {
    const a = /** @type {Box} */ (byName.get(edge[0].location)), b = /** @type {Box} */ (byName.get(edge[1].location));
    const from = cardOf.get(edge[0]) ?? a, to = cardOf.get(edge[1]) ?? b;
    if (from === to) continue;
    let targets = known.get(from);
    if (!targets) known.set(from, targets = new Map());
    let one = targets.get(to);
    if (!one) { one = { from, to, a, b, across: a !== b, pairs: [] }; targets.set(to, one); joined.add(one); }
    one.pairs.push(edge);
  }
  return joined;
}

/** A card for each upstream that no location makes. @param {Box[]} boxes @param {Map<string, string[]>} ghosts @param {Map<Asset, Asset>} cardOf @param {Set<Joined>} joined */
function addGhosts(boxes, ghosts, cardOf, joined) {
  for (const box of boxes) {
    if (!box.isOpen) continue;
    /** @type {Map<string, Asset>} */
    const made = new Map();
    for (const asset of box.assets) for (const name of ghosts.get(asset.id) ?? []) {
      let ghost = made.get(name);
      if (!ghost) { ghost = { row: asset.row, id: `${box.name}\0ghost\0${name}`, location: box.name, name, group: '', isGhost: true, x: 0, y: 0, column: 0, ...CARD }; made.set(name, ghost); box.cards.push(ghost); }
      joined.add({ from: ghost, to: cardOf.get(asset) ?? asset, a: box, b: box, across: false, pairs: [] });
    }
  }
}

/** @param {import('./placing.js').Memory} memory @param {number} x @param {number} y */
function moved(memory, x, y) {
  for (const node of memory.nodes) { node.x += x; node.y += y; }
  memory.x += x;
  memory.y += y;
}

/** Of each box the edges that begin or end in it. @param {Set<Joined>} joined */
function byBox(joined) {
  /** @type {Map<Box, Joined[]>} */
  const found = new Map();
  const note = (/** @type {Box} */ box, /** @type {Joined} */ one) => { const list = found.get(box); if (list) list.push(one); else found.set(box, [one]); };
  for (const one of joined) { note(one.a, one); if (one.across) note(one.b, one); }
  return found;
}

/** @param {Box} box @param {Joined[]} joined @param {import('./placing.js').Memory | null} before */
function inside(box, joined, before) {
  /** @type {Edge[]} */
  const own = [];
  const leaving = new Set(), entered = new Set();
  for (const one of joined) {
    if (!one.across) own.push(/** @type {Edge} */ ([one.from, one.to]));
    else if (one.a === box) leaving.add(one.from);
    else entered.add(one.to);
  }
  const size = placed(box.cards, own, GAP, leaving, entered, before);
  moved(size.memory, PAD.x, PAD.top);
  box.width = Math.max(CARD.width, size.width + 2 * PAD.x);
  box.height = size.height + PAD.top + PAD.bottom;
  return size;
}

/**
 * The points of a line: out of a card, along lanes, into a card.
 * @param {Joined} one @param {Map<Box, import('./placing.js').Size>} sizes lanes inside boxes @param {import('./placing.js').Size} between lanes between boxes
 * @returns {Point[]}
 */
function route({ from, to, a, b, across }, sizes, between) {
  const middle = (/** @type {Asset | Box} */ one) => one.y + ('isOpen' in one && one.isOpen ? EDGE_OF_OPEN : one.height / 2);
  /** @type {Point[]} */
  const points = [{ x: from.x + from.width, y: middle(from) }];
  const along = (/** @type {import('./placing.js').Node[]} */ lanes) => { for (const lane of lanes) points.push({ x: lane.x, y: lane.y }, { x: lane.x + lane.width, y: lane.y }); };
  const out = sizes.get(a)?.out.get(/** @type {Asset} */ (from)) ?? [];
  if (!across) along(out.filter((lane) => lane.column < to.column));
  else {
    along(out);
    if (a.isOpen) points.push({ x: a.x + a.width, y: points[points.length - 1].y });
    along((between.out.get(a) ?? []).filter((lane) => lane.column < b.column && a.column < b.column));
    const into = sizes.get(b)?.in.get(/** @type {Asset} */ (to)) ?? [];
    if (b.isOpen) points.push({ x: b.x, y: into[0]?.y ?? middle(to) });
    along(into);
  }
  points.push({ x: to.x, y: middle(to) });
  return points;
}

/** All that one asset is made from, and all that is made from it. @param {Edge[]} edges @param {Asset} chosen @param {string} direction `up`, `down` or `both` */
export function lineage(edges, chosen, direction = 'both') {
  /** @type {Map<Asset, Asset[]>} */
  const up = new Map(), /** @type {Map<Asset, Asset[]>} */ down = new Map();
  for (const [from, to] of edges) {
    (down.get(from) ?? down.set(from, []).get(from))?.push(to);
    (up.get(to) ?? up.set(to, []).get(to))?.push(from);
  }
  const found = new Set([chosen]);
  const walk = (/** @type {Map<Asset, Asset[]>} */ links) => {
    const waiting = [chosen];
    for (let at = waiting.pop(); at; at = waiting.pop()) for (const next of links.get(at) ?? []) if (!found.has(next)) { found.add(next); waiting.push(next); }
  };
  if (direction !== 'down') walk(up);
  if (direction !== 'up') walk(down);
  return found;
}

/** Lines by cells of the plane, so that those in view are found without looking at all. */
export class Cells {
  constructor(size = 2048) {
    this.size = size;
    /** @type {Map<string, GraphLine[]>} */
    this.cells = new Map();
  }

  /** @param {GraphLine} line */
  add(line) {
    let left = Infinity, top = Infinity, right = -Infinity, bottom = -Infinity;
    for (const { x, y } of line.points) { left = Math.min(left, x); right = Math.max(right, x); top = Math.min(top, y); bottom = Math.max(bottom, y); }
    for (const name of this.#names(left, top, right, bottom)) (this.cells.get(name) ?? this.cells.set(name, []).get(name))?.push(line);
  }

  /** @param {number} left @param {number} top @param {number} right @param {number} bottom */
  within(left, top, right, bottom) {
    /** @type {Set<GraphLine>} */
    const found = new Set();
    for (const name of this.#names(left, top, right, bottom)) for (const line of this.cells.get(name) ?? []) found.add(line);
    return found;
  }

  /** @param {number} left @param {number} top @param {number} right @param {number} bottom */
  * #names(left, top, right, bottom) {
    const at = (/** @type {number} */ value) => Math.floor(value / this.size);
    for (let x = at(left); x <= at(right); x += 1) for (let y = at(top); y <= at(bottom); y += 1) yield `${x} ${y}`;
  }
}
