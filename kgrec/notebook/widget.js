// The widget: a user's list, history and explanation, or a node with its neighbours. Data comes from the model's traits and goes in as text.

import { account } from "../serve/page/account.js";
import { button, el, empty, failure } from "../serve/page/dom.js";
import { groups, picture } from "../serve/page/neighbours.js";
import { css } from "./style.js";

/** What anywidget calls for each place that shows the widget; it returns what ends it. */
export function render({ model, el: place }) {
  const host = el("div", { class: "kgrec" });
  const root = el("div", {});
  host.attachShadow({ mode: "open" }).append(el("style", {}, css), root);
  place.append(host);
  const choose = (name) => {
    if (name === model.get("chosen")) return;
    model.set("chosen", name);
    model.save_changes();
  };
  const parts = model.get("data").kind === "list" ? listParts(model, choose) : nodeParts(model, choose);
  const update = () => parts.update();
  const recolour = () => {
    if (isDark() === host.classList.contains("dark")) return;
    host.classList.toggle("dark");
    update();
  };
  root.append(...parts.elements);
  let ended = false;
  // a drawing needs its size, and a notebook may call this before the place is in the document
  const begin = () => {
    if (ended) return;
    if (!host.isConnected) { requestAnimationFrame(begin); return; }
    host.classList.toggle("dark", isDark());
    update();
  };
  begin();
  const unwatch = watchColours(recolour);
  model.on("change:detail", update);
  return () => { ended = true; unwatch(); model.off("change:detail", update); };
}

function listParts(model, choose) {
  const data = model.get("data");
  const names = new Map();
  const why = el("div", { class: "why", "aria-live": "polite" });
  const name = (one) => {
    const element = button(one.label || one.item, () => choose(one.item), { class: "name", title: "Why?" });
    names.set(one.item, [...(names.get(one.item) ?? []), element]);
    return element;
  };
  const items = data.items.length
    ? el("ol", { class: "rows ranked" }, data.items.map((one) => el("li", {}, el("div", { class: "row" },
      el("span", { class: "rank" }, String(one.rank)),
      el("div", {}, name(one), el("p", { class: "hint" }, one.reason)),
      el("span", { class: "number", title: "Score" }, one.score.toFixed(3))))))
    : empty("There is no item left to recommend.");
  const views = { item: (id, text) => text, node: (type, key, text) => text, openItem: choose, openNode: null };
  const update = () => {
    const detail = model.get("detail");
    for (const [item, elements] of names) for (const one of elements) mark(one, item === detail.item);
    why.replaceChildren(...(detail.error ? [failed(detail)] : detail.item ? [el("h2", {}, `Why ${detail.label || detail.item}?`), ...account(detail, views)] : []));
  };
  const elements = [el("div", { class: "beside" },
    el("section", { class: "history" }, el("h2", {}, "History"), history(data, name)),
    el("section", {}, el("h2", {}, `Recommended to ${data.user}`), items)), why];
  return { elements, update };
}

function history(data, name) {
  if (!data.history.length) return empty("The history is empty: this is the list for the average user.");
  const details = (one) => [one.liked ? null : "seen, not liked", one.count > 1 ? `${one.count} times` : null, one.time?.slice(0, 10)].filter(Boolean).join(", ");
  const rest = data.history_length - data.history.length;
  return [
    el("ul", { class: "rows" }, data.history.map((one) => el("li", {}, el("div", {}, name(one), details(one) ? el("p", { class: "hint" }, details(one)) : null)))),
    rest > 0 ? el("p", { class: "hint" }, `and ${rest.toLocaleString("en")} older ones`) : null,
  ];
}

function nodeParts(model, choose) {
  const place = el("div", { "aria-live": "polite" });
  const passed = [];
  const back = button("Back", () => { passed.pop(); choose(passed.pop()); }, { hidden: true });
  const open = (type, key) => choose(`${type}/${key}`);
  const update = () => {
    const { node, neighbours, total, ...detail } = model.get("detail");
    if (passed.at(-1) !== model.get("chosen")) passed.push(model.get("chosen"));
    back.hidden = passed.length < 2;
    if (!node) return place.replaceChildren(failed(detail));
    const lists = groups((one) => button(one.label || one.key, () => open(one.type, one.key), { class: "quiet" }));
    lists.add(neighbours);
    const facts = [["Type", node.type], ["Key", node.key], ["IRI", node.iri], ...Object.entries(node.values)].filter(([, value]) => value !== "");
    return place.replaceChildren(
      el("h2", {}, node.label || node.key),
      el("dl", { class: "facts" }, facts.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, String(value))])),
      ...(total ? [picture(node, { neighbours, total }, open), lists.place] : [empty("This node has no edges.")]),
      ...(total > neighbours.length ? [el("p", { class: "hint" }, `The first ${neighbours.length} of ${total.toLocaleString("en")} neighbours.`)] : []));
  };
  return { elements: [back, place], update };
}

const failed = ({ error, remedy }) => failure({ message: error, remedy });

function mark(element, isCurrent) {
  if (isCurrent) element.setAttribute("aria-current", "true");
  else element.removeAttribute("aria-current");
}

/** Whether the notebook is dark, by what JupyterLab, VS Code and Colab say, and otherwise by the system. */
function isDark() {
  const { body, documentElement } = document;
  if (body.dataset.jpThemeLight) return body.dataset.jpThemeLight === "false";
  if (body.dataset.vscodeThemeKind) return !body.dataset.vscodeThemeKind.includes("light");
  if (documentElement.getAttribute("theme")) return documentElement.getAttribute("theme") === "dark";
  return window.matchMedia("(prefers-color-scheme: dark)").matches;
}

/** Call a function when colours may have changed; returns what ends that. */
function watchColours(changed) {
  const watch = new MutationObserver(changed);
  for (const node of [document.body, document.documentElement]) watch.observe(node, { attributes: true });
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  system.addEventListener("change", changed);
  return () => { watch.disconnect(); system.removeEventListener("change", changed); };
}
