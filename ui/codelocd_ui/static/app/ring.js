// The newest lines of output, in a ring: adding one never moves the others; and how high each is. Pure.

/** @template T */
export class Ring {
  /** @param {number} size */
  constructor(size) {
    this.size = size;
    /** @type {T[]} */
    this.items = new Array(size);
    this.start = 0;
    this.length = 0;
    this.dropped = 0;
  }

  /** @param {T[]} items */
  push(items) {
    for (const item of items) {
      if (this.length < this.size) { this.items[(this.start + this.length) % this.size] = item; this.length += 1; }
      else { this.items[this.start] = item; this.start = (this.start + 1) % this.size; this.dropped += 1; }
    }
  }

  /** @param {number} index from 0, the oldest @returns {T} */
  at(index) { return this.items[(this.start + index) % this.size]; }

  /** Those for which `test` holds, oldest first. @param {(item: T) => boolean} test */
  filter(test) {
    const found = [];
    for (let index = 0; index < this.length; index += 1) { const item = this.at(index); if (test(item)) found.push(item); }
    return found;
  }
}

/** Of each location the number of its first line. @param {{location: string, seq: number}[]} lines oldest first */
export function firsts(lines) {
  /** @type {Map<string, number>} */
  const found = new Map();
  for (const { location, seq } of lines) if (!found.has(location)) found.set(location, seq);
  return Object.fromEntries(found);
}

const ESCAPES = /\x1b\[[0-9;:]*[@-~]/g, WIDE = /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60]/g;

/** How many columns a text takes in a font of one width. @param {string} text */
export function columnsOf(text) {
  const plain = text.includes('\x1b') ? text.replace(ESCAPES, '') : text;
  return plain.length + (plain.match(WIDE)?.length ?? 0);
}

/**
 * Where each line begins when lines are wrapped: the rows above it, and at the end the rows of all.
 * @param {{text: string}[]} lines @param {number} columns of the text's part of a row @param {number} most characters that are shown of a line
 */
export function wrapped(lines, columns, most) {
  const tops = new Int32Array(lines.length + 1);
  for (let index = 0; index < lines.length; index += 1) {
    const { text } = lines[index];
    tops[index + 1] = tops[index] + (text.length <= columns / 2 ? 1 : Math.max(1, Math.ceil(columnsOf(text.slice(0, most)) / columns)));
  }
  return tops;
}

/** The last line that begins at that row or above it. @param {Int32Array} tops @param {number} row */
export function lineAt(tops, row) {
  let low = 0, high = Math.max(0, tops.length - 2);
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (tops[middle] <= row) low = middle; else high = middle - 1;
  }
  return low;
}
