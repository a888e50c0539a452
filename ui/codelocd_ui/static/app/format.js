// Numbers, times and names as people read them. Pure.

/** @param {number | null | undefined} seconds */
export function seconds(seconds) {
  if (seconds == null) return '−';
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 10) return `${seconds.toFixed(2)} s`;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  return age(seconds);
}

/** A duration in its largest unit. @param {number | null | undefined} seconds */
export function age(seconds) {
  if (seconds == null) return '−';
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86400)} d ${Math.floor((seconds % 86400) / 3600)} h`;
}

/** @param {number | null | undefined} bytes */
export function bytes(bytes) {
  if (bytes == null) return '−';
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes, unit = 0;
  while (value >= 1023.5 && unit < units.length - 1) { value /= 1024; unit += 1; }
  return `${value < 9.95 && unit > 0 && value % 1 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

/** A part of one core. @param {number | null | undefined} part */
export const percent = (part) => (part == null ? '−' : `${Math.round(part * 100)} %`);

/** Time of day, local. @param {number} at Unix seconds */
export function clock(at) { return DAY.format(at * 1000); }
const DAY = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false });

/** The same with milliseconds. @param {number} at Unix seconds */
export const exactly = (at) => `${clock(at)}.${String(Math.floor((at % 1) * 1000)).padStart(3, '0')}`;

/** The whole moment, for the tooltip. @param {number} at Unix seconds */
export const moment = (at) => new Date(at * 1000).toISOString();

/** @param {number} count @param {string} one @param {string} [many] */
export const counted = (count, one, many = `${one}s`) => `${count.toLocaleString('en')} ${count === 1 ? one : many}`;

// The joiners stay inside an emoji and between letters of scripts that need them (Persian, Hindi), and are seen elsewhere.
const JOINED = String.raw`(?:[\p{Extended_Pictographic}\p{Emoji_Modifier}\ufe0f]|(?![\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}\p{Script=Han}])[\p{L}\p{M}])`;
const HIDDEN = new RegExp(String.raw`(?<!${JOINED})[\u200c\u200d]|[\u200c\u200d](?!${JOINED})|[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]`, 'gu');
/** Text whose controls, direction marks and tags can be seen. @param {unknown} text */
export function visible(text) {
  return String(text ?? '').replace(HIDDEN, (one) => {
    const code = /** @type {number} */ (one.codePointAt(0)).toString(16);
    return code.length > 4 ? `\\u{${code}}` : `\\u${code.padStart(4, '0')}`;
  });
}

/** The last parts of a path, which is enough to know it by. @param {string} path */
export const shortPath = (path) => path.split('/').slice(-2).join('/');

/** A value of a definition as words: `every 3 days, within 2 h` rather than JSON. @param {any} value @returns {string} */
export function words(value) {
  if (value == null) return '−';
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (Array.isArray(value)) return value.map(words).join(', ') || 'none';
  if (typeof value !== 'object') return String(value);
  return Object.entries(value).filter(([, one]) => one != null).map(([name, one]) => `${name.replaceAll('_', ' ')} ${typeof one === 'object' && !Array.isArray(one) ? `(${words(one)})` : words(one)}`).join(', ') || 'none';
}
