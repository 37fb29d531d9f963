// An explanation as elements: in words, as a graph, and in tables.

import { bar, el, newId, table } from "./dom.js";
import { drawing } from "./drawing.js";
import { byNode, network, number } from "./paths.js";

/** share of the three largest items from which on they are called the reason */
const DECISIVE = 0.3;

/**
 * The parts of a score.
 *
 * @param why    `{item, label, score, exact, text, parts, edges}`, as the API and the library give them.
 * @param views  As `network` takes them.
 */
export function account(why, views) {
  const label = why.label || why.item;
  return [
    el("p", { class: "words" }, ...inWords(why, label)),
    why.exact ? null : el("p", { class: "hint" }, "The user encoder of this model is not linear: the figure of an item of the history is how much the score falls without it."),
    ...graph(why, label, views),
    el("div", { class: "columns" },
      shares("By item of the history", why.parts.history, why.score),
      shares("By what it is made of", why.parts.sources, why.score)),
    el("details", {}, el("summary", {}, "The full account"), el("pre", { tabindex: "0" }, why.text)),
  ].filter(Boolean);
}

/** Sentences: the items of the history that matter, what they share with the item, and the largest other source. */
function inWords(why, label) {
  const whole = why.edges.history.reduce((sum, one) => sum + Math.max(0, one.contribution), 0);
  if (!why.edges.history.length) return [`${label} is near to what users like on the average; there is no history that could say more.`];
  if (whole <= 0) return [`Nothing in the history speaks for ${label}.`];
  const items = why.edges.history.filter((one) => one.contribution > 0.01 * whole).slice(0, 3);
  const nodes = byNode(why.edges.paths).filter((one) => one.contribution > 0.005 * whole).slice(0, 3);
  const other = why.parts.sources.filter((one) => !one.is_rest && one.contribution > 0.1 * whole)[0];
  const named = joined(items.map((one) => [el("strong", {}, one.label || one.item_id), ` (${percent(one.contribution / whole)})`]));
  const decides = items.reduce((sum, one) => sum + one.contribution, 0) >= DECISIVE * whole;
  const words = decides
    ? [el("strong", {}, label), " has its score mostly because of ", ...named, ". "]
    : ["Many items of the history speak for ", el("strong", {}, label), ", none of them alone", ...(items.length ? ["; the most: ", ...named] : []), ". "];
  if (nodes.length) {
    words.push("In the graph they share with it: ",
      ...joined(nodes.map((one) => [...one.name, ` (${percent(one.contribution / whole)})`])), ". ");
  } else if (why.edges.paths.length) {
    words.push("What they share with it in the graph adds little. ");
  } else if (why.exact) {
    words.push("They share no node with it in the graph. ");
  }
  if (other) words.push(`The largest source of the score: ${other.name} (${percent(other.contribution / whole)}).`);
  return words;
}

function graph(why, label, views) {
  const { nodes, edges, paths, rows } = network(why, label, views);
  if (!edges.length) return [];
  const text = `How the history leads to ${label}: thicker lines carry more of the score. Dashed lines pass through no shared node: users in common, texts.`;
  const title = paths > rows.length ? `The ${rows.length} largest of ${paths} paths to ${label}` : `Paths to ${label}`;
  return [
    drawing({ nodes, edges, text }),
    el("details", {}, el("summary", {}, "All of it as a table"), table(title, ["From", "relation", "through", "relation", "weight"], rows)),
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

function joined(parts) {
  return parts.flatMap((part, at) => [at === 0 ? [] : at === parts.length - 1 ? " and " : ", ", part].flat());
}

const percent = (share) => `${Math.round(100 * share)}\u00a0%`;
