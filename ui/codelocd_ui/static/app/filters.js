// Finding things by text: a search over all, and the filter of the list of definitions. Pure.

/**
 * The best hits of a text: what begins with it, then what has it, then its letters in order.
 * @template {{text: string}} T
 * @param {T[]} items @param {string} text @param {number} most @returns {T[]}
 */
export function found(items, text, most) {
  const wanted = text.trim().toLowerCase();
  if (!wanted) return items.slice(0, most);
  /** @type {[T[], T[], T[]]} */
  const ranked = [[], [], []];
  for (const item of items) {
    const name = item.text.toLowerCase();
    if (name.startsWith(wanted) || name.includes(`/${wanted}`)) ranked[0].push(item);
    else if (name.includes(wanted)) ranked[1].push(item);
    else if (ranked[2].length < most && inOrder(name, wanted)) ranked[2].push(item);
    if (ranked[0].length >= most) break;
  }
  return ranked.flat().slice(0, most);
}

/** @param {string} name @param {string} letters */
function inOrder(name, letters) {
  let from = 0;
  for (const letter of letters) {
    from = name.indexOf(letter, from) + 1;
    if (!from) return false;
  }
  return true;
}

/** @type {Record<string, number>} */
const FIELDS = { location: 0, kind: 2, group: 4 };

/**
 * `kind:asset group:raw orders` as a function of a row. A word without a field is looked for in names.
 * @param {string} text @returns {(row: Row) => boolean}
 */
export function matcher(text) {
  /** @type {((row: Row) => boolean)[]} */
  const tests = text.trim().toLowerCase().split(/\s+/).filter(Boolean).map((word) => {
    const [, field, value] = /^(location|kind|group|tag):(.*)$/.exec(word) ?? [];
    if (field === 'tag') return (row) => row[5].some((one) => one.toLowerCase().includes(value));
    if (field) return (row) => String(row[/** @type {0} */ (FIELDS[field])]).toLowerCase().includes(value);
    return (row) => row[3].toLowerCase().includes(word);
  });
  return (row) => tests.every((test) => test(row));
}

/**
 * What a line of output is looked for by: `/…/` is a regular expression, all else is text.
 * @param {string} text @returns {{test: (line: string) => boolean, parts: (line: string) => [boolean, string][]} | null} null: it is no expression
 */
export function lineFilter(text) {
  if (!text) return { test: () => true, parts: (line) => [[false, line]] };
  /** @type {RegExp} */
  let expression;
  try {
    const written = /^\/(.+)\/(i?)$/.exec(text);
    expression = written ? new RegExp(written[1], `g${written[2]}`) : new RegExp(text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'), 'gi');
  } catch { return null; }
  return {
    test: (line) => { expression.lastIndex = 0; return expression.test(line); },
    parts: (line) => {
      /** @type {[boolean, string][]} */
      const parts = [];
      let from = 0;
      for (const match of line.matchAll(expression)) {
        if (!match[0]) break;
        if (match.index > from) parts.push([false, line.slice(from, match.index)]);
        parts.push([true, match[0]]);
        from = match.index + match[0].length;
      }
      if (from < line.length) parts.push([false, line.slice(from)]);
      return parts;
    },
  };
}
