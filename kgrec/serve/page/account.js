// An explanation as elements: in words, as a graph, and in tables.

import { bar, el, newId, table } from "./dom.js";
import { drawing } from "./drawing.js";
import { network, number } from "./paths.js";

/**
 * The parts of a score.
 *
 * @param why    `{item, label, score, exact, because, text, parts, edges}`, as the API and the library give them.
 * @param views  As `network` takes them.
 */
export function account(why, views) {
  const label = why.label || why.item;
  return [
    why.because ? el("p", { class: "words" }, why.because.text) : null,
    why.exact ? null : el("p", { class: "hint" }, "This model's user encoder is not linear, so the figure of each history item is how much the score falls without it."),
    ...graph(why, label, views),
    el("div", { class: "columns" },
      shares("By history item", why.parts.history, why.score),
      shares("By source", why.parts.sources, why.score)),
    el("details", {}, el("summary", {}, "The full account"), el("pre", { tabindex: "0" }, why.text)),
  ].filter(Boolean);
}

function graph(why, label, views) {
  const { nodes, edges, paths, rows } = network(why, label, views);
  if (!edges.length) return [];
  const text = `How the history leads to ${label}: thicker lines carry more of the score. Dashed lines do not pass through a shared node: common users, texts.`;
  const title = paths > rows.length ? `The ${rows.length} largest of ${paths} paths to ${label}` : `Paths to ${label}`;
  return [
    drawing({ nodes, edges, text }),
    el("details", {}, el("summary", {}, "All paths as a table"), table(title, ["From", "relation", "through", "relation", "weight"], rows)),
  ];
}

/** Parts as bars, with figures. */
function shares(title, parts, score) {
  const id = newId("shares");
  const most = Math.max(...parts.map((part) => Math.abs(part.contribution)), 1e-9);
  return el("section", { "aria-labelledby": id }, el("h3", { id }, title),
    parts.length ? el("ul", { class: "shares" }, parts.map((part) => el("li", {},
      el("span", {}, part.name), el("span", { class: "number" }, number(part.contribution)),
      bar(Math.abs(part.contribution) / most, part.contribution < 0 ? "bad" : "")))) : el("p", { class: "hint" }, "None."),
    el("p", { class: "hint" }, `The score is ${number(score)}.`));
}
