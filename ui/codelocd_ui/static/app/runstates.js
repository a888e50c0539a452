// What runs are and become, in words; which there are to be started. Pure.
import { LIVE, isLive } from './anyruns.js';
import { clock, seconds } from './format.js';

/** @type {Record<string, Level>} */
const LEVELS = { queued: 'off', starting: 'busy', running: 'busy', succeeded: 'ok', failed: 'bad', lost: 'bad', cancelled: 'off', started: 'busy', passed: 'ok', error: 'bad', skipped: 'off', checked: 'ok', planned: 'off', warning: 'warn' };
/** Of a run, a step or a check. @param {string} state @returns {Level} */
export const levelOf = (state) => (Object.hasOwn(LEVELS, state) ? LEVELS[state] : 'off');

export const STATES = [...LIVE, 'succeeded', 'failed', 'cancelled', 'lost'];

/** How it stands, and why. @param {Run} run */
export function runWord(run) {
  if (isLive(run) && run.stopping) return 'ending';
  return run.why && !isLive(run) ? `${run.state}: ${run.why}` : run.state;
}

/** What it runs, as it is named in a command. @param {Pick<Run, 'location' | 'job' | 'select'>} run */
export function nameOf(run) {
  if (run.job != null) return `${run.location}/${run.job}`;
  const select = run.select ?? [];
  if (!select.length) return `${run.location}, all assets`;
  return select.length === 1 ? `${run.location}/${select[0]}` : `${run.location}, ${select.slice(0, 3).join(', ')}${select.length > 3 ? ` and ${select.length - 3} more` : ''}`;
}

/** @type {Record<string, string>} */
const ASKED_BY = { page: 'the page', cli: 'the command line', top: 'codelocd top', client: 'a program' };
/** What or who asked for it. @param {Record<string, any> | null | undefined} by */
export function askedBy(by) {
  if (!by?.kind) return '−';
  const name = by.name ?? by.user;
  if (by.kind === 'retry') return 'a retry';
  const kind = Object.hasOwn(ASKED_BY, by.kind) ? ASKED_BY[by.kind] : String(by.kind);
  if (by.kind === 'schedule' || by.kind === 'sensor') return `${by.kind} ${name ?? ''}`.trim();
  return name == null || by.kind === 'page' ? kind : `${name}${by.kind === 'top' ? ', codelocd top' : ''}`;
}

/** How long a run or an attempt took, or takes by now: what goes on was told of at another moment. @param {Pick<Run, 'started' | 'ended' | 'seconds'>} it @param {number} now Unix seconds */
export const tookOf = (it, now) => (it.started == null ? null : it.ended != null && it.seconds != null ? it.seconds : Math.max(0, (it.ended ?? now) - it.started));

/** What is said aloud of a run that has ended; empty of all else. @param {Run | undefined} before @param {Run} run */
export function runSentence(before, run) {
  return isLive(run) || (before && !isLive(before)) ? '' : `run ${run.id} of ${nameOf(run)}: ${runWord(run)}`;
}

/** Runs as the list has them: newest first, those that fit. @param {Iterable<Run>} runs @param {string} location @param {string} state one of them, `live`, or '' @returns {Run[]} */
export function listed(runs, location, state) {
  const fits = (/** @type {Run} */ run) => (!location || run.location === location) && (!state || (state === 'live' ? isLive(run) : run.state === state));
  return [...runs].filter(fits).sort((a, b) => b.id - a.id);
}

/** The states by which the daemon is asked for runs; undefined: all. @param {string} state */
export const statesOf = (state) => (state === 'live' ? LIVE : state ? [state] : undefined);

/**
 * What is asked before a location is stopped or restarted while runs of it go on; empty where none does.
 * @param {{running: number, queued: number}} counts @param {'stop' | 'restart'} order @param {boolean} [several] locations
 */
export function runsAside({ running, queued }, order, several = false) {
  const parts = [];
  if (running) parts.push(`${running} run${running === 1 ? '' : 's'} of ${several ? 'them' : 'it'} ${running === 1 ? 'goes' : 'go'} on with the code that ${running === 1 ? 'it' : 'they'} began with.`);
  if (queued) parts.push(order === 'stop' ? `${queued} in the queue ${queued === 1 ? 'is' : 'are'} cancelled.` : `${queued} in the queue ${queued === 1 ? 'starts' : 'start'} with what is served then.`);
  return parts.join(' ');
}

/**
 * The run after what its attempt told. A step that is not known yet is added.
 * @param {WholeRun} run @param {{attempt: number, told: any}} heard @returns {WholeRun}
 */
export function toldOf(run, { told }) {
  const { event, at, ...facts } = told;
  if (event === 'plan') {
    const known = new Set(run.steps.map(keyOf));
    return { ...run, steps: run.steps.concat(facts.steps.filter((/** @type {Step} */ one) => !known.has(keyOf(one))).map((/** @type {any} */ one) => ({ kind: one.kind ?? 'asset', name: one.name, state: 'planned', checks: [] }))) };
  }
  if (event === 'step') {
    const before = run.steps.find((one) => keyOf(one) === keyOf(facts));
    const step = { ...before, ...facts, checks: facts.state === 'started' ? [] : before?.checks ?? [], since: facts.state === 'started' ? at : before?.since };
    return { ...run, steps: before ? run.steps.map((one) => (one === before ? step : one)) : [...run.steps, step] };
  }
  if (event === 'check') {
    const { asset, ...check } = facts;
    return { ...run, steps: run.steps.map((one) => (one.kind === 'asset' && one.name === asset ? { ...one, checks: [...one.checks.filter((each) => each.name !== check.name), check] } : one)) };
  }
  return run;
}
/** A run as the daemon has it, with the steps that its attempt has planned and not begun. @param {WholeRun} run @param {WholeRun | null} before */
export function withPlan(run, before) {
  const known = new Set(run.steps.map(keyOf));
  const planned = isLive(run) && before?.id === run.id ? before.steps.filter((one) => one.state === 'planned' && !known.has(keyOf(one))) : [];
  return planned.length ? { ...run, steps: run.steps.concat(planned) } : run;
}
/** @param {{kind?: string, name: string}} step */
const keyOf = (step) => `${step.kind ?? 'asset'}\0${step.name}`;

/** How a check is shown: one that only warns is no failure. @param {Check} check */
export const checkState = (check) => (check.state !== 'passed' && check.severity === 'warn' ? 'warning' : check.state);

/** Whether runs of a location are the daemon's. @param {string | null | undefined} loader @param {boolean} hasRuns something has run */
export const runsIt = (loader, hasRuns) => loader === 'native' || (loader === 'dagster' && hasRuns);

/** What can be started: jobs. @param {Row[]} rows @param {Map<string, CodeLocation>} locations @param {boolean} [hasRuns] something has run @returns {Startable[]} */
export function jobsOf(rows, locations, hasRuns = false) {
  return rows.flatMap(([location, repository, kind, name]) => (kind === 'job' && runsIt(locations.get(location)?.loader, hasRuns) ? [{ location, repository, kind, name }] : []));
}

/**
 * The parameters of a run: of a job, and of the assets that it makes, each name once.
 * @param {{assets?: string[][], parameters?: any[]}} job @param {{key: string[], parameters?: any[]}[]} assets
 */
export function parametersOf(job, assets) {
  const made = new Set((job.assets ?? []).map((key) => key.join('/')));
  const all = [job, ...assets.filter((one) => made.has(one.key.join('/')))].flatMap((one) => one.parameters ?? []);
  return [...new Map([...all].reverse().map((one) => [one.name, one])).values()].reverse();
}

/** Tags as they are typed: `k=v` with spaces between. @param {string} text @returns {Record<string, string>} */
export function tagsIn(text) {
  return Object.fromEntries(text.split(/\s+/).filter(Boolean).map((one) => { const [name, ...rest] = one.split('='); return [name, rest.join('=')]; }));
}

/** Time of day, with its day where that was another one, more or less. @param {number} at @param {number} now Unix seconds */
export const dated = (at, now) => (Math.abs(now - at) < NEAR ? clock(at) : DATE.format(at * 1000));
const NEAR = 20 * 3600, DATE = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', hour12: false });

/** When it comes, in words: `in 3 min`. @param {number} at @param {number} now Unix seconds */
export const until = (at, now) => (at - now < 1 ? 'now' : `in ${at - now < 60 ? `${Math.round(at - now)} s` : seconds(at - now)}`);

/** How the last tick of a schedule ended. @param {Schedule} schedule */
export function lastTick({ last, missed }) {
  const missing = missed ? `${missed} missed` : '';
  if (!last) return missing || '−';
  return [last.run != null ? `run ${last.run}` : last.state, last.why, missing].filter(Boolean).join(', ');
}
