// Colours that programs print, as classes; every other escape sequence is dropped. Pure.

// Of ECMA-48: control sequences (parameters 0–?, then intermediate bytes, then a final one), strings, and the
// short ones, such as `ESC ( B`, which terminfo's sgr0 writes.
const ESCAPE = /\x1b(?:\[([0-?]*)([ -/]*)([@-~]|$)|\][^\x07\x1b]*(?:\x07|\x1b\\|$)|[PX^_][^\x1b]*(?:\x1b\\|$)|[ -/]*[0-~])?/g;
const COLOURS = /^[0-9;:]*$/;

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
    if (match[3] === 'm' && !match[2] && COLOURS.test(match[1])) style = applied(style, match[1].split(';').flatMap(codesOf));
  }
  put(line.slice(from));
  return pieces;
}

/** A line without its colours and other escape sequences. @param {string} line */
export const plain = (line) => (line.includes('\x1b') ? styled(line).map(([, text]) => text).join('') : line);

/**
 * A parameter as the codes that it stands for where they are parted by semicolons: `4:3` is a curly underline,
 * `38:2::255:0:0` a colour whose first part names a colour space. @param {string} parameter @returns {number[]}
 */
function codesOf(parameter) {
  const [code, kind, ...rest] = parameter.split(':').map(Number);
  if (kind === undefined) return [code];
  if (code === 4) return [kind ? 4 : 24];
  return kind === 2 ? [code, kind, ...rest.slice(-3)] : [code, kind, ...rest];
}

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
    else if (code >= 90 && code <= 97) next.fore = `f${code - 82}`;
    else if (code === 39) next.fore = '';
    else if (code >= 40 && code <= 47) next.back = `b${code - 40}`;
    else if (code >= 100 && code <= 107) next.back = `b${code - 92}`;
    else if (code === 49) next.back = '';
    else if (code === 38 || code === 48 || code === 58) { // 58: of the underline, which has the text's
      const colour = codes[at + 1] === 5 ? ofPalette(codes[at + 2]) : nearest(codes[at + 2], codes[at + 3], codes[at + 4]);
      at += codes[at + 1] === 5 ? 2 : 4;
      if (code === 38) next.fore = `f${colour}`;
      if (code === 48) next.back = `b${colour}`;
    }
  }
  return next;
}

/** One of the 256 colours as one of sixteen (xterm's palette). @param {number} index @returns {number} */
function ofPalette(index) {
  if (!(index >= 0 && index < 256)) return 7;
  if (index < 16) return index;
  if (index >= 232) { const grey = (index - 232) * 10 + 8; return nearest(grey, grey, grey); }
  const level = (/** @type {number} */ one) => (one ? one * 40 + 55 : 0);
  const at = index - 16;
  return nearest(level(Math.floor(at / 36)), level(Math.floor(at / 6) % 6), level(at % 6));
}

/** Red, green and blue of xterm's sixteen colours, the bright ones last. */
const SIXTEEN = [[0, 0, 0], [205, 0, 0], [0, 205, 0], [205, 205, 0], [0, 0, 238], [205, 0, 205], [0, 205, 205], [229, 229, 229],
  [127, 127, 127], [255, 0, 0], [0, 255, 0], [255, 255, 0], [92, 92, 255], [255, 0, 255], [0, 255, 255], [255, 255, 255]];

/** The one of sixteen that is nearest. @param {number} red @param {number} green @param {number} blue */
function nearest(red, green, blue) {
  const far = SIXTEEN.map(([r, g, b]) => (red - r) ** 2 + (green - g) ** 2 + (blue - b) ** 2);
  return Math.max(far.indexOf(Math.min(...far)), 0); // 0 where a part is missing
}
