// Why an item has its score and its place: in words, as a graph, and in tables.

import { post } from "./api.js";
import { bar, el, failure, newId, table } from "./dom.js";
import { drawing } from "./drawing.js";
import { byNode, network, number } from "./paths.js";

/** paths that are asked for */
const PATHS = 1000;
/** share of the three largest items from which on they are called the reason */
const DECISIVE = 0.3;

/** An element that fills itself with the explanation of an item for somebody. */
export function explanation(whomBody, item) {
  const place = el("div", { class: "why" }, el("p", { class: "hint" }, "Reading the graph …"));
  const load = async () => {
    try {
      const why = await post("v1/explain", { ...whomBody, item, edges: PATHS });
      place.replaceChildren(...account(why, whomBody));
    } catch (error) {
      place.replaceChildren(failure(error, load));
    }
  };
  load();
  return place;
}

function account(why, whomBody) {
  const label = why.label || why.item;
  return [
    why.excluded_by.length ? exclusion(why, label, whomBody) : null,
    el("p", { class: "words" }, ...inWords(why, label)),
    why.exact ? null : el("p", { class: "hint" }, "The user encoder of this model is not linear: the figure of an item of the history is how much the score falls without it."),
    ...graph(why, label),
    el("div", { class: "columns" },
      shares("By item of the history", why.parts.history, why.score),
      shares("By what it is made of", why.parts.sources, why.score)),
    el("details", {}, el("summary", {}, "The full account"), el("pre", { tabindex: "0" }, why.text)),
  ].filter(Boolean);
}

/** What keeps the item out of the list, and what to change. */
function exclusion(why, label, { k }) {
  const remedies = {
    seen: "“Seen items too” lists it.",
    where: "Change the condition.",
    disliked: "Take it out of the dislikes.",
    deny: "It has been seen: “Seen items too” lists it.",
    removed: "An item that was removed comes back with PUT /v1/items.",
  };
  const id = newId("excluded");
  const rank = why.rank === null ? "Its rank would be below 1,000." : `Without that, its rank would be ${why.rank}.`;
  return el("section", { class: "excluded", "aria-labelledby": id },
    el("h3", { id }, `${label} is not in the list`),
    el("ul", {}, why.excluded_by.map((one) =>
      one.by === "score"
        ? el("li", {}, `Its score is too low: ${number(why.score)}${one.last_score === null ? "" : `, and the last of the ${k} items has ${number(one.last_score)}`}. `,
          one.rank === null ? "Its rank is below 1,000." : `Its rank is ${one.rank}.`)
        : el("li", {}, `${sentence(one.detail)} ${remedies[one.by] ?? ""}`))),
    why.excluded_by.some((one) => one.by !== "score") ? el("p", {}, rank) : null);
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

function graph(why, label) {
  const { nodes, edges, paths, rows } = network(why, label);
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
const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}.`;
