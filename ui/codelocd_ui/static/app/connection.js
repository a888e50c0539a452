// The way to the server: login, requests, orders, and one socket for what is new.
import { store, take, takeRegistry, addEvents, tell } from './store.js';

const KEY = `codelocd:${location.pathname}`;
const PAUSES = [500, 1000, 2000, 4000];
const REFUSED = 4401; // the close code by which the server asks for a login
let half = read();
/** @type {WebSocket | null} */
let socket = null;
let tries = 0;
/** @type {{output: true | string[] | null, usage: boolean, run: number | null}} */
let wanted = { output: null, usage: false, run: null };
/** Who hears of lines and of what runs tell, by the type of the message. @type {Map<string, Set<(message: any) => void>>} */
const listeners = new Map(['output', 'run_output', 'told'].map((type) => [type, new Set()]));

function read() { try { return localStorage.getItem(KEY) ?? ''; } catch { return ''; } }
/** @param {string} value */
function keep(value) { half = value; try { localStorage.setItem(KEY, value); } catch { /* a private window: for this tab only */ } }

export class Refused extends Error {
  /** @param {number} status @param {{message?: string, kind?: string} | undefined} error */
  constructor(status, error) { super(error?.message ?? `the page's server answered ${status}`); this.status = status; this.kind = error?.kind; }
}

/** @param {string} path @param {RequestInit} options @returns {Promise<any>} */
async function request(path, options = {}) {
  const headers = { 'X-Codelocd': half, ...options.headers };
  const response = await fetch(path, { ...options, headers, credentials: 'same-origin' });
  const body = await response.json().catch(() => ({}));
  if (response.status === 401) { store.link = 'login'; tell(); }
  if (!response.ok) throw new Refused(response.status, body.error);
  return body;
}

/** The answer of one of the daemon's methods that only read. @param {string} method @param {object} params */
export const ask = (method, params = {}) => request(`api/${method}?q=${encodeURIComponent(JSON.stringify(params))}`);

/** @param {string} path @param {object} body */
const post = (path, body) => request(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
/** @param {Order} name @param {string[]} locations */
export const order = (name, locations) => post('api/orders', { order: name, locations });
/** What concerns runs and schedules. @param {RunOrder} name @param {object} params @returns {Promise<any>} */
export const runOrder = (name, params) => post('api/orders', { order: name, params });

/** Log in with the token of the link. Throws Refused. @param {string} token */
export async function login(token) {
  const answer = await post('api/login', { token });
  keep(answer.half);
  store.link = 'connecting';
  connect();
}

export async function begin() {
  const token = location.hash.slice(1);
  if (token && !token.startsWith('/')) {
    history.replaceState(null, '', '#/');
    try { return await login(token); } catch (error) { store.loginProblem = String(/** @type {Error} */ (error).message); }
  }
  if (!half && document.documentElement.dataset.login === 'proxy') {
    try { return await login(''); } catch (error) { store.loginProblem = String(/** @type {Error} */ (error).message); }
  }
  if (half) connect(); else { store.link = 'login'; tell(); }
}

export function connect() {
  if (socket && socket.readyState <= WebSocket.OPEN) return;
  const url = new URL('api/socket', location.href);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  url.hash = '';
  const mine = new WebSocket(url);
  socket = mine;
  mine.onopen = () => { mine.send(JSON.stringify({ half })); want({}); };
  mine.onmessage = ({ data }) => { tries = 0; hear(JSON.parse(data)); };
  mine.onclose = ({ code }) => {
    if (socket !== mine) return;
    socket = null;
    if (code === REFUSED) { store.link = 'login'; tell(); return; }
    if (store.link !== 'lost') { store.link = 'lost'; store.lostAt = Date.now() / 1000; tell(); }
    check();
    setTimeout(connect, PAUSES[Math.min(tries++, PAUSES.length - 1)]);
  };
}

/** A socket that is refused before it opens does not say why; a request does. */
function check() { if (tries === 1) ask('status').catch(() => undefined); }

document.addEventListener('visibilitychange', () => { if (!document.hidden && store.link === 'lost') { tries = 0; connect(); } });

/** @param {any} message */
export function hear(message) {
  const hearing = listeners.get(message.type);
  if (hearing) { for (const listener of [...hearing]) listener(message); return; }
  const wasAway = message.type === 'state' && !message.gone && (store.link === 'lost' || store.gone) ? store.lostAt : 0;
  take(message);
  if (message.type === 'state' && !message.gone) refresh(wasAway);
}

/**
 * What changed while the page was not told: the registry, and the journal.
 * @param {number} lostAt 0: it was told of everything
 */
async function refresh(lostAt) {
  try {
    takeRegistry(await request('api/registry'));
    const { events } = await ask('events', { lines: 400 });
    const count = addEvents(events);
    if (lostAt) { store.back = { at: Date.now() / 1000, count }; tell(); }
  } catch { /* the next state brings them */ }
}

/** Say what this tab shows. @param {{output?: true | string[] | null, usage?: boolean, run?: number | null}} changed */
export function want(changed) {
  wanted = { ...wanted, ...changed };
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(wanted));
}

/** The files in which definitions stand. @returns {Promise<{files: Record<string, string[][]>}>} */
export const askFiles = () => request('api/files');

/** @param {string} type @param {(message: any) => void} listener */
function hearing(type, listener) {
  const all = /** @type {Set<(message: any) => void>} */ (listeners.get(type));
  all.add(listener);
  return () => { all.delete(listener); };
}

/**
 * Hear of output until the returned function is called.
 * @param {true | string[]} locations true: of all @param {(message: {lines: any[], skipped: number}) => void} listener
 */
export function hearOutput(locations, listener) {
  const stop = hearing('output', listener);
  want({ output: locations });
  return () => { stop(); want({ output: null }); };
}

/** Hear of what the run that is wanted prints. @param {(message: {lines: any[], skipped: number}) => void} listener */
export const hearRunOutput = (listener) => hearing('run_output', listener);
/** Hear of what its attempts tell. @param {(message: {id: number, attempt: number, told: any}) => void} listener */
export const hearTold = (listener) => hearing('told', listener);
