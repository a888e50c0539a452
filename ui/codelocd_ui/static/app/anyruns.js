// Whether there is anything of runs, and which go on: all that the first page needs of them. Pure.

export const LIVE = ['queued', 'starting', 'running'];
/** @param {Pick<Run, 'state'>} run */
export const isLive = (run) => LIVE.includes(run.state);

/** How many runs go on. @param {Iterable<Run>} runs @param {string} [location] */
export function goingOn(runs, location) {
  const live = [...runs].filter((run) => isLive(run) && (!location || run.location === location));
  const queued = live.filter((run) => run.state === 'queued').length;
  return { running: live.length - queued, queued };
}

/** `1 running, 2 queued`; empty where none is. @param {{running: number, queued: number}} counts */
export const goingOnWords = ({ running, queued }) => [running && `${running} running`, queued && `${queued} queued`].filter(Boolean).join(', ');

/** Whether a daemon has anything of runs to be shown. @param {{page: {runs: boolean}, runs: Map<number, Run>, rows: Row[], locations: Map<string, CodeLocation>}} store */
export function showsRuns({ page, runs, rows, locations }) {
  if (!page.runs) return false;
  return runs.size > 0 || rows.some(([location, , kind]) => RUN_KINDS.has(kind) && locations.get(location)?.loader === 'native');
}
const RUN_KINDS = new Set(['job', 'schedule', 'sensor']);
