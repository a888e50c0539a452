// Where the nodes of one level of the graph stand: in columns, by the longest path to each. Pure.
//
// Sources stand beside their first reader; six passes order each column by the middle of its
// neighbours; nodes without edges are packed below. Edges that close a ring are left out of account, by
// depth-first order. An edge that skips columns gets a lane of its own in each of them, so that it
// runs between the cards and not behind them; edges of one node share their lanes.
//
// Where a level is placed again, what was there keeps its place: a node is only pushed down, or its column
// to the right, by what has grown before it; what is new comes last in its column.

const PASSES = 6, LANE = 4, MOST_LANED = 200, LAST = 1e9;

/** A lane is `of` the node whose edges it leads. @typedef {{id?: string, x: number, y: number, width: number, height: number, column: number, of?: Node, enters?: boolean}} Node */
/** @typedef {{x: number, y: number, column: number, width: number, height: number, alone: boolean}} Place */
/** Places of nodes: `lefts` of the columns, `top` of the nodes without edges, all of it `x` and `y` away by now. @typedef {{nodes: Node[], alone: Set<number>, lefts: number[], top: number, x: number, y: number}} Memory */
/** @typedef {{width: number, height: number, out: Map<Node, Node[]>, in: Map<Node, Node[]>, memory: Memory}} Size */
/** The neighbours of node `at` are `list[start[at]]` to `list[start[at + 1] - 1]`. @typedef {{start: Int32Array, list: Int32Array}} Near */
/** @typedef {{at: Map<string, Place>, lefts: number[], top: number}} Before */

/**
 * Gives each node `x`, `y` and `column`. `leaving` and `entered`: nodes with edges to and from outside, for
 * which lanes lead to the last and from the first column. The result's `out` has the lanes right of a
 * node, by column, and `in` those left of one. `before`: where they stood, by their `id`.
 * @param {Node[]} nodes @param {[Node, Node][]} edges @param {{x: number, y: number}} gap
 * @param {Set<Node>} leaving @param {Set<Node>} entered @param {Memory | null} before @returns {Size}
 */
export function placed(nodes, edges, gap, leaving = new Set(), entered = new Set(), before = null) {
  const index = new Map();
  nodes.forEach((node, at) => index.set(node, at));
  const flat = new Int32Array(2 * edges.length);
  for (let at = 0; at < edges.length; at += 1) { flat[2 * at] = index.get(edges[at][0]); flat[2 * at + 1] = index.get(edges[at][1]); }
  const kept = acyclic(nodes.length, flat);
  const up = nearBy(nodes.length, kept, 1), down = nearBy(nodes.length, kept, 0);
  const column = longest(nodes.length, up, down);
  for (let at = 0; at < nodes.length; at += 1) if (!degree(up, at) && degree(down, at)) column[at] = Math.max(0, least(down, at, column) - 1);
  const laned = nodes.length <= MOST_LANED ? withLanes(nodes, kept, column, leaving, entered) : { all: nodes, columnOf: column, links: kept, out: new Map(), in: new Map() };
  const near = { up: nearBy(laned.all.length, laned.links, 1), down: nearBy(laned.all.length, laned.links, 0) };
  /** @type {number[][]} */
  const columns = [];
  /** @type {Set<number>} */
  const alone = new Set();
  for (let at = 0; at < laned.all.length; at += 1) if (degree(near.up, at) || degree(near.down, at)) (columns[laned.columnOf[at]] ??= []).push(at); else alone.add(at);
  for (let at = 0; at < columns.length; at += 1) columns[at] ??= [];
  const were = before && recalled(before);
  if (were) remembered(columns, laned.all, near, were); else ordered(columns, near);
  const size = stacked(laned.all, columns, gap, were);
  const top = size.height ? size.height + gap.y : 0;
  const whole = were ? packedAgain(laned.all, [...alone], size, gap, top, were) : packed(laned.all, [...alone], size, gap, top);
  return { ...whole, out: laned.out, in: laned.in, memory: { nodes: laned.all, alone, lefts: size.lefts, top, x: 0, y: 0 } };
}

/** @param {Near} near @param {number} at */
const degree = (near, at) => near.start[at + 1] - near.start[at];

/** The least column of those nodes. @param {Near} near @param {number} at @param {Int32Array} column */
function least(near, at, column) {
  let found = Infinity;
  for (let each = near.start[at]; each < near.start[at + 1]; each += 1) found = Math.min(found, column[near.list[each]]);
  return found;
}

/** @param {Node} node */
const nameOf = ({ id, of, enters, column }) => (of ? `${of.id}\0${enters ? 'in' : 'out'} ${column}` : id);

/** @param {Memory} memory @returns {Before} */
function recalled({ nodes, alone, lefts, top, x, y }) {
  /** @type {Map<string, Place>} */
  const at = new Map();
  nodes.forEach((node, each) => { const name = nameOf(node); if (name !== undefined) at.set(name, { x: node.x - x, y: node.y - y, column: node.column, width: node.width, height: node.height, alone: alone.has(each) }); });
  return { at, lefts, top };
}

/** Neighbours in one direction: `end` 0 for those that edges of a node lead to, 1 for those they come from. @param {number} count @param {ArrayLike<number>} links @param {0 | 1} end @returns {Near} */
function nearBy(count, links, end) {
  const start = new Int32Array(count + 1), list = new Int32Array(links.length / 2);
  for (let at = end; at < links.length; at += 2) start[links[at] + 1] += 1;
  for (let at = 0; at < count; at += 1) start[at + 1] += start[at];
  const next = start.slice(0, count);
  for (let at = 0; at < links.length; at += 2) list[next[links[at + end]]++] = links[at + 1 - end];
  return { start, list };
}

/**
 * The nodes, and a narrow one in each column that an edge crosses.
 * @param {Node[]} nodes @param {ArrayLike<number>} edges @param {Int32Array} column @param {Set<Node>} leaving @param {Set<Node>} entered
 */
function withLanes(nodes, edges, column, leaving, entered) {
  const all = nodes.slice(), columnOf = Array.from(column), last = Math.max(0, ...column);
  /** @type {number[]} */
  const links = [];
  /** @type {Map<Node, Node[]>} */
  const out = new Map(), /** @type {Map<Node, Node[]>} */ into = new Map();
  const made = (/** @type {number} */ at, /** @type {Node} */ of, enters = false) => { all.push({ of, enters, x: 0, y: 0, width: 0, height: LANE, column: at }); columnOf.push(at); return all.length - 1; };
  /** Of each node that has lanes their numbers, from the column right of it on. @type {Map<number, number[]>} */
  const lanes = new Map();
  const laneOf = (/** @type {number} */ from, /** @type {number} */ at) => {
    let mine = lanes.get(from);
    if (!mine) lanes.set(from, mine = []);
    for (let each = columnOf[from] + 1 + mine.length; each <= at; each += 1) {
      const lane = made(each, nodes[from]);
      links.push(mine.length ? mine[mine.length - 1] : from, lane);
      mine.push(lane);
    }
    return mine[at - columnOf[from] - 1];
  };
  for (let at = 0; at < edges.length; at += 2) {
    const from = edges[at], to = edges[at + 1];
    links.push(columnOf[to] - columnOf[from] > 1 ? laneOf(from, columnOf[to] - 1) : from, to);
  }
  nodes.forEach((node, at) => {
    if (leaving.has(node) && column[at] < last) laneOf(at, last);
    if (!entered.has(node) || column[at] === 0) return;
    let before = made(0, node, true);
    const chain = [all[before]];
    for (let each = 1; each < column[at]; each += 1) { const next = made(each, node, true); links.push(before, next); chain.push(all[next]); before = next; }
    links.push(before, at);
    into.set(node, chain);
  });
  for (const [from, mine] of lanes) out.set(nodes[from], mine.map((lane) => all[lane]));
  return { all, columnOf, links, out, in: into };
}

/** The edges without those that close a ring. @param {number} count @param {Int32Array} edges */
function acyclic(count, edges) {
  const { start, list } = nearBy(count, edges, 0), state = new Uint8Array(count), next = start.slice(0, count);
  /** @type {number[]} */
  const kept = [], /** @type {number[]} */ stack = [];
  for (let root = 0; root < count; root += 1) {
    if (state[root]) continue;
    stack.push(root);
    state[root] = 1;
    while (stack.length) {
      const top = stack[stack.length - 1];
      if (next[top] === start[top + 1]) { state[top] = 2; stack.pop(); continue; }
      const to = list[next[top]++];
      if (state[to] === 1) continue;
      kept.push(top, to);
      if (!state[to]) { state[to] = 1; stack.push(to); }
    }
  }
  return kept;
}

/** @param {number} count @param {Near} up @param {Near} down */
function longest(count, up, down) {
  const column = new Int32Array(count), waits = new Int32Array(count), ready = new Int32Array(count);
  let length = 0;
  for (let at = 0; at < count; at += 1) { waits[at] = degree(up, at); if (!waits[at]) ready[length++] = at; }
  for (let head = 0; head < length; head += 1) {
    const at = ready[head];
    for (let each = down.start[at]; each < down.start[at + 1]; each += 1) {
      const next = down.list[each];
      if (column[next] <= column[at]) column[next] = column[at] + 1;
      waits[next] -= 1;
      if (!waits[next]) ready[length++] = next;
    }
  }
  return column;
}

/** @param {number[][]} columns @param {{up: Near, down: Near}} near */
function ordered(columns, { up, down }) {
  const count = up.start.length - 1, place = new Float64Array(count), middle = new Float64Array(count);
  const note = (/** @type {number[]} */ list) => { for (let at = 0; at < list.length; at += 1) place[list[at]] = at; };
  columns.forEach(note);
  for (let pass = 0; pass < PASSES; pass += 1) {
    const { start, list: others } = pass % 2 ? down : up;
    for (const list of pass % 2 ? [...columns].reverse() : columns) {
      for (const at of list) {
        let sum = 0;
        for (let each = start[at]; each < start[at + 1]; each += 1) sum += place[others[each]];
        middle[at] = start[at + 1] > start[at] ? sum / (start[at + 1] - start[at]) : place[at];
      }
      list.sort((a, b) => middle[a] - middle[b] || a - b);
      note(list);
    }
  }
}

/**
 * Each column as it was before, and what is new in it at its end, by the middle of its neighbours.
 * @param {number[][]} columns @param {Node[]} nodes @param {{up: Near, down: Near}} near @param {Before} before
 */
function remembered(columns, nodes, near, before) {
  const were = nodes.map((node) => before.at.get(nameOf(node) ?? '')), middle = new Float64Array(nodes.length);
  columns.forEach((list, column) => {
    for (const at of list) {
      const own = were[at];
      if (own && own.column === column && !own.alone) { middle[at] = own.y; continue; }
      let sum = 0, known = 0;
      for (const { start, list: others } of [near.up, near.down]) for (let each = start[at]; each < start[at + 1]; each += 1) { const one = were[others[each]]; if (one) { sum += one.y; known += 1; } }
      middle[at] = LAST + (known ? sum / known : LAST);
    }
    list.sort((a, b) => middle[a] - middle[b] || a - b);
  });
}

/** @param {Node[]} nodes @param {number[][]} columns @param {{x: number, y: number}} gap @param {Before | null} before */
function stacked(nodes, columns, gap, before) {
  let x = 0, height = 0;
  /** @type {number[]} */
  const lefts = [];
  columns.forEach((list, number) => {
    let y = 0, width = 0;
    x = Math.max(x, before?.lefts[number] ?? 0);
    lefts.push(x);
    for (const at of list) {
      const node = nodes[at], was = before?.at.get(nameOf(node) ?? '');
      node.column = number;
      node.x = x;
      node.y = was && was.column === number && !was.alone ? Math.max(y, was.y) : y;
      y = node.y + node.height + gap.y;
      width = Math.max(width, node.width);
    }
    for (const at of list) if (nodes[at].of) nodes[at].width = width;
    height = Math.max(height, y - gap.y);
    if (list.length) x += width + gap.x;
  });
  for (const list of before ? [] : columns) {
    if (!list.length) continue;
    const last = nodes[list[list.length - 1]];
    const shift = (height - (last.y + last.height)) / 2;
    for (const at of list) nodes[at].y += shift;
  }
  return { width: Math.max(0, x - gap.x), height: Math.max(0, height), lefts };
}

/**
 * Nodes without edges, in rows from `top` on, below the others.
 * @param {Node[]} nodes @param {number[]} alone @param {{width: number, height: number}} size @param {{x: number, y: number}} gap @param {number} top
 */
function packed(nodes, alone, { width: filled, height }, gap, top) {
  if (!alone.length) return { width: filled, height };
  const area = alone.reduce((sum, at) => sum + (nodes[at].width + gap.x) * (nodes[at].height + gap.y), 0);
  const limit = Math.max(filled, Math.sqrt(area * 1.8), nodes[alone[0]].width);
  let x = 0, y = top, tallest = 0, width = filled;
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

/**
 * As above, but for those that stood there: they stay, and what is new or has no room any more comes below them.
 * @param {Node[]} nodes @param {number[]} alone @param {{width: number, height: number}} size @param {{x: number, y: number}} gap @param {number} top @param {Before} before
 */
function packedAgain(nodes, alone, size, gap, top, before) {
  const down = Math.max(0, top - before.top);
  /** @type {Node[]} */
  const staying = [];
  /** @type {number[]} */
  const moving = [];
  const was = (/** @type {Node} */ node) => before.at.get(node.id ?? '');
  const isSame = (/** @type {number} */ at) => { const one = was(nodes[at]); return Number(Boolean(one?.alone && one.width === nodes[at].width && one.height === nodes[at].height)); };
  for (const at of [...alone].sort((a, b) => isSame(b) - isSame(a) || a - b)) {
    const node = nodes[at], one = was(node);
    if (one?.alone) Object.assign(node, { x: one.x, y: one.y + down, column: 0 });
    const isFree = one?.alone && (isSame(at) || !staying.some((other) => node.x < other.x + other.width && other.x < node.x + node.width && node.y < other.y + other.height && other.y < node.y + node.height));
    if (isFree) staying.push(node); else moving.push(at);
  }
  let { width, height } = size;
  for (const node of staying) { width = Math.max(width, node.x + node.width); height = Math.max(height, node.y + node.height); }
  return packed(nodes, moving, { width, height }, gap, height ? height + gap.y : 0);
}
