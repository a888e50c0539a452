// A chart over time; a value that is null is a gap. uPlot is loaded where a chart is shown.
import { html, useEffect, useRef, useState } from './html.js';
import { bytes, percent, seconds } from './format.js';

const UNITS = { seconds, bytes, percent };
const HEIGHT = 180;

export function Chart({ points, unit, label, empty }) {
  const box = useRef(null), chart = useRef(null);
  const [theme, setTheme] = useState(0);
  useEffect(() => {
    const observer = new MutationObserver(() => setTheme((count) => count + 1));
    observer.observe(document.documentElement, { attributes: true, attributeFilter: ['data-theme'] });
    return () => observer.disconnect();
  }, []);
  const enough = points.filter((one) => one[1] != null).length >= 2;
  useEffect(() => {
    if (!enough) return undefined;
    let gone = false, observer;
    sheet();
    import('../vendor/uplot.js').then(({ default: Plot }) => {
      if (gone || !box.current) return;
      const style = getComputedStyle(box.current);
      const colour = (name) => resolved(box.current, style.getPropertyValue(name));
      const axis = { stroke: colour('--t3'), grid: { stroke: colour('--line'), width: 1 }, ticks: { show: false }, font: '11px Inter' };
      chart.current = new Plot({
        width: box.current.clientWidth, height: HEIGHT, legend: { show: false }, cursor: { drag: { x: false, y: false } },
        scales: { y: { range: (_, _low, high) => [0, (high || 1) * 1.1] } },
        axes: [{ ...axis, values: (_, ticks) => ticks.map((at) => new Date(at * 1000).toLocaleTimeString('en-GB')), space: 90 }, { ...axis, size: 70, values: (_, ticks) => ticks.map(UNITS[unit]) }],
        series: [{}, { stroke: colour('--accent'), width: 1.5, fill: colour('--accent-soft'), spanGaps: false, points: { show: points.length < 30, size: 4 } }],
      }, columns(points), box.current);
      observer = new ResizeObserver(() => chart.current?.setSize({ width: box.current.clientWidth, height: HEIGHT }));
      observer.observe(box.current);
    });
    return () => { gone = true; observer?.disconnect(); chart.current?.destroy(); chart.current = null; };
  }, [enough, unit, theme]);
  const newest = points.length ? points[points.length - 1][0] : 0;
  useEffect(() => { chart.current?.setData(columns(points)); }, [newest]);
  if (!enough) return html`<p class="empty">${empty}</p>`;
  const last = points[points.length - 1][1];
  return html`<div ref=${box} role="img" aria-label=${`${label}: ${UNITS[unit](last)} now`} style=${{ height: `${HEIGHT}px`, padding: '0 8px 8px' }}></div>`;
}

const columns = (points) => [points.map((one) => one[0]), points.map((one) => one[1])];

/** A colour as the canvas takes it: `light-dark(…)` and variables have been looked up. */
function resolved(element, value) {
  const probe = document.createElement('i');
  probe.style.color = value;
  element.append(probe);
  const colour = getComputedStyle(probe).color;
  probe.remove();
  return colour;
}

/** The sheet of uPlot, once. */
function sheet() {
  const address = new URL('../vendor/uplot.css', import.meta.url).href;
  if ([...document.styleSheets].some((one) => one.href === address) || document.getElementById('uplot')) return;
  const link = document.createElement('link');
  Object.assign(link, { id: 'uplot', rel: 'stylesheet', href: address });
  document.head.append(link);
}
