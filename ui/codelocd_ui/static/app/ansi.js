// Colours that programs print, as classes; every other escape sequence is dropped. Pure.

const ESCAPE = /\x1b(?:\[([0-9;:]*)([@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\|$)|[PX^_][^\x1b]*(?:\x1b\\|$)|.|$)/g;

/**
 * A line as pieces `[classes, text]`.
 * @param {string} line @returns {[string, string][]}
 */
export function styled(line) {
  if (!line.includes('\x1b')) return [['', line]];
  /** @type {[string, string][]} */
  const pieces = [];
  let style = /** @type {Style} */ ({ marks: new Set(), fore: '', back: '' }), from = 0;
  const put = (/** @type {string} */ text) => {
    if (text) pieces.push([[...style.marks, style.fore, style.back].filter(Boolean).join(' '), text]);
  };
  for (const match of line.matchAll(ESCAPE)) {
    put(line.slice(from, match.index));
    from = match.index + match[0].length;
    if (match[2] === 'm') style = applied(style, match[1].split(/[;:]/).map(Number));
  }
  put(line.slice(from));
  return pieces;
}

/** A line without its colours and other escape sequences. @param {string} line */
export const plain = (line) => (line.includes('\x1b') ? styled(line).map(([, text]) => text).join('') : line);

/** @typedef {{marks: Set<string>, fore: string, back: string}} Style */

/** @param {Style} style @param {number[]} codes @returns {Style} */
function applied(style, codes) {
  const next = { marks: new Set(style.marks), fore: style.fore, back: style.back };
  for (let at = 0; at < codes.length; at += 1) {
    const code = codes[at];
    if (code === 0 || Number.isNaN(code)) { next.marks.clear(); next.fore = ''; next.back = ''; }
    else if (code >= 1 && code <= 4) next.marks.add(`a${code}`);
    else if (code === 22) { next.marks.delete('a1'); next.marks.delete('a2'); }
    else if (code === 23 || code === 24) next.marks.delete(`a${code - 20}`);
    else if (code >= 30 && code <= 37) next.fore = `f${code - 30}`;
    else if (code >= 90 && code <= 97) next.fore = `f${code - 90}`;
    else if (code === 39) next.fore = '';
    else if (code >= 40 && code <= 47) next.back = `b${code - 40}`;
    else if (code >= 100 && code <= 107) next.back = `b${code - 100}`;
    else if (code === 49) next.back = '';
    else if (code === 38 || code === 48) {
      const colour = codes[at + 1] === 5 ? ofPalette(codes[at + 2]) : nearest(codes[at + 2], codes[at + 3], codes[at + 4]);
      at += codes[at + 1] === 5 ? 2 : 4;
      if (code === 38) next.fore = `f${colour}`; else next.back = `b${colour}`;
    }
  }
  return next;
}

/** One of the 256 colours as one of eight (xterm's palette). @param {number} index @returns {number} */
function ofPalette(index) {
  if (!(index >= 0 && index < 256)) return 7;
  if (index < 16) return index % 8;
  if (index >= 232) { const grey = (index - 232) * 10 + 8; return nearest(grey, grey, grey); }
  const level = (/** @type {number} */ one) => (one ? one * 40 + 55 : 0);
  const at = index - 16;
  return nearest(level(Math.floor(at / 36)), level(Math.floor(at / 6) % 6), level(at % 6));
}

/** @param {number} red @param {number} green @param {number} blue */
function nearest(red, green, blue) {
  const most = Math.max(red, green, blue);
  if (!(most > 60)) return 0;
  const bit = (/** @type {number} */ one) => (one > most * 0.6 ? 1 : 0);
  return bit(red) + 2 * bit(green) + 4 * bit(blue);
}
