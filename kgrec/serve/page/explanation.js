// Why an item has its score and its place: in words, as a graph, and in tables.

import { post } from "./api.js";
import { address, bar, el, failure, newId, table } from "./dom.js";
import { drawing } from "./drawing.js";
import { nodeOfItem } from "./search.js";

const PATHS = 120;
/** nodes of a drawing: items of the history, and what they share with the item */
const DRAWN_ITEMS = 8;
const DRAWN_NODES = 12;
/** weaker lines are left out of the drawing, as a share of the strongest */
const FAINT = 0.02;
const INVERSE = "^";

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
    el("h4", { id }, `${label} is not in the list`),
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
  const items = why.edges.history.filter((one) => one.contribution > 0.05 * whole).slice(0, 3);
  const nodes = byNode(why.edges.paths).filter((one) => one.contribution > 0.005 * whole).slice(0, 3);
  const other = why.parts.sources.filter((one) => !one.is_rest && one.contribution > 0.1 * whole)[0];
  const words = [el("strong", {}, label), " is here mostly because of ", ...joined(items.map((one) => [el("strong", {}, one.label || one.item_id), ` (${percent(one.contribution / whole)})`])), ". "];
  if (nodes.length) {
    words.push(items.length > 1 ? "They share with it: " : "They have in common: ",
      ...joined(nodes.map((one) => [`${inEnglish(one.relation)} `, el("strong", {}, one.label || one.key), ` (${percent(one.contribution / whole)})`])), ". ");
  } else {
    words.push("They share no node with it in the graph. ");
  }
  if (other) words.push(`The largest source of the score: ${other.name} (${percent(other.contribution / whole)}).`);
  return words;
}

function graph(why, label) {
  const { nodes, edges, rows } = network(why, label);
  if (!edges.length) return [];
  const text = `How the history leads to ${label}: thicker lines carry more of the score. Dashed lines are what passes through no shared node: users in common, texts.`;
  return [
    drawing({ nodes, edges, text }),
    el("details", {}, el("summary", {}, `The same as a table (${rows.length} ${rows.length === 1 ? "path" : "paths"})`),
      table(`Paths to ${label}`, ["From", "relation", "through", "relation", "weight"], rows)),
  ];
}

/** Nodes and lines of the drawing, and all paths as rows of a table. */
export function network(why, label) {
  const paths = why.edges.paths;
  const passed = new Map();
  for (const path of paths) passed.set(path.item_id, (passed.get(path.item_id) ?? 0) + path.contribution);
  const items = why.edges.history.slice(0, DRAWN_ITEMS);
  const shown = new Set(items.map((one) => one.item_id));
  const shared = byNode(paths.filter((path) => shown.has(path.item_id))).slice(0, DRAWN_NODES);
  const lines = new Map();
  const add = (from, to, name, weight, dashed = false) => {
    const found = lines.get(`${from} ${to}`) ?? { from, to, label: name, weight: 0, dashed };
    lines.set(`${from} ${to}`, { ...found, weight: found.weight + weight });
  };
  const kept = new Set(shared.map((one) => one.id));
  for (const path of paths) {
    const id = nodeId(path);
    if (!shown.has(path.item_id) || !kept.has(id)) continue;
    add(`h:${path.item_id}`, id, inEnglish(path.history_relation), path.contribution);
    add(id, "item", inEnglish(path.relation), path.contribution);
  }
  for (const one of items) {
    const rest = one.contribution - (passed.get(one.item_id) ?? 0);
    add(`h:${one.item_id}`, "item", "", rest, true);
  }
  const most = Math.max(...[...lines.values()].map((line) => Math.abs(line.weight)), 0);
  const edges = [...lines.values()].filter((line) => Math.abs(line.weight) >= FAINT * most && line.weight !== 0);
  const used = new Set(edges.flatMap((line) => [line.from, line.to]));
  const column = (x, at, of) => ({ x, y: 110 * (at - (of - 1) / 2) });
  const nodes = [
    ...items.map((one, at) => ({ id: `h:${one.item_id}`, label: one.label || one.item_id, kind: "history", at: column(0, at, items.length), open: () => openItem(one.item_id) })),
    ...shared.map((one, at) => ({ id: one.id, label: one.label || one.key, kind: "shared", at: column(220, at, shared.length), open: openNode(one) })),
    { id: "item", label, kind: "item", at: { x: 440, y: 0 }, open: () => openItem(why.item) },
  ].filter((node) => used.has(node.id));
  const rows = [
    ...paths.map((path) => [path.item || path.item_id, inEnglish(path.history_relation), path.label || path.key, inEnglish(path.relation), number(path.contribution)]),
    ...items.map((one) => [one.label || one.item_id, "–", "no shared node", "–", number(one.contribution - (passed.get(one.item_id) ?? 0))]),
  ].sort((one, other) => Math.abs(parse(other[4])) - Math.abs(parse(one[4])));
  return { nodes, edges, rows };
}

/** Contributions by shared node, the largest first. */
function byNode(paths) {
  const sums = new Map();
  for (const path of paths) {
    const id = nodeId(path);
    const found = sums.get(id) ?? { ...path, id, contribution: 0 };
    sums.set(id, { ...found, contribution: found.contribution + path.contribution });
  }
  return [...sums.values()].sort((one, other) => Math.abs(other.contribution) - Math.abs(one.contribution));
}

const nodeId = (path) => `n:${path.type}/${path.key}`;

function openNode({ type, key }) {
  return type === "number" || type === "word" ? null : () => { location.hash = address("graph", type, key); };
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
  return el("section", { "aria-labelledby": id }, el("h4", { id }, title),
    parts.length ? el("ul", { class: "shares" }, parts.map((part) => el("li", {},
      el("span", {}, part.name), el("span", { class: "number" }, number(part.contribution)),
      bar(Math.abs(part.contribution) / most, part.contribution < 0 ? "bad" : "")))) : el("p", { class: "hint" }, "None."),
    el("p", { class: "hint" }, `The score is ${number(score)}.`));
}

function inEnglish(relation) {
  return relation.split(" / ").map((one) => (one.startsWith(INVERSE) ? `${one.slice(1)} of` : one)).join(" / ").replaceAll("_", " ");
}

function joined(parts) {
  return parts.flatMap((part, at) => [at === 0 ? [] : at === parts.length - 1 ? " and " : ", ", part].flat());
}

const percent = (share) => `${Math.round(100 * share)} %`;
const number = (value) => value.toFixed(3).replace("-", "−");
const parse = (text) => Number(text.replace("−", "-"));
const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}.`;
