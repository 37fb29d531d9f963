// The paths from the history to an item through the graph: which are drawn, how, and all of them as a table.

import { el } from "./dom.js";

/** rows of the table */
const ROWS = 100;
/** nodes of a drawing: items of the history by their paths and by their whole part, and what they share with the item */
const BY_PATHS = 4;
const BY_PART = 3;
const DRAWN_NODES = 7;
/** lines up to which each has a label */
const LABELLED = 10;
/** weaker lines are left out of the drawing, as a share of the strongest */
const FAINT = 0.04;
/** as kgrec names relations: backwards, of two steps, and words that names share */
const INVERSE = "^";
const HOP = " / ";
const WORDS = "~word";

/**
 * Nodes and lines of the drawing, and all paths as rows of a table.
 *
 * @param views  `{item, node, openItem, openNode}`: what names an item (id, name) and a node (type, key, name) in the table, and what a click
 *               on an item (id) and on a node (type, key) does in the drawing, null where it does nothing.
 */
export function network(why, label, views) {
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
    ...items.map((one, at) => ({ id: `h:${one.item_id}`, label: one.label || one.item_id, kind: "history", at: column(0, at, items.length), open: () => views.openItem(one.item_id) })),
    ...shared.map((one, at) => ({ id: one.id, label: one.short, kind: "shared", at: column(220, at, shared.length), open: opening(one, views) })),
    { id: "item", label, kind: "item", at: { x: 440, y: 0 }, open: () => views.openItem(why.item) },
  ].filter((node) => used.has(node.id));
  const all = [
    ...paths.map((path) => [path.contribution, path.item_id, path.item, inEnglish(path.history_relation), path, inEnglish(path.relation)]),
    ...why.edges.history.map((one) => [rest(one), one.item_id, one.label, "–", null, "–"]),
  ].sort((one, other) => Math.abs(other[0]) - Math.abs(one[0]));
  const rows = all.slice(0, ROWS).map(([weight, item, name, first, shared, second]) =>
    [views.item(item, name || item), first, shared === null ? "no shared node" : named(shared, views), second, number(weight)]);
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

function opening(shared, { openNode }) {
  return hasView(shared) && openNode ? () => openNode(shared.type, shared.key) : null;
}

function named(shared, views) {
  const name = shared.label || shared.key;
  return hasView(shared) ? views.node(shared.type, shared.key, name) : name;
}

function inEnglish(relation) {
  if (relation === WORDS) return "word of the name";
  return relation.split(HOP).map((one) => (one.startsWith(INVERSE) ? `${one.slice(INVERSE.length)} of` : one)).join(HOP).replaceAll("_", " ");
}

/** A figure of a score. */
export const number = (value) => value.toFixed(3).replace("-", "−");
