// Where the nodes of one level of the graph stand: in columns, by the longest path to each. Pure.
//
// Sources stand beside their first reader; six passes order each column by the middle of its
// neighbours; nodes without edges are packed below. Edges that close a ring are left out of account, by
// depth-first order. An edge that skips columns gets a lane of its own in each of them, so that it
// runs between the cards and not behind them; edges of one node share their lanes.

const PASSES = 6, LANE = 4, MOST_LANED = 200;

/** @typedef {{x: number, y: number, width: number, height: number, column: number, lane?: boolean}} Node */
/** @typedef {{width: number, height: number, out: Map<Node, Node[]>, in: Map<Node, Node[]>, columns: number}} Size */

/**
 * Gives each node `x`, `y` and `column`. `leaving` and `entered`: nodes with edges to and from outside, for
 * which lanes lead to the last and from the first column. The result's `out` has the lanes right of a
 * node, by column, and `in` those left of one.
 * @param {Node[]} nodes @param {[Node, Node][]} edges @param {{x: number, y: number}} gap
 * @param {Set<Node>} leaving @param {Set<Node>} entered @returns {Size}
 */
export function placed(nodes, edges, gap, leaving = new Set(), entered = new Set()) {
  const index = new Map(nodes.map((node, at) => [node, at]));
  const kept = acyclic(nodes.length, edges.map(([from, to]) => [index.get(from) ?? 0, index.get(to) ?? 0]));
  const { up, down } = neighbours(nodes.length, kept);
  const column = longest(nodes.length, up, down);
  for (let at = 0; at < nodes.length; at += 1) if (!up[at].length && down[at].length) column[at] = Math.max(0, Math.min(...down[at].map((one) => column[one])) - 1);
  const laned = nodes.length <= MOST_LANED ? withLanes(nodes, kept, column, leaving, entered) : { all: nodes, columnOf: Array.from(column), links: kept, out: new Map(), in: new Map() };
  const near = neighbours(laned.all.length, laned.links);
  /** @type {number[]} */
  const joined = [], /** @type {number[]} */ alone = [];
  for (let at = 0; at < laned.all.length; at += 1) (near.up[at].length || near.down[at].length ? joined : alone).push(at);
  /** @type {number[][]} */
  const columns = [];
  for (const at of joined) (columns[laned.columnOf[at]] ??= []).push(at);
  for (let at = 0; at < columns.length; at += 1) columns[at] ??= [];
  ordered(columns, near.up, near.down);
  const size = stacked(laned.all, columns, gap);
  return { ...packed(laned.all, alone, size, gap), out: laned.out, in: laned.in, columns: columns.length };
}

/** @param {number} count @param {[number, number][]} edges */
function neighbours(count, edges) {
  /** @type {number[][]} */
  const up = Array.from({ length: count }, () => []), /** @type {number[][]} */ down = Array.from({ length: count }, () => []);
  for (const [from, to] of edges) { down[from].push(to); up[to].push(from); }
  return { up, down };
}

/**
 * The nodes, and a narrow one in each column that an edge crosses.
 * @param {Node[]} nodes @param {[number, number][]} edges @param {Int32Array} column @param {Set<Node>} leaving @param {Set<Node>} entered
 */
function withLanes(nodes, edges, column, leaving, entered) {
  const all = [...nodes], columnOf = Array.from(column);
  /** @type {[number, number][]} */
  const links = [];
  /** @type {Map<Node, Node[]>} */
  const out = new Map(), /** @type {Map<Node, Node[]>} */ into = new Map();
  const made = (/** @type {number} */ at) => { all.push({ x: 0, y: 0, width: 0, height: LANE, column: at, lane: true }); columnOf.push(at); return all.length - 1; };
  /** @type {Map<string, number>} */
  const lanes = new Map();
  const laneOf = (/** @type {number} */ from, /** @type {number} */ at) => {
    const name = `${from} ${at}`;
    let lane = lanes.get(name);
    if (lane === undefined) {
      lane = made(at);
      lanes.set(name, lane);
      links.push([at - 1 === columnOf[from] ? from : laneOf(from, at - 1), lane]);
      (out.get(nodes[from]) ?? out.set(nodes[from], []).get(nodes[from]))?.push(all[lane]);
    }
    return lane;
  };
  for (const [from, to] of edges) links.push([columnOf[to] - columnOf[from] > 1 ? laneOf(from, columnOf[to] - 1) : from, to]);
  const last = Math.max(0, ...column);
  nodes.forEach((node, at) => {
    if (leaving.has(node) && column[at] < last) laneOf(at, last);
    if (!entered.has(node) || column[at] === 0) return;
    let before = made(0);
    const chain = [all[before]];
    for (let each = 1; each < column[at]; each += 1) { const next = made(each); links.push([before, next]); chain.push(all[next]); before = next; }
    links.push([before, at]);
    into.set(node, chain);
  });
  for (const chain of out.values()) chain.sort((a, b) => a.column - b.column);
  return { all, columnOf, links, out, in: into };
}

/** The edges without those that close a ring. @param {number} count @param {[number, number][]} edges */
function acyclic(count, edges) {
  /** @type {number[][]} */
  const out = Array.from({ length: count }, () => []);
  for (const edge of edges) out[edge[0]].push(edge[1]);
  const state = new Uint8Array(count);
  /** @type {[number, number][]} */
  const kept = [];
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

/** @param {number} count @param {number[][]} up @param {number[][]} down */
function longest(count, up, down) {
  const column = new Int32Array(count), waits = up.map((one) => one.length);
  /** @type {number[]} */
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

/** @param {number[][]} columns @param {number[][]} up @param {number[][]} down */
function ordered(columns, up, down) {
  const place = new Float64Array(up.length), middle = new Float64Array(up.length);
  const note = (/** @type {number[]} */ list) => list.forEach((at, position) => { place[at] = position; });
  columns.forEach(note);
  for (let pass = 0; pass < PASSES; pass += 1) {
    const forward = pass % 2 === 0, near = forward ? up : down;
    const order = forward ? columns : [...columns].reverse();
    for (const list of order) {
      for (const at of list) {
        let sum = 0;
        for (const one of near[at]) sum += place[one];
        middle[at] = near[at].length ? sum / near[at].length : place[at];
      }
      list.sort((a, b) => middle[a] - middle[b] || a - b);
      note(list);
    }
  }
}

/** @param {Node[]} nodes @param {number[][]} columns @param {{x: number, y: number}} gap */
function stacked(nodes, columns, gap) {
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
    for (const at of list) if (nodes[at].lane) nodes[at].width = width;
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

/**
 * Nodes without edges, in rows below the others.
 * @param {Node[]} nodes @param {number[]} alone @param {{width: number, height: number}} size @param {{x: number, y: number}} gap
 */
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
