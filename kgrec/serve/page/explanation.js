// Why an item has its score and its place: in words, as a graph, and in tables.

import { account } from "./account.js";
import { post } from "./api.js";
import { address, el, failure, link, newId } from "./dom.js";
import { number } from "./paths.js";
import { nodeOfItem } from "./search.js";

/** paths that are asked for */
const PATHS = 1000;

/** where items and nodes of an explanation lead */
const VIEWS = {
  item: (id, name) => link(["item", id], name),
  node: (type, key, name) => link(["graph", type, key], name),
  openItem,
  openNode: (type, key) => { location.hash = address("graph", type, key); },
};

/** An element that fills itself with the explanation of an item for somebody. */
export function explanation(whomBody, item) {
  const place = el("div", { class: "why" }, el("p", { class: "hint" }, "Reading the graph …"));
  const load = async () => {
    try {
      const why = await post("v1/explain", { ...whomBody, item, edges: PATHS });
      place.replaceChildren(...(why.excluded_by.length ? [exclusion(why, why.label || why.item, whomBody)] : []), ...account(why, VIEWS));
    } catch (error) {
      place.replaceChildren(failure(error, load));
    }
  };
  load();
  return place;
}

/** What keeps the item out of the list, and what to change. */
function exclusion(why, label, { k }) {
  const remedies = {
    seen: "Tick “Seen items too” to list it.",
    where: "Change the condition.",
    list: "Lower a strength in “The list as a whole”, or remove a cap or a quota.",
    disliked: "Remove it from the dislikes.",
    deny: "It has been seen. Tick “Seen items too” to list it.",
    removed: "PUT /v1/items restores a removed item.",
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

async function openItem(item) {
  try {
    const node = await nodeOfItem(item);
    location.hash = address("graph", node.type, node.key);
  } catch {
    location.hash = address("item", item);
  }
}

const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}.`;
