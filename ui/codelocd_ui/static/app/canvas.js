// Draws what of the graph is not a card: lines, boxes, and cards that are too far away to be read.

export const CARDS_FROM = 0.45;
/** How far beyond the view the canvas reaches on each side, in px: so far it is moved as it is. */
export const SHEET = 256;
const MANY_LINES = 5000, APART = 0.35, ROUND = 10;

/** @typedef {{left: number, top: number, right: number, bottom: number}} Area */

/** The part of the plane that is seen. @param {Camera} camera @param {number} width @param {number} height @returns {Area} */
export function areaOf(camera, width, height) {
  const left = -camera.x / camera.zoom, top = -camera.y / camera.zoom;
  return { left, top, right: left + width / camera.zoom, bottom: top + height / camera.zoom };
}

/** @param {Area} area @param {{x: number, y: number, width: number, height: number}} one */
export const isIn = (area, one) => one.x < area.right && one.x + one.width > area.left && one.y < area.bottom && one.y + one.height > area.top;

/**
 * Draw what is in view of that camera, and as far around it as the sheet reaches.
 * @param {HTMLCanvasElement} canvas @param {Camera} from @param {Picture} picture @param {import('./layout.js').Cells} cells
 * @param {Set<Asset> | null} related what is made from the chosen asset, and what it is made from
 * @param {(box: Box) => boolean} isStale
 */
export function draw(canvas, from, picture, cells, related, isStale) {
  const ratio = devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) { canvas.width = Math.round(width * ratio); canvas.height = Math.round(height * ratio); }
  const pen = canvas.getContext('2d');
  if (!pen) return;
  const camera = { zoom: from.zoom, x: from.x + SHEET, y: from.y + SHEET };
  const colour = coloursOf(canvas), area = areaOf(camera, width, height);
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  pen.setTransform(ratio * camera.zoom, 0, 0, ratio * camera.zoom, ratio * camera.x, ratio * camera.y);
  for (const box of picture.boxes) if (isIn(area, box)) drawBox(pen, box, camera, related, colour, isStale(box));
  pen.setLineDash([]);
  drawLines(pen, cells.within(area.left, area.top, area.right, area.bottom), camera, related, colour);
}

/** @param {CanvasRenderingContext2D} pen @param {Box} box @param {Camera} camera @param {Set<Asset> | null} related @param {Record<string, string>} colour @param {boolean} isStale */
function drawBox(pen, box, camera, related, colour, isStale) {
  pen.fillStyle = box.isOpen ? colour.sunken : colour.panel;
  pen.strokeStyle = isStale ? colour.warn : colour.line2;
  pen.setLineDash(isStale ? [6 / Math.min(1, camera.zoom), 4 / Math.min(1, camera.zoom)] : []);
  pen.lineWidth = 1 / camera.zoom;
  pen.beginPath();
  pen.roundRect(box.x, box.y, box.width, box.height, ROUND);
  pen.fill();
  pen.stroke();
  if (!box.isOpen || camera.zoom >= CARDS_FROM) return;
  for (const card of box.cards) {
    const lit = related && (card.folded ? card.folded.some((one) => related.has(one)) : related.has(card));
    pen.globalAlpha = related && !lit ? APART : 1;
    pen.fillStyle = lit ? colour.accent : colour.line2;
    pen.fillRect(card.x, card.y + 12, card.width, card.height - 24);
  }
  pen.globalAlpha = 1;
}

/** @param {CanvasRenderingContext2D} pen @param {Set<GraphLine>} lines @param {Camera} camera @param {Set<Asset> | null} related @param {Record<string, string>} colour */
function drawLines(pen, lines, camera, related, colour) {
  const onlyAcross = lines.size > MANY_LINES, far = camera.zoom < CARDS_FROM;
  pen.font = '500 11px Inter, sans-serif';
  pen.textAlign = 'center';
  for (const line of lines) {
    if (onlyAcross && !line.across) continue;
    const lit = related && line.pairs.some(([from, to]) => related.has(from) && related.has(to));
    pen.globalAlpha = lit ? 1 : related ? 0.12 : line.across && far ? 0.3 : 0.7;
    pen.strokeStyle = lit ? colour.accent : colour.quiet;
    pen.lineWidth = (lit ? 1.8 : Math.min(3, 0.8 + Math.log2(Math.max(1, line.count)) / 2)) / Math.max(camera.zoom, 0.4);
    pen.beginPath();
    trace(pen, line.points);
    pen.stroke();
    if (line.count > 1 && !far && !related) tell(pen, line, colour);
  }
  pen.globalAlpha = 1;
}

/** @param {CanvasRenderingContext2D} pen @param {Point[]} points */
function trace(pen, points) {
  pen.moveTo(points[0].x, points[0].y);
  for (let at = 1; at < points.length; at += 1) {
    const from = points[at - 1], to = points[at];
    if (from.y === to.y && from.x <= to.x) { pen.lineTo(to.x, to.y); continue; }
    const bend = Math.max(20, Math.abs(to.x - from.x) / 2);
    pen.bezierCurveTo(from.x + bend, from.y, to.x - bend, to.y, to.x, to.y);
  }
}

/** How many edges a line stands for. @param {CanvasRenderingContext2D} pen @param {GraphLine} line @param {Record<string, string>} colour */
function tell(pen, line, colour) {
  const before = line.points[line.points.length - 2], last = line.points[line.points.length - 1];
  const x = (before.x + last.x) / 2, y = (before.y + last.y) / 2;
  pen.globalAlpha = 1;
  pen.fillStyle = colour.bg;
  pen.fillRect(x - 10, y - 8, 20, 16);
  pen.fillStyle = colour.quiet;
  pen.fillText(String(line.count), x, y + 4);
}

/** @type {Map<string, Record<string, string>>} */
const known = new Map();
const NAMES = { line2: '--line2', panel: '--panel', sunken: '--sunken', quiet: '--t3', accent: '--accent', warn: '--warn-dot', bg: '--bg' };

/** The colours of the theme, as a canvas takes them. @param {HTMLElement} canvas */
function coloursOf(canvas) {
  const theme = `${document.documentElement.dataset.theme} ${matchMedia('(prefers-color-scheme: dark)').matches} ${matchMedia('(forced-colors: active)').matches}`;
  const there = known.get(theme);
  if (there) return there;
  const probe = document.createElement('i'), parent = /** @type {HTMLElement} */ (canvas.parentElement);
  probe.style.setProperty('forced-color-adjust', 'none');
  parent.append(probe);
  const colours = Object.fromEntries(Object.entries(NAMES).map(([name, variable]) => { probe.style.color = `var(${variable})`; return [name, getComputedStyle(probe).color]; }));
  probe.remove();
  known.set(theme, colours);
  return colours;
}
