// Why an item has its score and its place: in words, as a graph, and in tables.

import { post } from "./api.js";
import { address, bar, el, failure, link, newId, table } from "./dom.js";
import { drawing } from "./drawing.js";
import { nodeOfItem } from "./search.js";

/** paths that are asked for, and rows of the table */
const PATHS = 1000;
const ROWS = 100;
/** nodes of a drawing: items of the history by their paths and by their whole part, and what they share with the item */
const BY_PATHS = 4;
const BY_PART = 3;
const DRAWN_NODES = 7;
/** lines up to which each has a label */
const LABELLED = 10;
/** weaker lines are left out of the drawing, as a share of the strongest */
const FAINT = 0.04;
/** share of the three largest items from which on they are called the reason */
const DECISIVE = 0.3;
/** as kgrec names relations: backwards, of two steps, and words that names share */
const INVERSE = "^";
const HOP = " / ";
const WORDS = "~word";

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
export function inWords(why, label) {
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

/** Nodes and lines of the drawing, and all paths as rows of a table. */
export function network(why, label) {
  const paths = why.edges.paths;
  const through = new Map();
  for (const path of paths) through.set(path.item_id, (through.get(path.item_id) ?? 0) + path.contribution);
  const rest = (one) => one.contribution - (through.get(one.item_id) ?? 0);
  const largest = byNode(paths).slice(0, DRAWN_NODES);
  const items = drawnItems(why.edges.history, paths, new Set(largest.map((one) => one.id)));
  const shared = beside(items, paths, largest);
  const edges = lines(paths, items, shared, rest);
  const used = new Set(edges.flatMap((line) => [line.from, line.to]));
  const column = (x, at, of) => ({ x, y: 110 * (at - (of - 1) / 2) });
  const nodes = [
    ...items.map((one, at) => ({ id: `h:${one.item_id}`, label: one.label || one.item_id, kind: "history", at: column(0, at, items.length), open: () => openItem(one.item_id) })),
    ...shared.map((one, at) => ({ id: one.id, label: one.short, kind: "shared", at: column(220, at, shared.length), open: openNode(one) })),
    { id: "item", label, kind: "item", at: { x: 440, y: 0 }, open: () => openItem(why.item) },
  ].filter((node) => used.has(node.id));
  const all = [
    ...paths.map((path) => [path.contribution, path.item_id, path.item, inEnglish(path.history_relation), path, inEnglish(path.relation)]),
    ...why.edges.history.map((one) => [rest(one), one.item_id, one.label, "–", null, "–"]),
  ].sort((one, other) => Math.abs(other[0]) - Math.abs(one[0]));
  const rows = all.slice(0, ROWS).map(([weight, item, name, first, shared, second]) =>
    [link(["item", item], name || item), first, shared === null ? "no shared node" : linked(shared), second, number(weight)]);
  return { nodes, edges, paths: all.length, rows };
}

/** Items of the history that most passes from through some nodes, and those with the largest parts. */
function drawnItems(history, paths, nodes) {
  const sums = new Map();
  for (const path of paths) {
    if (nodes.has(shareOf(path).id)) sums.set(path.item_id, (sums.get(path.item_id) ?? 0) + path.contribution);
  }
  const first = history.slice(0, BY_PART);
  const least = FAINT * Math.max(...first.map((one) => Math.abs(one.contribution)), 0);
  const others = history.slice(BY_PART).filter((one) => (sums.get(one.item_id) ?? 0) >= least).sort((one, other) => sums.get(other.item_id) - sums.get(one.item_id));
  return [...first, ...others.slice(0, BY_PATHS)];
}

/** What is shared in the order of the items beside it, so that few lines cross. */
function beside(items, paths, shared) {
  const place = new Map(items.map((one, at) => [one.item_id, at]));
  const mean = ({ id }) => {
    const places = paths.filter((path) => shareOf(path).id === id && place.has(path.item_id)).map((path) => place.get(path.item_id));
    return places.reduce((sum, at) => sum + at, 0) / (places.length || 1);
  };
  return [...shared].sort((one, other) => mean(one) - mean(other));
}

/** The lines of the drawing; those into the item count the whole history. */
function lines(paths, items, shared, rest) {
  const found = new Map();
  const add = (from, to, label, weight, dashed = false) => {
    const line = found.get(`${from} ${to}`) ?? { from, to, label, weight: 0, dashed };
    found.set(`${from} ${to}`, { ...line, weight: line.weight + weight });
  };
  const drawn = new Set(items.map((one) => one.item_id));
  const kept = new Set(shared.map((one) => one.id));
  for (const path of paths) {
    const { id } = shareOf(path);
    if (!kept.has(id)) continue;
    add(id, "item", inEnglish(path.relation), path.contribution);
    if (drawn.has(path.item_id)) add(`h:${path.item_id}`, id, inEnglish(path.history_relation), path.contribution);
  }
  for (const one of items) add(`h:${one.item_id}`, "item", "other", rest(one), true);
  const most = Math.max(...[...found.values()].map((line) => Math.abs(line.weight)), 0);
  const strong = [...found.values()].filter((line) => Math.abs(line.weight) >= FAINT * most && line.weight !== 0);
  return strong.map((line) => ({ ...line, kind: "path", label: strong.length <= LABELLED || line.to === "item" && !line.dashed ? `${line.label} ${number(line.weight)}` : "" }));
}

/** Contributions by what is shared, the largest first. */
function byNode(paths) {
  const sums = new Map();
  for (const path of paths) {
    const share = shareOf(path);
    const before = sums.get(share.id) ?? { ...share, contribution: 0 };
    sums.set(share.id, { ...before, contribution: before.contribution + path.contribution });
  }
  return [...sums.values()].sort((one, other) => Math.abs(other.contribution) - Math.abs(one.contribution));
}

/** What a path leads through; near numbers of one kind count as one. */
function shareOf(path) {
  const relation = inEnglish(path.relation);
  if (path.type === "number") return { id: `number ${path.relation}`, type: "number", short: `similar ${relation}`, name: [`a similar ${relation}`] };
  const label = path.label || path.key;
  return { id: `node ${path.type}/${path.key}`, type: path.type, key: path.key, short: label, name: [`${relation} `, el("strong", {}, label)] };
}

/** Whether there is a view of what is shared: not of numbers and words. */
const hasView = ({ type }) => type !== "number" && type !== "word";

function openNode(shared) {
  return hasView(shared) ? () => { location.hash = address("graph", shared.type, shared.key); } : null;
}

function linked(shared) {
  const name = shared.label || shared.key;
  return hasView(shared) ? link(["graph", shared.type, shared.key], name) : name;
}

async function openItem(item) {
  try {
    const node = await nodeOfItem(item);
    location.hash = address("graph", node.type, node.key);
  } catch {
    location.hash = address("item", item);
  }
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

function inEnglish(relation) {
  if (relation === WORDS) return "word of the name";
  return relation.split(HOP).map((one) => (one.startsWith(INVERSE) ? `${one.slice(INVERSE.length)} of` : one)).join(HOP).replaceAll("_", " ");
}

function joined(parts) {
  return parts.flatMap((part, at) => [at === 0 ? [] : at === parts.length - 1 ? " and " : ", ", part].flat());
}

const percent = (share) => `${Math.round(100 * share)}\u00a0%`;
const number = (value) => value.toFixed(3).replace("-", "−");
const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}.`;
