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

/** What of a row a field looks at. @type {Record<string, (row: Row) => string[]>} */
const FIELDS = {
  location: (row) => [row[0]], kind: (row) => [row[2], ...row[5]], group: (row) => [row[4]],
  owner: (row) => row[8] ?? [], tag: (row) => [...row[5], ...(row[9] ?? [])],
};
const FIELD = new RegExp(`^(${[...Object.keys(FIELDS), 'file'].join('|')}):(.*)$`, 'i');

/** Whether a text names the field `file`, which rows do not have. @param {string} text */
export const namesFile = (text) => /(^|\s)file:\S/i.test(text);

/** Whether a text names a field. @param {string} text */
export const namesField = (text) => text.trim().split(/\s+/).some((word) => FIELD.test(word));

/**
 * `kind:asset group:raw orders` as a function of a row. A word without a field is looked for in names.
 * @param {string} text @param {(row: Row) => string} [fileOf] the file in which a definition stands, where that is known @returns {(row: Row) => boolean}
 */
export function matcher(text, fileOf = () => '') {
  /** @type {((row: Row) => boolean)[]} */
  const tests = text.trim().toLowerCase().split(/\s+/).filter(Boolean).map((word) => {
    const [, field, value] = FIELD.exec(word) ?? [];
    if (field === 'file') return (row) => fileOf(row).toLowerCase().includes(value);
    if (field) return (row) => FIELDS[field](row).some((one) => String(one).toLowerCase().includes(value));
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

/**
 * Environments that locations have, with what they are found by: Python, key and users.
 * @param {CodeLocation[]} locations @returns {{key: string, text: string}[]}
 */
export function environmentsOf(locations) {
  const users = /** @type {Map<string, {python: string, names: string[]}>} */ (new Map());
  for (const { name, environment } of locations) {
    if (!environment) continue;
    const known = users.get(environment.key) ?? { python: environment.python, names: [] };
    known.names.push(name);
    users.set(environment.key, known);
  }
  return [...users].map(([key, { python, names }]) => ({ key, text: `${key.slice(0, 12)} Python ${python} of ${names.join(', ')}` }));
}
