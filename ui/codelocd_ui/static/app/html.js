// Markup for Preact, written as it reads in HTML.
import * as preact from '../vendor/preact.js';
import * as hooks from '../vendor/hooks.js';
import htm from '../vendor/htm.js';

/** @type {(strings: TemplateStringsArray, ...values: any[]) => any} */
export const html = htm.bind(preact.h);
export const render = /** @type {typeof import('preact').render} */ (preact.render);
export const useEffect = /** @type {typeof import('preact/hooks').useEffect} */ (hooks.useEffect);
export const useLayoutEffect = /** @type {typeof import('preact/hooks').useLayoutEffect} */ (hooks.useLayoutEffect);
export const useMemo = /** @type {typeof import('preact/hooks').useMemo} */ (hooks.useMemo);
export const useRef = /** @type {typeof import('preact/hooks').useRef} */ (hooks.useRef);
export const useState = /** @type {typeof import('preact/hooks').useState} */ (hooks.useState);
