// A list beside the history that it comes from, and what is tried out: likes, dislikes, conditions, a history without an item.

import { call, latest, pages, path, post } from "../api.js";
import { announce, button, el, empty, failure, keptFocus, link, newId } from "../dom.js";
import { explanation } from "../explanation.js";
import { itemField } from "../search.js";
import { whereField } from "../where.js";
import { baseline, body, isTried, newWhom } from "../whom.js";
import { chips as wishChips, wishesField } from "../wishes.js";

/** the API takes no longer history */
const MOST_HISTORY = 10_000;
const SHOWN_HISTORY = 20;
/** items that say why they are here; the API explains no more */
const EXPLAINED = 10;
const LENGTHS = [10, 20, 50];

/** The view of a user's list, or of one without a user, which may begin with a liked item. */
export function list({ user = null, item = null }) {
  const whom = newWhom(user, item ? [[item, item]] : []);
  const next = latest();
  const heading = el("h2", { id: "list-title", tabindex: "-1" }, "Recommended");
  const parts = { tried: el("div", { class: "tried" }), items: el("div", {}), history: el("div", {}), missing: el("div", {}) };
  const update = () => { drawTried(whom, parts.tried, heading, update); wishes.sync(); load(); };
  const wishes = wishesField(whom.wishes, update);

  async function load() {
    const signal = next();
    parts.items.setAttribute("aria-busy", "true");
    try {
      const [found, before] = await Promise.all([
        post("v1/recommend", { ...body(whom), explain: EXPLAINED }, signal),
        isTried(whom) ? post("v1/recommend", baseline(whom), signal) : null,
      ]);
      const refocus = keptFocus(parts.items, heading);
      parts.items.replaceChildren(...drawn(whom, found, before, update));
      refocus();
      parts.missing.replaceChildren();
      announce(`${found.items.length} items in the list.`);
    } catch (error) {
      if (error.name !== "AbortError") parts.items.replaceChildren(failure(error, load));
    } finally {
      if (!signal.aborted) parts.items.removeAttribute("aria-busy");
    }
  }

  async function begin() {
    if (user === null) {
      parts.history.replaceChildren(empty("No user is selected. Add liked items to get a list."));
      await named(whom);
      return update();
    }
    try {
      whom.history = await pages(path("users", user, "history"), "items", { limit: 1000 }, MOST_HISTORY);
    } catch (error) {
      parts.history.replaceChildren(failure(error, begin));
      if (error.status !== 404) return;
    }
    if (whom.history.length) drawHistory(whom, parts.history, update);
    update();
  }

  begin();
  const title = user === null ? "A list without a user" : `User ${user}`;
  return {
    title,
    element: el("div", {},
      el("h1", {}, title),
      el("div", { class: "beside" },
        el("section", { class: "history", "aria-labelledby": "history-title" }, el("h2", { id: "history-title" }, "History"), parts.history),
        el("section", { "aria-labelledby": "list-title" },
          heading, controls(whom, update), wishes.element, parts.tried, parts.items,
          missing(whom, parts.missing)))),
  };
}

/** Give the liked items their labels; an unknown one keeps its id, and the list says that it is unknown. */
async function named(whom) {
  for (const item of whom.likes.keys()) {
    try {
      whom.likes.set(item, (await call(path("items", item))).label || item);
    } catch {
      // the list will say what is wrong
    }
  }
}

/** Condition, liked items, length, seen items. */
function controls(whom, update) {
  const { field: condition } = whereField((text) => { whom.where = text; update(); });
  const { field: like } = itemField("Add a liked item", (item) => {
    whom.likes.set(item.item, item.label);
    whom.dislikes.delete(item.item);
    update();
  });
  const ids = { length: newId("length"), seen: newId("seen") };
  return el("div", { class: "controls" }, condition, like,
    el("div", { class: "field short" }, el("label", { for: ids.length }, "Items"),
      el("select", { id: ids.length, on: { change: (event) => { whom.k = Number(event.target.value); update(); } } },
        LENGTHS.map((k) => el("option", { value: k, selected: k === whom.k }, String(k))))),
    whom.user === null ? null : el("div", { class: "field check" },
      el("input", { id: ids.seen, type: "checkbox", on: { change: (event) => { whom.seen = event.target.checked; update(); } } }),
      el("label", { for: ids.seen }, "Seen items too")));
}

/** What is tried out, each with a button that takes it back. */
function drawTried(whom, place, heading, update) {
  const kinds = [["without", "Not in the history: "], ["likes", "Liked: "], ["dislikes", "Disliked: "]];
  const chips = kinds.flatMap(([kind, name]) => [...whom[kind]].map(([item, label]) => el("li", {},
    button([name, el("strong", {}, label), " ×"], () => { whom[kind].delete(item); redrawn(whom); update(); }, { "aria-label": `Take back: ${name}${label}` }))));
  chips.push(...wishChips(whom.wishes).map(([text, takeBack]) => el("li", {},
    button([el("strong", {}, text), " ×"], () => { takeBack(); update(); }, { "aria-label": `Take back: ${text}` }))));
  if (whom.where) chips.push(el("li", {}, el("span", {}, "Condition: ", el("strong", {}, whom.where))));
  const refocus = keptFocus(place, heading);
  place.replaceChildren(...(chips.length ? [
    el("ul", { class: "chips", "aria-label": "Tried out" }, chips),
    isTried(whom) ? el("p", { class: "hint" }, "Tried out only in this page; nothing is stored.") : null,
  ].filter(Boolean) : []));
  refocus();
}

function drawHistory(whom, place, update) {
  const rows = el("ul", { class: "rows" });
  const show = (some) => rows.append(...some.map((one) => historyRow(whom, one, update)));
  show(whom.history.slice(0, SHOWN_HISTORY));
  const more = whom.history.length > SHOWN_HISTORY
    ? button(`Show all ${whom.history.length}`, () => { show(whom.history.slice(SHOWN_HISTORY)); more.remove(); })
    : null;
  whom.rows = rows;
  const hint = `Take an item out to see the list without it.${whom.history.length >= MOST_HISTORY ? " These are the newest 10,000 items." : ""}`;
  place.replaceChildren(...[el("p", { class: "hint" }, hint), rows, more].filter(Boolean));
}

function historyRow(whom, one, update) {
  const label = one.label || one.item;
  const toggle = button("Take out", () => {
    if (!whom.without.delete(one.item)) whom.without.set(one.item, label);
    mark();
    update();
  }, { class: "quiet" });
  const mark = () => {
    const out = whom.without.has(one.item);
    row.classList.toggle("out", out);
    toggle.textContent = out ? "Put back" : "Take out";
    toggle.setAttribute("aria-label", `${toggle.textContent}: ${label}`);
  };
  const details = [one.liked ? null : "seen, not liked", one.count > 1 ? `${one.count} times` : null, one.time?.slice(0, 10)].filter(Boolean).join(", ");
  const row = el("li", {}, el("div", {}, link(["item", one.item], label), details ? el("p", { class: "hint" }, details) : null), toggle);
  row.mark = mark;
  mark();
  return row;
}

/** The buttons of the history follow what was taken back elsewhere. */
function redrawn(whom) {
  for (const row of whom.rows?.children ?? []) row.mark();
}

/** The list, with how it differs from the one without what is tried out. */
function drawn(whom, found, before, update) {
  const notes = {
    unknown_user: "The user is unknown, so this is the list for the average user.",
    no_history: "There is no liked item, so this is the list for the average user.",
  };
  if (!found.items.length) return [empty(whom.where ? "No item meets the condition and the other rules. Widen the condition." : "There is no item left to recommend. Tick “Seen items too” to list seen items.")];
  const ranks = before && new Map(before.items.map((one) => [one.item, one.rank]));
  const gone = before ? before.items.filter((one) => !found.items.some((now) => now.item === one.item)) : [];
  return [
    found.fallback ? el("p", { class: "hint" }, notes[found.fallback] ?? found.fallback) : null,
    el("ol", { class: "rows ranked" }, found.items.map((one) => listRow(whom, one, ranks, update))),
    gone.length ? el("p", {}, "No longer in the list: ", el("strong", {}, gone.map((one) => one.label || one.item).join(", ")), ".") : null,
    el("p", { class: "hint" }, `Model ${found.model}, revision ${found.revision}.`),
  ].filter(Boolean);
}

function listRow(whom, one, ranks, update) {
  const label = one.label || one.item;
  const place = el("div", { id: newId("why"), hidden: true });
  const why = button("Why?", () => toggle(), { "aria-expanded": "false", "aria-controls": place.id, "aria-label": `Why ${label}?` });
  const toggle = () => {
    place.hidden = !place.hidden;
    why.setAttribute("aria-expanded", String(!place.hidden));
    place.replaceChildren(...(place.hidden ? [] : [explanation(body(whom), one.item)]));
  };
  const say = (kind, other) => () => {
    if (!whom[kind].delete(one.item)) whom[kind].set(one.item, label);
    whom[other].delete(one.item);
    update();
  };
  return el("li", { on: { keydown: (event) => { if (event.key === "Escape" && !place.hidden) { toggle(); why.focus(); } } } },
    el("div", { class: "row" },
      el("span", { class: "rank" }, String(one.rank)),
      el("div", { class: "what" }, el("strong", { class: "name", on: { click: () => toggle() } }, label), moved(one, ranks), one.because ? el("p", { class: "hint reason" }, one.because.text) : null),
      el("span", { class: "number", title: "Score" }, one.score.toFixed(3)),
      el("div", { class: "actions" }, why,
        button("Like", say("likes", "dislikes"), { class: "quiet", "aria-label": `Like ${label}` }),
        button("Dislike", say("dislikes", "likes"), { class: "quiet", "aria-label": `Dislike ${label}` }))),
    place);
}

function moved(one, ranks) {
  if (!ranks) return null;
  const was = ranks.get(one.item);
  if (was === undefined) return el("span", { class: "moved up" }, "new");
  if (was === one.rank) return null;
  const up = was > one.rank;
  return el("span", { class: `moved ${up ? "up" : "down"}` }, `${up ? "▲" : "▼"} ${Math.abs(was - one.rank)}`,
    el("span", { class: "unseen" }, up ? " places up" : " places down"));
}

/** "Why is it not here?" for any item. */
function missing(whom, place) {
  const { field } = itemField("Why is an item not here?", (item) => {
    place.replaceChildren(explanation(body(whom), item.item));
  }, "Name an item to see what keeps it out of this list.");
  return el("section", { class: "missing", "aria-label": "Why is an item not here?" }, field, place);
}
