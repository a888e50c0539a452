// Where the cards of the graph stand: locations in columns, and inside an open one its assets. Pure.
//
// Each level is laid out alike: a node's column is the length of the longest path to it; sources stand
// beside their first reader; six passes order each column by the middle of its neighbours; nodes
// without edges are packed below. Edges that close a ring are left out of account, by depth-first order.

export const CARD = { width: 198, height: 52 };
const GAP = { x: 64, y: 14 }, PAD = { x: 16, top: 44, bottom: 16 }, BETWEEN = { x: 110, y: 28 };
const PASSES = 6;

/**
 * The graph of assets. `rows` as in the registry; edges go from what is made to what is made from it.
 * @param {any[][]} rows @param {Set<string>} open locations whose assets are shown
 */
export function arranged(rows, open) {
  const { assets, edges, ghosts } = graphOf(rows);
  const locations = new Map();
  for (const asset of assets) {
    if (!locations.has(asset.location)) locations.set(asset.location, { name: asset.location, assets: [], width: CARD.width, height: CARD.height, isOpen: open.has(asset.location) });
    locations.get(asset.location).assets.push(asset);
  }
  for (const one of locations.values()) if (one.isOpen) inside(one, edges);
  const between = new Map();
  for (const [from, to] of edges) {
    if (from.location === to.location) continue;
    const name = `${from.location}\0${to.location}`;
    between.set(name, (between.get(name) ?? 0) + 1);
  }
  const boxes = [...locations.values()].sort((a, b) => a.name.localeCompare(b.name));
  const links = [...between.keys()].map((name) => name.split('\0').map((each) => locations.get(each)));
  const size = placed(boxes, links, BETWEEN);
  for (const one of boxes) for (const asset of one.assets) {
    if (one.isOpen) { asset.x += one.x; asset.y += one.y; } else { asset.x = one.x; asset.y = one.y; }
  }
  return { boxes, assets, edges, between, ghosts, width: size.width, height: size.height };
}

/** Assets and the edges between them; an upstream that no location makes is a ghost. */
export function graphOf(rows) {
  const assets = rows.filter((row) => row[2] === 'asset').map((row) => ({ row, id: `${row[0]}\0${row[1]}\0${row[3]}`, location: row[0], name: row[3], group: row[4], x: 0, y: 0, width: CARD.width, height: CARD.height, column: 0 }));
  const byName = new Map();
  for (const asset of assets) {
    if (!byName.has(asset.name)) byName.set(asset.name, []);
    byName.get(asset.name).push(asset);
  }
  const edges = [], ghosts = new Map();
  for (const asset of assets) for (const key of asset.row[6]) {
    const made = byName.get(key);
    const from = made?.find((one) => one.location === asset.location && one !== asset) ?? made?.find((one) => !one.row[7] && one !== asset) ?? made?.find((one) => one !== asset);
    if (from) edges.push([from, asset]); else if (!made) ghosts.set(asset.id, [...(ghosts.get(asset.id) ?? []), key]);
  }
  return { assets, edges, ghosts };
}

function inside(box, edges) {
  const own = edges.filter(([from, to]) => from.location === box.name && to.location === box.name);
  const size = placed(box.assets, own, GAP);
  for (const asset of box.assets) { asset.x += PAD.x; asset.y += PAD.top; }
  box.width = Math.max(CARD.width, size.width + 2 * PAD.x);
  box.height = size.height + PAD.top + PAD.bottom;
}

/** Gives each node `x`, `y` and `column`. @returns {{width: number, height: number}} */
export function placed(nodes, edges, gap) {
  const index = new Map(nodes.map((node, at) => [node, at]));
  const down = nodes.map(() => []), up = nodes.map(() => []);
  for (const [from, to] of acyclic(nodes.length, edges.map(([from, to]) => [index.get(from), index.get(to)]))) { down[from].push(to); up[to].push(from); }
  const column = longest(nodes.length, up, down);
  for (let at = 0; at < nodes.length; at += 1) if (!up[at].length && down[at].length) column[at] = Math.max(0, Math.min(...down[at].map((one) => column[one])) - 1);
  const joined = [], alone = [];
  for (let at = 0; at < nodes.length; at += 1) (up[at].length || down[at].length ? joined : alone).push(at);
  const columns = [];
  for (const at of joined) (columns[column[at]] ??= []).push(at);
  for (let at = 0; at < columns.length; at += 1) columns[at] ??= [];
  ordered(columns, up, down);
  const size = stacked(nodes, columns, up, gap);
  return packed(nodes, alone, size, gap);
}

/** The edges without those that close a ring. */
function acyclic(count, edges) {
  const out = Array.from({ length: count }, () => []);
  for (const edge of edges) out[edge[0]].push(edge[1]);
  const state = new Uint8Array(count), kept = [];
  for (let root = 0; root < count; root += 1) {
    if (state[root]) continue;
    const stack = [[root, 0]];
    state[root] = 1;
    while (stack.length) {
      const top = stack[stack.length - 1];
      if (top[1] === out[top[0]].length) { state[top[0]] = 2; stack.pop(); continue; }
      const next = out[top[0]][top[1]];
      top[1] += 1;
      if (state[next] === 1) continue;
      kept.push([top[0], next]);
      if (!state[next]) { state[next] = 1; stack.push([next, 0]); }
    }
  }
  return kept;
}

function longest(count, up, down) {
  const column = new Int32Array(count), waits = up.map((one) => one.length);
  const ready = [];
  for (let at = 0; at < count; at += 1) if (!waits[at]) ready.push(at);
  for (let head = 0; head < ready.length; head += 1) {
    const at = ready[head];
    for (const next of down[at]) {
      column[next] = Math.max(column[next], column[at] + 1);
      waits[next] -= 1;
      if (!waits[next]) ready.push(next);
    }
  }
  return column;
}

function ordered(columns, up, down) {
  const place = new Map();
  const note = (list) => list.forEach((at, position) => place.set(at, position));
  columns.forEach(note);
  for (let pass = 0; pass < PASSES; pass += 1) {
    const forward = pass % 2 === 0, near = forward ? up : down;
    const order = forward ? columns : [...columns].reverse();
    for (const list of order) {
      const middle = new Map(list.map((at) => [at, near[at].length ? near[at].reduce((sum, one) => sum + place.get(one), 0) / near[at].length : place.get(at)]));
      list.sort((a, b) => middle.get(a) - middle.get(b) || a - b);
      note(list);
    }
  }
}

function stacked(nodes, columns, up, gap) {
  let x = 0, height = 0;
  columns.forEach((list, number) => {
    let y = 0, width = 0;
    for (const at of list) {
      const node = nodes[at];
      node.column = number;
      node.x = x;
      node.y = y;
      y += node.height + gap.y;
      width = Math.max(width, node.width);
    }
    height = Math.max(height, y - gap.y);
    if (list.length) x += width + gap.x;
  });
  for (const list of columns) {
    if (!list.length) continue;
    const last = nodes[list[list.length - 1]];
    const shift = (height - (last.y + last.height)) / 2;
    for (const at of list) nodes[at].y += shift;
  }
  return { width: Math.max(0, x - gap.x), height: Math.max(0, height) };
}

/** Nodes without edges, in rows below the others. */
function packed(nodes, alone, size, gap) {
  if (!alone.length) return size;
  const area = alone.reduce((sum, at) => sum + (nodes[at].width + gap.x) * (nodes[at].height + gap.y), 0);
  const limit = Math.max(size.width, Math.sqrt(area * 1.8), nodes[alone[0]].width);
  let x = 0, y = size.height ? size.height + gap.y : 0, tallest = 0, width = size.width;
  for (const at of alone) {
    const node = nodes[at];
    if (x > 0 && x + node.width > limit) { x = 0; y += tallest + gap.y; tallest = 0; }
    node.x = x;
    node.y = y;
    node.column = 0;
    width = Math.max(width, x + node.width);
    x += node.width + gap.x;
    tallest = Math.max(tallest, node.height);
  }
  return { width, height: y + tallest };
}

/** All that one asset is made from, and all that is made from it. */
export function lineage(edges, chosen, direction = 'both') {
  const up = new Map(), down = new Map();
  for (const [from, to] of edges) {
    if (!down.has(from)) down.set(from, []);
    if (!up.has(to)) up.set(to, []);
    down.get(from).push(to);
    up.get(to).push(from);
  }
  const found = new Set([chosen]);
  const walk = (links) => {
    const waiting = [chosen];
    while (waiting.length) for (const next of links.get(waiting.pop()) ?? []) if (!found.has(next)) { found.add(next); waiting.push(next); }
  };
  if (direction !== 'down') walk(up);
  if (direction !== 'up') walk(down);
  return found;
}

/** Edges by cells of the plane, so that those in view are found without looking at all. */
export class Cells {
  constructor(size = 2048) { this.size = size; this.cells = new Map(); }

  /** @param {any} item */
  add(item, left, top, right, bottom) {
    for (let x = Math.floor(left / this.size); x <= Math.floor(right / this.size); x += 1) for (let y = Math.floor(top / this.size); y <= Math.floor(bottom / this.size); y += 1) {
      const name = `${x} ${y}`;
      if (!this.cells.has(name)) this.cells.set(name, []);
      this.cells.get(name).push(item);
    }
  }

  within(left, top, right, bottom) {
    const found = new Set();
    for (let x = Math.floor(left / this.size); x <= Math.floor(right / this.size); x += 1) for (let y = Math.floor(top / this.size); y <= Math.floor(bottom / this.size); y += 1) for (const item of this.cells.get(`${x} ${y}`) ?? []) found.add(item);
    return found;
  }
}
