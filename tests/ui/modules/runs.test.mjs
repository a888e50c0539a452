// What the page's pure module of runs decides: `node --test tests/ui/modules`.
import { test } from 'node:test';
import assert from 'node:assert/strict';

const app = new URL('../../../ui/codelocd_ui/static/app/', import.meta.url);
const { goingOn, goingOnWords, showsRuns } = await import(new URL('anyruns.js', app));
const { askedBy, checkState, dated, jobsOf, lastTick, levelOf, listed, nameOf, parametersOf, runSentence, runWord, runsAside, statesOf, tagsIn, toldOf, tookOf, until, withPlan } = await import(new URL('runstates.js', app));
const { clock } = await import(new URL('format.js', app));
const { found, matcher, namesFile } = await import(new URL('filters.js', app));

/** As docs/protocol.md has it. */
const run = (id, more = {}) => ({
  id, location: 'sales', repository: '__repository__', job: 'nightly', select: null, state: 'succeeded', why: null, summary: null, by: { kind: 'client' },
  params: {}, tags: {}, retry_of: null, scheduled_for: null, code: { generation: 9, manifest: null, late: [] }, environment: null,
  queued: 100, started: 101, ended: 103, attempt: 1, counts: {}, ...more,
});

test('a run is named as a command names it, and told with its reason', () => {
  assert.equal(nameOf(run(1)), 'sales/nightly');
  assert.equal(nameOf(run(1, { job: null, select: ['orders'] })), 'sales/orders');
  assert.equal(nameOf(run(1, { job: null, select: ['a', 'b', 'c', 'd', 'e'] })), 'sales, a, b, c and 2 more');
  assert.equal(nameOf(run(1, { job: null, select: null })), 'sales, all assets');
  assert.deepEqual([runWord(run(1, { state: 'failed', why: 'check' })), runWord(run(1, { state: 'running', stopping: 'cancel' })), runWord(run(1))], ['failed: check', 'ending', 'succeeded']);
  assert.deepEqual([levelOf('lost'), levelOf('running'), levelOf('__proto__'), levelOf('cancelled')], ['bad', 'busy', 'off', 'off']);
});

test('who asked for it is told in words', () => {
  assert.deepEqual([{ kind: 'page' }, { kind: 'schedule', name: 'every_morning' }, { kind: 'cli', user: 'ada' }, { kind: 'cli' }, { kind: 'constructor' }, null].map(askedBy), ['the page', 'schedule every_morning', 'ada', 'the command line', 'constructor', '−']);
});

test('the list has what fits, newest first, and asks the daemon for the same', () => {
  const runs = [run(1), run(2, { state: 'running' }), run(3, { state: 'failed' }), run(4, { location: 'ads', state: 'queued' })];
  const ids = (location, state) => listed(runs, location, state).map((one) => one.id);
  assert.deepEqual([ids('', ''), ids('sales', ''), ids('', 'live'), ids('sales', 'failed')], [[4, 3, 2, 1], [3, 2, 1], [4, 2], [3]]);
  assert.deepEqual([statesOf('live'), statesOf('lost'), statesOf('')], [['queued', 'starting', 'running'], ['lost'], undefined]);
  assert.equal(goingOnWords(goingOn(runs)), '1 running, 1 queued');
  assert.equal(goingOnWords(goingOn(runs, 'nowhere')), '');
});

test('a stop and a restart say what becomes of runs, and nothing where none goes on', () => {
  assert.equal(runsAside({ running: 0, queued: 0 }, 'restart'), '');
  assert.equal(runsAside({ running: 1, queued: 0 }, 'restart'), '1 run of it goes on with the code that it began with.');
  assert.equal(runsAside({ running: 2, queued: 3 }, 'stop'), '2 runs of it go on with the code that they began with. 3 in the queue are cancelled.');
  assert.equal(runsAside({ running: 2, queued: 1 }, 'restart', true), '2 runs of them go on with the code that they began with. 1 in the queue starts with what is served then.');
});

test('an end is said aloud once', () => {
  assert.equal(runSentence(run(7, { state: 'running' }), run(7, { state: 'failed', why: 'exception' })), 'run 7 of sales/nightly: failed: exception');
  assert.equal(runSentence(run(7), run(7)), '');
  assert.equal(runSentence(undefined, run(7, { state: 'queued' })), '');
});

test('what an attempt tells changes its steps', () => {
  const told = (whole, facts) => toldOf(whole, { attempt: 1, told: { at: 5, ...facts } });
  let whole = { ...run(1, { state: 'running' }), steps: [], attempts: [] };
  whole = told(whole, { event: 'plan', steps: [{ kind: 'asset', name: 'raw', timeout: null }, { kind: 'asset', name: 'orders', timeout: 3 }] });
  whole = told(whole, { event: 'step', kind: 'asset', name: 'raw', state: 'started' });
  const asked = { ...whole, steps: [whole.steps[0]] };
  assert.deepEqual(withPlan(asked, whole).steps.map((one) => one.state), ['started', 'planned']);
  assert.deepEqual([withPlan(asked, null), withPlan(asked, { ...whole, id: 2 }), withPlan({ ...asked, state: 'lost' }, whole)].map((one) => one.steps.length), [1, 1, 1]);
  assert.deepEqual(whole.steps.map((one) => [one.name, one.state, one.since]), [['raw', 'started', 5], ['orders', 'planned', undefined]]);
  whole = told(whole, { event: 'step', kind: 'asset', name: 'raw', state: 'succeeded', seconds: 0.8, metadata: { rows: 3 } });
  whole = told(whole, { event: 'check', asset: 'raw', name: 'fresh', state: 'failed', severity: 'warn' });
  whole = told(whole, { event: 'check', asset: 'raw', name: 'fresh', state: 'failed', severity: 'error' });
  whole = told(whole, { event: 'step', kind: 'resource', name: 'db', state: 'failed' });
  whole = told(whole, { event: 'note', text: 'x' });
  assert.deepEqual(whole.steps.map((one) => [one.kind, one.name, one.state, one.checks?.length ?? 0]), [['asset', 'raw', 'succeeded', 1], ['asset', 'orders', 'planned', 0], ['resource', 'db', 'failed', 0]]);
  assert.deepEqual(whole.steps[0].metadata, { rows: 3 });
  assert.deepEqual([checkState({ state: 'failed', severity: 'warn' }), checkState({ state: 'failed', severity: 'error' }), checkState({ state: 'passed', severity: 'warn' })], ['warning', 'failed', 'passed']);
});

test('a daemon without runs and without native jobs shows nothing of runs', () => {
  const locations = new Map([['sales', { loader: 'native' }], ['old', { loader: 'dagster' }]]);
  const asset = ['sales', '__repository__', 'asset', 'orders'], job = ['sales', '__repository__', 'job', 'nightly'], foreign = ['old', '__repository__', 'job', 'etl'];
  const store = (rows, more = {}) => ({ page: { runs: true }, runs: new Map(), rows, locations, ...more });
  assert.deepEqual([[asset, foreign], [job]].map((rows) => showsRuns(store(rows))), [false, true]);
  assert.equal(showsRuns(store([asset], { runs: new Map([[1, run(1)]]) })), true);
  assert.equal(showsRuns(store([job], { page: { runs: false } })), false);
  assert.deepEqual(jobsOf([asset, job, foreign], locations).map((one) => one.name), ['nightly']);
  assert.deepEqual(jobsOf([asset, job, foreign], locations, true).map((one) => one.name), ['nightly', 'etl'], 'where something has run, jobs of Dagster are started here, too');
});

test('times, tags and ticks are told as they are read', () => {
  assert.deepEqual([tookOf(run(1), 500), tookOf(run(1, { ended: null }), 500), tookOf(run(1, { started: null }), 500)], [2, 399, null]);
  assert.deepEqual(tagsIn(' team=ads  a=b=c lone '), { team: 'ads', a: 'b=c', lone: '' });
  assert.deepEqual([until(100, 200), until(230, 200), until(500, 200)], ['now', 'in 30 s', 'in 5 min']);
  const last = { at: 1, state: 'skipped', run: null, why: 'run 17 still running' };
  assert.deepEqual([lastTick({ last, missed: 0 }), lastTick({ last: { at: 1, state: 'run', run: 16, why: null }, missed: 1 }), lastTick({ last: null, missed: 0 })], ['skipped, run 17 still running', 'run 16, 1 missed', '−']);
});

test('a job is given its own parameters and those of its assets, each once', () => {
  const day = { name: 'day', type: 'str' }, rows = { name: 'rows', type: 'int' }, other = { name: 'other', type: null };
  const assets = [{ key: ['raw'], parameters: [day] }, { key: ['mart', 'orders'], parameters: [{ ...day, type: 'date' }, rows] }, { key: ['apart'], parameters: [other] }, { key: ['plain'] }];
  assert.deepEqual(parametersOf({ assets: [['raw'], ['mart', 'orders'], ['plain']] }, assets), [day, rows]);
  assert.deepEqual(parametersOf({ parameters: [other] }, assets), [other]);
});

test('a time of another day is told with its day', () => {
  const at = Date.UTC(2026, 10, 14, 12) / 1000;
  assert.equal(dated(at, at + 3600), clock(at));
  assert.match(dated(at, at + 3 * 86400), /^1[345] Nov,? \d\d:\d\d$/);
});

test('definitions are found by the file in which they stand', () => {
  const rows = [['sales', '', 'asset', 'orders', '', [], []], ['sales', '', 'asset', 'paid', '', [], []]];
  const files = { orders: '/shop/sales/raw.py', paid: '/shop/sales/mart.py' };
  assert.deepEqual(rows.filter(matcher('file:sales/RAW', (row) => files[row[3]])).map((row) => row[3]), ['orders']);
  assert.deepEqual([namesFile('file:x'), namesFile('profile:x'), namesFile('a file:b')], [true, false, true]);
  assert.deepEqual(found([{ text: 'run 17 sales/nightly' }, { text: 'run 7 x' }], 'run 17', 9).map((one) => one.text), ['run 17 sales/nightly']);
});
