// Style sheets of parts that are loaded when first shown.

/** @type {Map<string, Promise<void>>} */
const sheets = new Map();

/** A sheet of the folder `static`, once; what waits for it is shown with its looks. @param {string} name @returns {Promise<void>} */
export function sheet(name) {
  let come = sheets.get(name);
  if (!come) {
    come = new Promise((done) => {
      const link = document.createElement('link');
      Object.assign(link, { rel: 'stylesheet', href: new URL(`../${name}`, import.meta.url).href, onload: () => done(), onerror: () => done() });
      document.head.append(link);
    });
    sheets.set(name, come);
  }
  return come;
}
