// For whom a list is: a user, with what is tried out in the page and stored nowhere.

import { isWish, newWishes, wishOptions } from "./wishes.js";

/** What the page knows while a list is shown. */
export function newWhom(user, liked = []) {
  return {
    user,
    /** interactions, the newest first, as the API gives them */
    history: [],
    /** items by id -> label */
    without: new Map(),
    likes: new Map(liked),
    dislikes: new Map(),
    where: "",
    /** what the list is like as a whole */
    wishes: newWishes(),
    k: 10,
    seen: false,
  };
}

/** Whether anything is tried out. */
export const isTried = (whom) => whom.without.size + whom.likes.size + whom.dislikes.size > 0 || isWish(whom.wishes);

/**
 * The part of a request's body that says for whom and which items.
 *
 * Without an item of the history the list is that of the remaining liked items, oldest first; what else was seen is denied.
 */
export function body(whom) {
  const options = { k: whom.k, exclude_seen: !whom.seen, ...(whom.where ? { where: whom.where } : {}), ...wishOptions(whom.wishes) };
  const tried = { ...named("likes", whom.likes), ...named("dislikes", whom.dislikes) };
  if (whom.user !== null && !whom.without.size) return { user: whom.user, ...tried, ...options };
  return { ...byHistory(whom), ...tried, ...options };
}

/** The same without what is tried out: with what the list is compared. */
export function baseline(whom) {
  const before = { ...whom, likes: new Map(), dislikes: new Map(), wishes: newWishes() };
  if (!whom.without.size || whom.user === null) return body({ ...before, without: new Map() });
  // a list by history, as the one that it is compared with
  return { ...byHistory({ ...before, without: new Map() }), k: whom.k, exclude_seen: !whom.seen, ...(whom.where ? { where: whom.where } : {}) };
}

function byHistory(whom) {
  const kept = whom.history.filter((one) => !whom.without.has(one.item));
  const history = kept.filter((one) => one.liked).map((one) => one.item).reverse();
  const deny = whom.seen ? [] : kept.filter((one) => !one.liked).map((one) => one.item);
  return { history, ...(deny.length ? { deny } : {}) };
}

function named(name, items) {
  return items.size ? { [name]: [...items.keys()] } : {};
}
