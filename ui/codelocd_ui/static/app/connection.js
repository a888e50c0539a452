// The way to the server: login, requests, orders, and one socket for what is new.
import { store, take, takeRegistry, addEvents, tell } from './store.js';

const KEY = `codelocd:${location.pathname}`;
const PAUSES = [500, 1000, 2000, 4000];
let half = read();
let socket = null;
let tries = 0;
let wanted = { output: null, usage: false };
const outputListeners = new Set();

function read() { try { return localStorage.getItem(KEY) ?? ''; } catch { return ''; } }
function keep(value) { half = value; try { localStorage.setItem(KEY, value); } catch { /* a private window: for this tab only */ } }

export class Refused extends Error {
  constructor(status, error) { super(error?.message ?? `the page's server answered ${status}`); this.status = status; this.kind = error?.kind; this.data = error?.data; }
}

async function request(path, options = {}) {
  const headers = { 'X-Codelocd': half, ...options.headers };
  const response = await fetch(path, { ...options, headers, credentials: 'same-origin' });
  const body = await response.json().catch(() => ({}));
  if (response.status === 401) { store.link = 'login'; tell(); }
  if (!response.ok) throw new Refused(response.status, body.error);
  return body;
}

/** The answer of one of the daemon's methods that only read. */
export const ask = (method, params = {}) => request(`api/${method}?q=${encodeURIComponent(JSON.stringify(params))}`);

const post = (path, body) => request(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
export const order = (name, locations) => post('api/orders', { order: name, locations });

/** Log in with the token of the link. Throws Refused. */
export async function login(token) {
  const answer = await post('api/login', { token });
  keep(answer.half);
  connect();
}

export async function begin() {
  const token = location.hash.slice(1);
  if (token && !token.startsWith('/')) {
    history.replaceState(null, '', '#/');
    try { return await login(token); } catch (error) { store.loginProblem = error.message; }
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
    if (code === 4401) { store.link = 'login'; tell(); return; }
    if (store.link !== 'lost') { store.link = 'lost'; store.lostAt = Date.now() / 1000; tell(); }
    check();
    setTimeout(connect, PAUSES[Math.min(tries++, PAUSES.length - 1)]);
  };
}

/** A socket that is refused before it opens does not say why; a request does. */
function check() { if (tries === 1) ask('hello-there').catch(() => undefined); }

document.addEventListener('visibilitychange', () => { if (!document.hidden && store.link === 'lost') { tries = 0; connect(); } });

function hear(message) {
  if (message.type === 'output') { for (const listener of [...outputListeners]) listener(message); return; }
  take(message);
  if (message.type === 'state' && !message.gone) refresh();
}

/** What changed while the page was not told: the registry where its revision is another one, and the journal. */
async function refresh() {
  try {
    takeRegistry(await request('api/registry'));
    const { events } = await ask('events', { lines: 400 });
    addEvents(events);
  } catch { /* the next state brings them */ }
}

/** Say what this tab shows. @param {{output?: any, usage?: boolean}} changed */
export function want(changed) {
  wanted = { ...wanted, ...changed };
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(wanted));
}

/** Hear of output until the returned function is called. @param {any} locations true: of all */
export function hearOutput(locations, listener) {
  outputListeners.add(listener);
  want({ output: locations });
  return () => { outputListeners.delete(listener); want({ output: null }); };
}
