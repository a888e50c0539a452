// Code and tracebacks: which lines are shown, and in which colours. Pure.

const TOKEN = /(#.*$)|("""[^]*?(?:"""|$)|'''[^]*?(?:'''|$)|[rbfuRBFU]{0,2}"(?:\\.|[^"\\])*(?:"|$)|[rbfuRBFU]{0,2}'(?:\\.|[^'\\])*(?:'|$))|(@[\w.]+)|\b(and|as|assert|async|await|break|case|class|continue|def|del|elif|else|except|finally|for|from|global|if|import|in|is|lambda|match|nonlocal|not|or|pass|raise|return|try|while|with|yield|None|True|False)\b|\b(\d[\d_.eExXa-fA-F]*)\b/g;
const CLASSES = ['c', 's', 'd', 'k', 'n'];

/** One line of Python as pieces `[class, text]`. @param {string} line @returns {[string, string][]} */
export function coloured(line) {
  /** @type {[string, string][]} */
  const pieces = [];
  let from = 0;
  for (const match of line.matchAll(TOKEN)) {
    if (match.index > from) pieces.push(['', line.slice(from, match.index)]);
    const group = match.slice(1).findIndex((one) => one !== undefined);
    pieces.push([CLASSES[group], match[0]]);
    from = match.index + match[0].length;
  }
  if (from < line.length) pieces.push(['', line.slice(from)]);
  return pieces;
}

const FRAME = /^\s*File "([^"]+)", line (\d+)(?:,? in (.*))?$/;
const NOT_THEIRS = /\/(?:site|dist)-packages\/|\/lib(?:64)?\/python\d|\/codeloc_runner\/|\.zip\/|^</;

/**
 * The frames that a traceback's text tells of, outermost first, each with the one line of code
 * that stands below it.
 * @param {string} detail @returns {Frame[]}
 */
export function framesOf(detail) {
  const lines = detail.split('\n');
  /** @type {Frame[]} */
  const frames = [];
  for (let at = 0; at < lines.length; at += 1) {
    const match = FRAME.exec(lines[at]);
    if (!match) continue;
    const code = lines[at + 1] && !FRAME.test(lines[at + 1]) ? lines[at + 1] : '';
    const caret = lines[at + 2] ?? '';
    frames.push({
      file: match[1], line: Number(match[2]), function: match[3] ?? '', own: !NOT_THEIRS.test(match[1]),
      column: /^\s*[~^]+\s*$/.test(caret) && code ? caret.indexOf('^') - code.search(/\S/) : -1,
      code: code.trim() ? [[Number(match[2]), code.trim()]] : [],
    });
  }
  return frames;
}

/** The user's own line that is nearest to what failed. @param {Frame[]} frames */
export function ownFrame(frames) {
  const own = frames.filter((one) => one.own);
  return own.length ? own[own.length - 1] : frames[frames.length - 1];
}
