// What the page's pure modules decide: `node --test tests/ui/modules`.
import { test } from 'node:test';
import assert from 'node:assert/strict';

const app = new URL('../../../ui/codelocd_ui/static/app/', import.meta.url);
const load = (name) => import(new URL(name, app));
const { plain, styled } = await load('ansi.js');
const { coloured, framesOf, ownFrame } = await load('frames.js');
const { environmentsOf, found, matcher, lineFilter, namesField } = await load('filters.js');
const { Ring, wrapped, lineAt } = await load('ring.js');
const { arranged, lineage, graphOf, groupId, CARD } = await load('layout.js');
const { placed } = await load('placing.js');
const { headline, level, edgesOf, pasteOf, folded, past } = await load('stories.js');
const { told, density } = await load('journal.js');
const { bytes, clock, seconds, visible, words } = await load('format.js');

const asset = (location, name, deps = []) => [location, '__repository__', 'asset', name, 'default', [], deps, ''];

test('colours become classes, and every other escape is dropped', () => {
  assert.deepEqual(styled('plain'), [['', 'plain']]);
  assert.deepEqual(styled('\x1b[1;31mbad\x1b[0m ok'), [['a1 f1', 'bad'], ['', ' ok']]);
  assert.deepEqual(styled('\x1b[38;5;196mred\x1b[39m \x1b[48;2;0;0;255mblue'), [['f9', 'red'], ['', ' '], ['b4', 'blue']]);
  assert.deepEqual(styled('a\x1b]8;;http://evil\x07link\x1b]8;;\x07b'), [['', 'a'], ['', 'link'], ['', 'b']]);
  assert.deepEqual(styled('\x1b]52;c;AAAA\x1b\\x\x1b[2Jy\x1b[10;10Hz').map(([, text]) => text).join(''), 'xyz');
  assert.equal(styled('end\x1b').map(([, text]) => text).join(''), 'end');
  assert.equal(plain('\x1b[?25lhidden\x1b[?25h\x1b[>4;2m \x1b[0 q\x1b(B\x1b[mcursor\x1b7\x1b=\x1b[?20'), 'hidden cursor');
  assert.equal(plain('\x1b😀'), '😀');
  assert.deepEqual(styled('\x1b[38:2::255:0:4mred\x1b[4:3m\x1b[4:0m'), [['f9', 'red']]);
  assert.deepEqual(styled('\x1b[91;103ma\x1b[38;5;8;49mb\x1b[38;2;200;10;0mc\x1b[38;5;245md\x1b[38;5;231me\x1b[38;2;1mf').map(([classes]) => classes), ['f9 b11', 'f8', 'f1', 'f8', 'f15', 'f0']);
  assert.deepEqual(styled('\x1b[58;2;1;2;3;1mbold'), [['a1', 'bold']]);
});

test('the pieces of a line of code are the line', () => {
  for (const line of ['def f(x: int = 3): # "no"', '@asset(group="raw")', "x = 'a\\'b' + \"\"\"c\"\"\"", '', '"unclosed', 'for'])
    assert.equal(coloured(line).map(([, text]) => text).join(''), line);
  assert.deepEqual(coloured('return 1')[0], ['k', 'return']);
});

test('the frames of a traceback are read from its text', () => {
  const detail = 'Traceback (most recent call last):\n  File "/shop/defs.py", line 3, in <module>\n    import x\n  File "/env/lib/python3.12/site-packages/x/__init__.py", line 9, in f\n    raise E\nE: no\n';
  const frames = framesOf(detail);
  assert.deepEqual(frames.map((one) => [one.file, one.line, one.own]), [['/shop/defs.py', 3, true], ['/env/lib/python3.12/site-packages/x/__init__.py', 9, false]]);
  assert.equal(ownFrame(frames).line, 3);
  const broken = framesOf('  File "/shop/defs.py", line 97\n    def f(orders:\n         ^\nSyntaxError: x');
  assert.deepEqual([broken[0].column, broken[0].code], [5, [[97, 'def f(orders:']]]);
});

test('a search ranks what begins with the text before what has it', () => {
  const items = ['my_orders', 'orders', 'mart/orders', 'o_r_d_e_r_s', 'x'].map((text) => ({ text }));
  assert.deepEqual(found(items, 'orders', 10).map((one) => one.text), ['orders', 'mart/orders', 'my_orders', 'o_r_d_e_r_s']);
});

test('a filter of definitions takes fields and words', () => {
  const rows = [asset('sales', 'orders'), asset('geo', 'cities')];
  assert.deepEqual(rows.filter(matcher('location:sal kind:asset')).map((row) => row[3]), ['orders']);
  assert.equal(rows.filter(matcher('kind:job')).length, 0);
  const owned = [...asset('sales', 'paid').slice(0, 5), ['dbt'], [], '', ['team:ads', 'ann@shop'], ['tier=1']];
  for (const text of ['owner:ads', 'owner:ANN', 'tag:tier=1', 'tag:dbt', 'kind:dbt', 'owner:team:ads pa']) assert.deepEqual([...rows, owned].filter(matcher(text)).map((row) => row[3]), ['paid'], text);
  assert.deepEqual([namesField('owner:x'), namesField('a tag:'), namesField('http://x')], [true, true, false]);
});

test('a filter of lines is text, or an expression between slashes', () => {
  assert.equal(lineFilter('a.c').test('abc'), false);
  assert.equal(lineFilter('/a.c/').test('abc'), true);
  assert.equal(lineFilter('/(/'), null);
  assert.deepEqual(lineFilter('b').parts('abc'), [[false, 'a'], [true, 'b'], [false, 'c']]);
  assert.deepEqual(lineFilter('/x*/').parts('abc').map(([, text]) => text).join(''), 'abc');
});

test('a ring keeps the newest and counts what it dropped', () => {
  const ring = new Ring(3);
  ring.push([1, 2, 3, 4, 5]);
  assert.deepEqual(ring.filter(() => true), [3, 4, 5]);
  assert.equal(ring.dropped, 2);
});

test('no two cards of a level overlap, and edges lead from left to right where no ring is', () => {
  let seed = 7;
  const random = () => { seed = (seed * 1103515245 + 12345) % 2147483648; return seed / 2147483648; };
  for (let round = 0; round < 30; round += 1) {
    const nodes = Array.from({ length: 2 + Math.floor(random() * 40) }, () => ({ width: 198, height: 52 }));
    const edges = [];
    for (let at = 1; at < nodes.length; at += 1) if (random() < 0.8) edges.push([nodes[Math.floor(random() * at)], nodes[at]]);
    placed(nodes, edges, { x: 64, y: 14 });
    for (const [from, to] of edges) assert.ok(from.x < to.x);
    for (const a of nodes) for (const b of nodes) if (a !== b) assert.ok(a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y);
  }
});

test('a ring of assets is drawn all the same', () => {
  const rows = [asset('a', 'x', ['y']), asset('b', 'y', ['x'])];
  const picture = arranged(rows, new Set(['a', 'b']));
  assert.equal(picture.edges.length, 2);
  assert.ok(picture.boxes.every((one) => Number.isFinite(one.x)));
});

test('an upstream is the own location’s before another’s, and one that is missing is a ghost', () => {
  const { edges, ghosts } = graphOf([asset('a', 'x'), asset('b', 'x'), asset('b', 'y', ['x', 'gone'])]);
  assert.deepEqual(edges.map(([from, to]) => [from.location, to.name]), [['b', 'y']]);
  assert.deepEqual([...ghosts.values()], [['gone']]);
});

test('an asset that two locations make is known, and one that another only describes is not', () => {
  const described = [...asset('b', 'z')];
  described[7] = 'e';
  const rows = [asset('a', 'x'), asset('b', 'x'), asset('a', 'z'), described];
  assert.deepEqual([...graphOf(rows).twice], ['x']);
  assert.deepEqual([...arranged(rows.slice(1), new Set()).twice], []);
});

test('a lineage goes both ways, or one', () => {
  const { assets, edges } = graphOf([asset('a', 'x'), asset('a', 'y', ['x']), asset('a', 'z', ['y'])]);
  const y = assets.find((one) => one.name === 'y');
  const names = (set) => [...set].map((one) => one.name).sort();
  assert.deepEqual(names(lineage(edges, y)), ['x', 'y', 'z']);
  assert.deepEqual(names(lineage(edges, y, 'up')), ['x', 'y']);
});

test('groups of a large location fold, and unfold by their name', () => {
  const rows = Array.from({ length: 80 }, (_, at) => [...asset('a', `n${at}`, at ? [`n${at - 1}`] : []).slice(0, 4), at < 40 ? 'raw' : 'mart', [], at ? [`n${at - 1}`] : [], '']);
  const names = (unfolded) => arranged(rows, new Set(['a']), unfolded).boxes[0].cards.length;
  assert.deepEqual([names(new Set()), names(new Set([groupId('a', 'raw')])), names(new Set([groupId('a', 'raw'), groupId('a', 'mart')]))], [2, 41, 80]);
  assert.equal(arranged(rows, new Set(['a'])).lines[0].count, 1);
});

test('a line that passes a column runs between its cards', () => {
  const rows = [asset('a', 'x'), asset('a', 'y', ['x']), asset('a', 'z', ['y', 'x']), asset('b', 'far', ['x'])];
  const picture = arranged(rows, new Set(['a', 'b']));
  const inside = ({ x, y }, card) => x > card.x && x < card.x + CARD.width && y > card.y && y < card.y + CARD.height;
  const cards = picture.boxes.flatMap((one) => one.cards);
  for (const { points } of picture.lines) for (let at = 1; at < points.length; at += 1) if (points[at - 1].y === points[at].y) {
    const middle = { x: (points[at - 1].x + points[at].x) / 2, y: points[at].y };
    assert.ok(!cards.some((card) => inside(middle, card)), JSON.stringify(points));
  }
});

test('an upstream that no location makes is a card of its own', () => {
  const [box] = arranged([asset('a', 'x', ['gone'])], new Set(['a'])).boxes;
  assert.deepEqual(box.cards.map((card) => [card.name, Boolean(card.isGhost)]), [['x', false], ['gone', true]]);
});

const overlap = (a, b) => a !== b && a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
const placeOf = ({ x, y }) => [x, y];

test('an asset more moves no other location, but for those that its own has no room beside', () => {
  const rows = [];
  for (let place = 0; place < 24; place += 1) for (let number = 0; number < 6; number += 1) rows.push(asset(`l${place}`, `a${place}_${number}`, number ? [`a${place}_${number - 1}`] : place > 5 ? [`a${place - 6}_5`] : []));
  rows.push(asset('single', 'alone'), asset('other', 'lonely'));
  for (const open of [new Set(), new Set(rows.map((row) => row[0]))]) {
    const before = arranged(rows, open);
    for (const more of [asset('l3', 'fresh', ['a3_0']), asset('l9', 'last'), asset('single', 'second'), asset('l23', 'far', ['a23_5', 'a17_5'])]) {
      const after = arranged([...rows, more], open, undefined, before), [location] = more;
      const was = before.boxes.find((box) => box.name === location), is = after.boxes.find((box) => box.name === location);
      const growth = [is.width - was.width, is.height - was.height];
      for (const box of after.boxes) {
        const old = before.boxes.find((one) => one.name === box.name);
        const mayMove = box.column > was.column ? growth[0] : old.column === was.column && old.y > was.y ? growth[1] : location === box.name || old.y > was.y ? Infinity : 0;
        assert.ok(Math.abs(box.x - old.x) + Math.abs(box.y - old.y) <= mayMove, `${location} moved ${box.name}: ${placeOf(old)} ${placeOf(box)}`);
        for (const card of box.cards) {
          const there = old.cards.find((one) => one.id === card.id);
          if (there && box.isOpen) assert.deepEqual([card.x - box.x, card.y - box.y], [there.x - old.x, there.y - old.y]);
        }
      }
      for (const a of after.boxes) for (const b of after.boxes) assert.ok(!overlap(a, b), `${a.name} and ${b.name}`);
    }
  }
});

test('what comes and goes for long leaves no two boxes or cards in one place', () => {
  let seed = 11;
  const random = (count) => { seed = (seed * 1103515245 + 12345) % 2147483648; return seed % count; };
  let rows = Array.from({ length: 60 }, (_, at) => asset(`l${at % 9}`, `a${at}`, at > 9 ? [`a${at - 9}`, ...(at % 4 ? [] : [`a${at - 10}`])] : []));
  const open = new Set(['l0', 'l1', 'l2', 'l3', 'l4']);
  let picture = arranged(rows, open);
  for (let round = 0; round < 120; round += 1) {
    if (round % 3 === 2) rows = rows.filter((_, at) => at !== random(rows.length) % rows.length);
    else rows = [...rows, asset(`l${random(round % 20 ? 9 : 12)}`, `n${round}`, random(2) ? [rows[random(rows.length)][3]] : [])];
    picture = arranged(rows, open, undefined, picture);
    for (const list of [picture.boxes, ...picture.boxes.filter((box) => box.isOpen).map((box) => box.cards)]) for (const a of list) for (const b of list) assert.ok(!overlap(a, b), `round ${round}`);
    for (const box of picture.boxes) if (box.isOpen) for (const card of box.cards) assert.ok(card.x >= box.x && card.y >= box.y && card.x + card.width <= box.x + box.width && card.y + card.height <= box.y + box.height, `round ${round}`);
  }
});

test('ten thousand assets are laid out', () => {
  const rows = Array.from({ length: 10000 }, (_, at) => asset(`l${at % 200}`, `n${at}`, at > 200 ? [`n${at - 200}`, ...(at % 10 ? [] : [`n${at - 199}`])] : []));
  const picture = arranged(rows, new Set(rows.map((row) => row[0])));
  assert.equal(picture.assets.length, 10000);
});

const location = (name, more = {}) => ({ name, state: 'serving', stale: false, problem: null, reloading: null, wanted: true, ...more });
test('the headline says what needs attention first', () => {
  assert.equal(headline([]), 'No locations yet');
  assert.equal(headline([location('a')]), 'Everything is serving');
  assert.equal(headline([location('a', { stale: true, problem: {} }), location('b', { state: 'failed' })]), '2 locations need attention');
  assert.equal(headline([location('a', { state: 'building' })]), '1 location is building');
  assert.equal(headline([location('a', { state: 'stopping' })]), '1 location is stopping');
  assert.equal(headline([location('a', { state: 'stopping' }), location('b', { state: 'building' })]), '1 location is building');
  assert.equal(headline([location('a', { state: 'stopped', wanted: false })]), 'Everything is stopped');
  assert.equal(headline([location('a'), location('b', { state: 'stopped', wanted: false })]), '1 location is stopped, all others serve');
  assert.equal(level(location('a', { state: 'external' })), 'off');
});

test('saves in a row that changed nothing are one entry', () => {
  const nothing = { location: 'a', added: [], changed: [], removed: [] };
  const entries = folded([nothing, nothing, { ...nothing, added: [1] }, nothing]);
  assert.deepEqual(entries.map((one) => one.count), [2, 1, 1]);
});

const entry = (seq, event, more = {}) => ({ seq, at: 1000 + seq, location: 'a', event, before: 'serving', after: 'serving', generation: 1, detail: null, ...more });
test('what one save led to is one story, which says how it ended', () => {
  const stories = told([
    entry(8, 'exited', { detail: 'ended by the daemon' }), entry(7, 'load-failed', { detail: 'E: no', timing: { total: 0.03 } }), entry(6, 'launched'), entry(5, 'sources-changed', { detail: '/p/defs.py' }),
    entry(4, 'exited', { detail: 'ended by the daemon' }), entry(3, 'loaded', { added: 1, changed: 0, removed: 2 }), entry(2, 'launched'), entry(1, 'reload-asked', { by: 'cli' }),
  ]);
  assert.deepEqual(stories.map((one) => [one.title, one.detail, one.level, one.entries.length]), [
    ['defs.py saved → load failed', 'E: no', 'bad', 4], ['reload → serves, +1 −2, asked by cli', '', 'ok', 4],
  ]);
  assert.equal(stories[0].seconds, 0.03);
});

test('a run is a story of its own, beside what a save led to meanwhile', () => {
  const stories = told([
    entry(6, 'run-ended', { detail: 'run 8: nightly failed (exception)', by: 'every_morning' }), entry(5, 'run-ended', { detail: 'run 7: orders succeeded', by: 'ada' }),
    entry(4, 'loaded', { added: 0, changed: 0, removed: 0 }), entry(3, 'run-started', { detail: 'run 8: nightly', by: 'every_morning' }), entry(2, 'sources-changed', { detail: '/p/defs.py' }),
    entry(1, 'run-started', { detail: 'run 7: orders', by: 'ada' }),
  ]);
  assert.deepEqual(stories.map((one) => [one.title, one.level, one.entries.length, one.seconds]), [
    ['run 8: nightly failed (exception), asked by every_morning', 'bad', 2, 3], ['run 7: orders succeeded, asked by ada', 'ok', 2, 4], ['defs.py saved → serves, nothing changed', 'ok', 2, 2],
  ]);
  assert.deepEqual(told([entry(1, 'run-started', { detail: 'run 9: x', by: null })]).map((one) => [one.title, one.level]), [['run 9: x began', 'off']]);
});

test('a crash loop is one story, and so are saves that changed nothing', () => {
  const crashes = Array.from({ length: 5 }, (_, at) => entry(9 - at, 'exited', { detail: 'signal 9', after: 'backoff' }));
  assert.deepEqual(told(crashes).map((one) => [one.count, one.level]), [[5, 'bad']]);
  const waits = [8, 4].flatMap((at) => [
    entry(at, 'exited', { detail: 'signal 9', before: 'starting', after: 'backoff' }), entry(at - 1, 'exited', { detail: 'signal 9', before: 'starting', after: 'starting' }),
    entry(at - 2, 'launched', {}), entry(at - 3, 'deadline-passed', { before: 'backoff', after: 'building' }),
  ]);
  assert.deepEqual(told([...waits, entry(0, 'exited', { detail: 'signal 9', after: 'backoff' })]).map((one) => [one.count, one.title]), [[5, 'crashed']]);
  const late = [entry(2, 'deadline-passed', { before: 'starting', after: 'failed' }), entry(1, 'started', {})];
  assert.deepEqual(told(late).map((one) => [one.title, one.level]), [['start → deadline passed', 'bad']]);
  const saves = [1, 2, 3].flatMap((at) => [entry(2 * at, 'loaded', { added: 0, changed: 0, removed: 0 }), entry(2 * at - 1, 'sources-changed', { detail: '/p/a.py' })]).sort((a, b) => b.seq - a.seq);
  assert.deepEqual(told(saves).map((one) => [one.count, one.title]), [[3, 'a.py saved → serves, nothing changed']]);
});

test('saves and reload times are remembered from the journal, each once', () => {
  const timing = { event: 0.001, import: 0.01, total: 0.02 };
  const journal = [entry(3, 'load-failed', { timing }), entry(2, 'loaded', { generation: 2, timing, added: 1, changed: 0, removed: 0 }), entry(1, 'loaded', { timing, added: 2, changed: 0, removed: 0 }), entry(0, 'loaded', { timing: { import: 0.01, total: 0.02 }, before: 'starting' })];
  const live = [{ location: 'a', generation: 2, at: 1002, timing, seconds: 0.02, added: [[]], changed: [], removed: [] }];
  const { saves, reloads } = past(journal, live);
  assert.deepEqual(saves.map((one) => [one.generation, one.counts]), [[2, undefined], [1, [2, 0, 0]]]);
  assert.deepEqual(reloads.get('a').map((one) => one.ok), [true, true, false]);
  const repair = entry(9, 'loaded', { generation: 1, timing, before: 'starting', added: 3, changed: 0, removed: 0 });
  assert.deepEqual(past([repair], []).saves.map((one) => one.counts), [[3, 0, 0]]);
});

test('the density of a time counts what began in each part of it', () => {
  const stories = [{ first: { at: 5 }, level: 'bad' }, { first: { at: 95 }, level: 'ok' }, { first: { at: 200 }, level: 'ok' }];
  assert.deepEqual(density(stories, 0, 100, 2), [{ all: 1, bad: 1 }, { all: 1, bad: 0 }]);
});

test('a line is as high as its text is long', () => {
  const lines = ['short', 'x'.repeat(25), '\x1b[31mred\x1b[0m', '漢'.repeat(8)].map((text) => ({ text }));
  const tops = wrapped(lines, 10, 2000);
  assert.deepEqual([...tops], [0, 1, 4, 5, 7]);
  assert.deepEqual([0, 1, 3, 4, 6, 99].map((row) => lineAt(tops, row)), [0, 1, 1, 2, 3, 3]);
});

test('a value of a definition is words, not JSON', () => {
  assert.equal(words({ max_retries: 3, backoff: null, delay: { seconds: 2 } }), 'max retries 3, delay (seconds 2)');
  assert.equal(words(['a', true]), 'a, yes');
});

test('numbers and names are shown as people read them', () => {
  assert.equal(seconds(0.0404), '40 ms');
  assert.equal(seconds(1.239), '1.24 s');
  assert.equal(seconds(null), '−');
  assert.equal(bytes(4 * 1024 * 1024), '4 MiB');
  assert.equal(visible('a\u202eb\u0007'), 'a\\u202eb\\u0007');
  assert.equal(visible('a\u061cb'), 'a\\u061cb');
});

test('joiners stay where emoji and scripts need them, and what hides is seen', () => {
  for (const whole of ['👩\u200d💻', '👩🏽\u200d🚀', '❤\ufe0f\u200d🔥', '\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645', '\u0915\u094d\u200d\u0937']) assert.equal(visible(whole), whole);
  assert.equal(visible('sa\u200dles\u200c'), 'sa\\u200dles\\u200c');
  assert.equal(visible('\u200d💻\u200d'), '\\u200d💻\\u200d');
  assert.equal(visible('a\u{e0041}\u{e007f}b'), 'a\\u{e0041}\\u{e007f}b');
  assert.equal(visible('\ud800x'), '\ud800x');
});

test('edges are what assets are made from', () => {
  const job = ['sales', '__repository__', 'job', 'daily', '', [], ['orders', 'paid'], ''];
  assert.equal(edgesOf([asset('sales', 'orders', ['raw/a', 'raw/b']), asset('sales', 'paid', ['orders']), job]), 3);
});

test('what is copied of a remedy can be pasted into the config', () => {
  assert.equal(pasteOf('write in [location."a.py".environment] of /shop/codelocd.toml: packages = ["x>=1", "y"]'), '[location."a.py".environment]\npackages = ["x>=1", "y"]\n');
  assert.equal(pasteOf('set it in [location.sales] of /shop/codelocd.toml: env = { TOKEN = "VALUE" }'), '[location.sales]\nenv = { TOKEN = "VALUE" }\n');
  for (const other of ['add "x" to dependencies in /shop/pyproject.toml', 'set TOKEN in /shop/.env']) assert.equal(pasteOf(other), other);
});

test('an environment is found by its Python, its key and who uses it', () => {
  const environment = { key: '0123456789abcdef', python: '3.12.4' };
  const all = environmentsOf([{ name: 'sales', environment }, { name: 'ads', environment }, { name: 'web', environment: null }]);
  assert.deepEqual(all, [{ key: environment.key, text: '0123456789ab Python 3.12.4 of sales, ads' }]);
  for (const text of ['0123456', '3.12', 'Python 3.12.4']) assert.equal(found(all, text, 9).length, 1, text);
});
