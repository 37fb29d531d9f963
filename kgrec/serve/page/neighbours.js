// A node with its neighbours: as a drawing, and as lists by relation.

import { el, newId } from "./dom.js";
import { drawing } from "./drawing.js";

/** neighbours of a drawing, and of one on a narrow screen */
const DRAWN = 30;
const DRAWN_NARROW = 12;

/** A drawing of a node with its neighbours; `open` takes type and key of the clicked one. */
export function picture(found, near, open) {
  const centre = "centre";
  const shown = near.neighbours.slice(0, window.innerWidth < 600 ? DRAWN_NARROW : DRAWN);
  const ring = (at) => ({ x: 200 * Math.cos((2 * Math.PI * at) / shown.length), y: 200 * Math.sin((2 * Math.PI * at) / shown.length) });
  const others = new Map(shown.map((one, at) => [`${one.type}/${one.key}`, { one, at }]));
  others.delete(`${found.type}/${found.key}`);
  const nodes = [
    { id: centre, label: found.label || found.key, kind: "item", at: { x: 0, y: 0 } },
    ...[...others].map(([id, { one, at }]) => ({
      id: `n:${id}`, label: one.label || one.key, kind: one.item === null ? "shared" : "history", at: ring(at),
      open: () => open(one.type, one.key),
    })),
  ];
  const edges = shown.filter((one) => others.has(`${one.type}/${one.key}`)).map((one) => {
    const other = `n:${one.type}/${one.key}`;
    const ends = one.direction === "in" ? { from: other, to: centre } : { from: centre, to: other };
    return { ...ends, label: shown.length > 14 ? "" : one.relation.replaceAll("_", " ") };
  });
  const part = near.total > shown.length ? `The first ${shown.length} of ${near.total.toLocaleString("en")} neighbours` : "Neighbours";
  return drawing({ nodes, edges, text: `${part} of ${found.label || found.key}; the lists below show the same.` });
}

/** Lists of neighbours by relation: their element, and a function that adds neighbours; `named` makes the element of one's name. */
export function groups(named) {
  const lists = new Map();
  const place = el("div", { class: "groups" });
  const add = (some) => {
    for (const one of some) {
      const name = one.direction === "in" ? `${one.relation} of` : one.relation;
      if (!lists.has(name)) {
        const id = newId("relation");
        const rows = el("ul", {});
        lists.set(name, rows);
        place.append(el("section", { "aria-labelledby": id }, el("h3", { id }, name.replaceAll("_", " ")), rows));
      }
      lists.get(name).append(el("li", {}, named(one), el("span", { class: "kind" }, one.type)));
    }
  };
  return { place, add };
}
