// Charts: values over time, where one that is null is a gap, and reloads as stacked bars.
import { html, useEffect, useRef, useState } from './html.js';
import { STAGES, stages } from './stories.js';
import { bytes, clock, percent, seconds } from './format.js';
import { sheet } from './sheet.js';

const UNITS = { seconds, bytes, percent };
const HEIGHT = 150, WIDEST = 16, LEAST_SPAN = 60; // px, px, s
/** The least top of an axis. */
const LEAST = { seconds: 0.001, bytes: 2 ** 20, percent: 0.1 };

/**
 * Values over time. uPlot is loaded where one is shown.
 * @param {{points: [number, number | null][], unit: 'seconds' | 'bytes' | 'percent', label: string, empty: string}} props
 */
export function Chart({ points, unit, label, empty }) {
  const box = useRef(/** @type {HTMLElement | null} */ (null)), chart = useRef(/** @type {any} */ (null));
  const theme = useTheme();
  const enough = points.filter((one) => one[1] != null).length >= 2;
  useEffect(() => {
    if (!enough) return undefined;
    let gone = false;
    /** @type {ResizeObserver | undefined} */
    let observer;
    Promise.all([import('../vendor/uplot.js'), sheet('vendor/uplot.css')]).then(([module]) => {
      const Plot = /** @type {new (...given: any[]) => any} */ (/** @type {unknown} */ (module.default));
      const element = box.current;
      if (gone || !element) return;
      chart.current = new Plot({ ...looks(element, unit, points.length), width: element.clientWidth, height: HEIGHT }, columns(points), element);
      observer = new ResizeObserver(() => chart.current?.setSize({ width: element.clientWidth, height: HEIGHT }));
      observer.observe(element);
    });
    return () => { gone = true; observer?.disconnect(); chart.current?.destroy(); chart.current = null; };
  }, [enough, unit, theme]);
  const newest = points.length ? points[points.length - 1][0] : 0;
  useEffect(() => { chart.current?.setData(columns(points)); }, [newest]);
  if (!enough) return html`<p class="empty">${empty}</p>`;
  return html`<div class="plot" ref=${box} role="img" aria-label=${`${label}: ${UNITS[unit](points[points.length - 1][1])} now`} style=${{ height: `${HEIGHT}px` }}></div>`;
}

/** @param {HTMLElement} element @param {'seconds' | 'bytes' | 'percent'} unit @param {number} count */
function looks(element, unit, count) {
  const colour = (/** @type {string} */ name) => resolved(element, getComputedStyle(element).getPropertyValue(name));
  const axis = { stroke: colour('--t3'), grid: { stroke: colour('--line'), width: 1 }, ticks: { show: false }, font: '11px Inter' };
  return {
    legend: { show: false }, cursor: { drag: { x: false, y: false } },
    scales: {
      x: { range: (/** @type {any} */ _, /** @type {number} */ from, /** @type {number} */ to) => [Math.min(from, to - LEAST_SPAN), to] },
      y: { range: (/** @type {any} */ _, /** @type {number} */ _low, /** @type {number} */ high) => [0, Math.max(high, LEAST[unit]) * 1.1] },
    },
    axes: [{ ...axis, values: (/** @type {any} */ _, /** @type {number[]} */ ticks) => ticks.map(clock), space: 90 }, { ...axis, size: 62, values: (/** @type {any} */ _, /** @type {number[]} */ ticks) => ticks.map(UNITS[unit]) }],
    series: [{}, { stroke: colour('--accent'), width: 1.5, fill: colour('--accent-soft'), spanGaps: false, points: { show: count < 30, size: 4 } }],
  };
}

/** @param {[number, number | null][]} points */
const columns = (points) => [points.map((one) => one[0]), points.map((one) => one[1])];

/** Changes with the theme. */
function useTheme() {
  const [theme, set] = useState(0);
  useEffect(() => {
    const again = () => set((count) => count + 1);
    const observer = new MutationObserver(again), dark = matchMedia('(prefers-color-scheme: dark)');
    observer.observe(document.documentElement, { attributes: true, attributeFilter: ['data-theme'] });
    dark.addEventListener('change', again);
    return () => { observer.disconnect(); dark.removeEventListener('change', again); };
  }, []);
  return theme;
}

/**
 * A colour as the canvas takes it: `light-dark(…)` and variables have been looked up.
 * @param {HTMLElement} element @param {string} value
 */
function resolved(element, value) {
  const probe = document.createElement('i');
  probe.style.setProperty('forced-color-adjust', 'none');
  probe.style.color = value;
  element.append(probe);
  const colour = getComputedStyle(probe).color;
  probe.remove();
  return colour;
}

/** A round number that is at least as large, for the top of an axis. @param {number} value */
function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(value || 1));
  return ([1, 2, 3, 5].find((each) => each * power >= value) ?? 10) * power;
}

/** Reloads as bars from 0, oldest first, stacked by stage; one that failed is hollow. @param {{reloads: Reload[], height?: number}} props */
export function Bars({ reloads, height = HEIGHT }) {
  if (!reloads.length) return html`<p class="empty">Save a file, and how long it took stands here.</p>`;
  const sorted = reloads.map((one) => one.timing.total ?? 0).sort((a, b) => a - b);
  const most = roundUp(Math.min(sorted[sorted.length - 1], sorted[Math.floor(sorted.length / 2)] * 8));
  const ticks = [1, 0.5, 0];
  const told = (/** @type {Reload} */ one) => `${clock(one.at)}: ${one.ok ? '' : 'failed after '}${seconds(one.timing.total)} (${stages(one.timing).map(([name, took]) => `${name} ${seconds(took)}`).join(', ')})`;
  return html`<div class="bars"><div class="scale" aria-hidden="true" style=${{ height: `${height - 30}px` }}>${ticks.map((part) => html`<span style=${{ top: `${(1 - part) * 100}%` }}>${seconds(most * part)}</span>`)}</div>
    <ol class="stacks" style=${{ height: `${height - 30}px` }} aria-label="Reloads, oldest first">${reloads.map((one) => html`<li key=${one.at} class=${one.ok ? '' : 'failed'} title=${told(one)} style=${{ height: `${Math.min(100, ((one.timing.total ?? 0) / most) * 100)}%`, maxWidth: `${WIDEST}px` }}><span class="hidden">${told(one)}</span>${one.ok && [...stages(one.timing)].reverse().map(([name, took]) => html`<i class=${`stage-${name}`} style=${{ flexGrow: 1000 * took }}></i>`)}</li>`)}</ol>
    <div class="legend">${STAGES.map((stage) => html`<span><i class=${`stage-${stage}`}></i>${stage}</span>`)}${reloads.some((one) => !one.ok) && html`<span><i class="failed"></i>failed</span>`}</div></div>`;
}
