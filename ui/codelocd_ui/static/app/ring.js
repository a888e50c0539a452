// The newest lines of output, in a ring: adding one never moves the others. Pure.

export class Ring {
  /** @param {number} size */
  constructor(size) { this.size = size; this.items = new Array(size); this.start = 0; this.length = 0; this.dropped = 0; }

  /** @param {any[]} items */
  push(items) {
    for (const item of items) {
      if (this.length < this.size) { this.items[(this.start + this.length) % this.size] = item; this.length += 1; }
      else { this.items[this.start] = item; this.start = (this.start + 1) % this.size; this.dropped += 1; }
    }
  }

  /** @param {number} index from 0, the oldest */
  at(index) { return this.items[(this.start + index) % this.size]; }

  clear() { this.items = new Array(this.size); this.start = 0; this.length = 0; }

  /** Those for which `test` holds, oldest first. */
  filter(test) {
    const found = [];
    for (let index = 0; index < this.length; index += 1) { const item = this.at(index); if (test(item)) found.push(item); }
    return found;
  }
}
