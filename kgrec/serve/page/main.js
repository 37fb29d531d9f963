// The views by the address after "#", the navigation, the key.

import { announce, el } from "./dom.js";
import { installKey } from "./key.js";
import { forgetFields } from "./where.js";
import { start } from "./views/start.js";
import { list } from "./views/list.js";
import { node } from "./views/node.js";
import { experiments } from "./views/experiments.js";
import { metrics } from "./views/metrics.js";

/** First part of the address -> tab, view. A view gets the other parts and returns a title, an element, and perhaps what ends it. */
const VIEWS = {
  "": ["lists", start],
  user: ["lists", (user) => (user ? list({ user }) : start())],
  list: ["lists", (item) => list({ item })],
  graph: ["graph", node],
  item: ["graph", (item) => node(null, item)],
  experiments: ["experiments", experiments],
  metrics: ["metrics", metrics],
};
const main = document.getElementById("main");
let end = null;

function show(first) {
  const [name, ...parts] = parsed(location.hash);
  const [tab, view] = VIEWS[name] ?? VIEWS[""];
  end?.();
  const { title, element, stop = null } = view(...parts);
  end = stop;
  main.replaceChildren(element);
  document.title = `${title} - kgrec`;
  for (const link of document.querySelectorAll("[data-view]")) {
    if (link.dataset.view === tab) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (first) return;
  const heading = main.querySelector("h1") ?? el("h1");
  heading.setAttribute("tabindex", "-1");
  heading.focus();
  window.scrollTo(0, 0);
  announce(title);
}

function parsed(hash) {
  try {
    return hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent);
  } catch {
    return [""];
  }
}

document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
window.addEventListener("hashchange", () => show(false));
installKey(() => { forgetFields(); show(true); });
show(true);
