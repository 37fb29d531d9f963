// Any node of the graph: its values, its neighbours as a drawing and as lists; items also with similar ones.

import { call, path, post } from "../api.js";
import { address, button, el, empty, failure, link, newId } from "../dom.js";
import { groups, picture } from "../neighbours.js";
import { nodeField, nodeOfItem } from "../search.js";

const PAGE = 100;
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
    found.item === null ? null : el("p", {}, link(["list", found.item], "List for a user who likes this")),
    el("dl", { class: "facts" }, [...own, ...values].filter(([, value]) => value !== "").flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, String(value))])),
  ].filter(Boolean);
}

function neighbours(found, near, where) {
  if (!near.total) return [empty("This node has no edges.")];
  const { place, add } = groups((one) => link(["graph", one.type, one.key], one.label || one.key));
  add(near.neighbours);
  return [el("h2", {}, `Neighbours (${near.total.toLocaleString("en")})`), picture(found, near, open), place, further(near.next, where, add)];
}

function open(type, key) {
  location.hash = address("graph", type, key);
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

function similar(item) {
  const place = el("section", { "aria-labelledby": "similar" }, el("h2", { id: "similar" }, "Similar items"));
  post("v1/similar/items", { item, k: SIMILAR }).then(({ items }) => place.append(items.length
    ? el("ol", { class: "plain" }, items.map((one) => el("li", {}, link(["item", one.item], one.label || one.item), el("span", { class: "kind" }, one.score.toFixed(3)))))
    : empty("No item is similar.")), (error) => place.append(failure(error)));
  return [place];
}
