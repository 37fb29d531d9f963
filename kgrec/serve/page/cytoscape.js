// The vendored cytoscape with the layout fcose, loaded once.

import { el } from "./dom.js";

const SCRIPTS = ["cytoscape", "layout-base", "cose-base", "cytoscape-fcose"];
let loaded = null;

/** The function `cytoscape`. */
export async function library() {
  loaded ??= SCRIPTS.reduce((before, name) => before.then(() => script(`static/vendor/${name}.js`)), Promise.resolve());
  await loaded;
  return window.cytoscape;
}

function script(address) {
  return new Promise((done, failed) => {
    const node = el("script", { src: address, on: { load: done, error: () => failed(new Error(`${address} cannot be loaded`)) } });
    document.head.append(node);
  });
}
