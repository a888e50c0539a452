// What lies over the page: a dialog that keeps the focus, and gives it back when it closes.
import { html, useEffect, useRef } from './html.js';

/** @param {{close: () => void, label: string, children?: any}} props */
export function Overlay({ close, label, children }) {
  const before = useRef(document.activeElement);
  useEffect(() => () => /** @type {HTMLElement | null} */ (before.current)?.focus?.(), []);
  return html`<div class="overlay" onClick=${(/** @type {Event} */ event) => event.target === event.currentTarget && close()} onKeyDown=${(/** @type {KeyboardEvent} */ event) => kept(event, close)}>
    <div class="dialog" role="dialog" aria-modal="true" aria-label=${label}>${children}</div></div>`;
}

/** Escape closes, and Tab stays inside. @param {KeyboardEvent} event @param {() => void} close */
function kept(event, close) {
  if (event.key === 'Escape') { close(); return; }
  if (event.key !== 'Tab') return;
  const all = /** @type {HTMLElement[]} */ ([.../** @type {HTMLElement} */ (event.currentTarget).querySelectorAll('input, select, textarea, button:not(:disabled), a')]);
  const at = all.indexOf(/** @type {HTMLElement} */ (document.activeElement));
  event.preventDefault();
  all[(at + (event.shiftKey ? -1 : 1) + all.length) % all.length]?.focus();
}
