// Any node of the graph: its values, its neighbours as a drawing and as lists; items also with similar ones.

import { call, path, post } from "../api.js";
import { address, button, el, empty, failure, link, newId } from "../dom.js";
import { drawing } from "../drawing.js";
import { nodeField, nodeOfItem } from "../search.js";

const PAGE = 100;
/** neighbours of a drawing, and of one on a narrow screen */
const DRAWN = 30;
const DRAWN_NARROW = 12;
const SIMILAR = 8;

/** The view of a node by type and key, of the node of an item, or of the search alone. */
export function node(type = null, key = null) {
  const place = el("div", {});
  const { field } = nodeField("Search nodes", (found) => { location.hash = address("graph", found.type, found.key); });
  const title = el("h1", {}, "Graph");
  if (key === null) place.append(empty("Search a node by its name, or click one in a drawing."));
  else load(type, key, title, place);
  return { title: key ?? "Graph", element: el("div", {}, title, field, place) };
}

async function load(type, key, title, place) {
  try {
    const name = type ? { type, key } : await nodeOfItem(key);
    const where = ["graph", "nodes", name.type, name.key];
    const [found, near] = await Promise.all([
      call(path(...where)), call(path(...where, "neighbours"), { query: { limit: PAGE } }),
    ]);
    const label = found.label || found.key;
    title.textContent = label;
    document.title = `${label} - kgrec`;
    place.replaceChildren(...facts(found), ...neighbours(found, near, where), ...(found.item === null ? [] : similar(found.item)));
  } catch (error) {
    place.replaceChildren(failure(error, () => load(type, key, title, place)));
  }
}

function facts(found) {
  const own = [["Type", found.type], ["Key", found.key], ["IRI", found.iri], ["Edges", String(found.degree)]];
  const values = Object.entries(found.values).filter(([, value]) => !Array.isArray(value));
  return [
    found.item === null ? null : el("p", {}, link(["list", found.item], "List for somebody who likes this")),
    el("dl", { class: "facts" }, [...own, ...values].filter(([, value]) => value !== "").flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, String(value))])),
  ].filter(Boolean);
}

function neighbours(found, near, where) {
  if (!near.total) return [empty("This node has no edges.")];
  const groups = new Map();
  const place = el("div", { class: "groups" });
  const add = (some) => {
    for (const one of some) {
      const name = one.direction === "in" ? `${one.relation} of` : one.relation;
      if (!groups.has(name)) {
        const id = newId("relation");
        const rows = el("ul", {});
        groups.set(name, rows);
        place.append(el("section", { "aria-labelledby": id }, el("h3", { id }, name.replaceAll("_", " ")), rows));
      }
      groups.get(name).append(el("li", {}, link(["graph", one.type, one.key], one.label || one.key), el("span", { class: "kind" }, one.type)));
    }
  };
  add(near.neighbours);
  return [el("h2", {}, `Neighbours (${near.total.toLocaleString("en")})`), picture(found, near), place, further(near.next, where, add)];
}

/** A button for the next page of neighbours. */
function further(start, where, add) {
  if (start === null) return "";
  const more = button("Show more", async () => {
    try {
      const page = await call(path(...where, "neighbours"), { query: { limit: PAGE, start: more.start } });
      add(page.neighbours);
      more.start = page.next;
      if (page.next === null) more.remove();
    } catch (error) {
      more.after(failure(error));
    }
  });
  more.start = start;
  return more;
}

function picture(found, near) {
  const centre = "centre";
  const shown = near.neighbours.slice(0, window.innerWidth < 600 ? DRAWN_NARROW : DRAWN);
  const ring = (at) => ({ x: 200 * Math.cos((2 * Math.PI * at) / shown.length), y: 200 * Math.sin((2 * Math.PI * at) / shown.length) });
  const others = new Map(shown.map((one, at) => [`${one.type}/${one.key}`, { one, at }]));
  others.delete(`${found.type}/${found.key}`);
  const nodes = [
    { id: centre, label: found.label || found.key, kind: "item", at: { x: 0, y: 0 } },
    ...[...others].map(([id, { one, at }]) => ({
      id: `n:${id}`, label: one.label || one.key, kind: one.item === null ? "shared" : "history", at: ring(at),
      open: () => { location.hash = address("graph", one.type, one.key); },
    })),
  ];
  const edges = shown.filter((one) => others.has(`${one.type}/${one.key}`)).map((one) => {
    const other = `n:${one.type}/${one.key}`;
    const ends = one.direction === "in" ? { from: other, to: centre } : { from: centre, to: other };
    return { ...ends, label: shown.length > 14 ? "" : one.relation.replaceAll("_", " ") };
  });
  const part = near.total > shown.length ? `The first ${shown.length} of ${near.total.toLocaleString("en")} neighbours` : "Neighbours";
  return drawing({ nodes, edges, text: `${part} of ${found.label || found.key}; the lists below have the same.` });
}

function similar(item) {
  const place = el("section", { "aria-labelledby": "similar" }, el("h2", { id: "similar" }, "Similar items"));
  post("v1/similar/items", { item, k: SIMILAR }).then(({ items }) => place.append(items.length
    ? el("ol", { class: "plain" }, items.map((one) => el("li", {}, link(["item", one.item], one.label || one.item), el("span", { class: "kind" }, one.score.toFixed(3)))))
    : empty("No item is similar.")), (error) => place.append(failure(error)));
  return [place];
}
