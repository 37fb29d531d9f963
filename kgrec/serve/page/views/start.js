// The first view: search of users and items, and some users to begin with.

import { call } from "../api.js";
import { combobox } from "../combobox.js";
import { address, el, empty, failure, link } from "../dom.js";
import { usersAndItems } from "../search.js";

export function start() {
  const { field, input } = combobox({
    label: "Search users and items",
    placeholder: "id or name",
    hint: "A user opens the list and the history, an item its place in the graph.",
    find: usersAndItems,
    take: (option) => {
      location.hash = option.user === undefined ? address("item", option.item) : address("user", option.user);
    },
  });
  const some = el("section", { "aria-labelledby": "some" }, el("h2", { id: "some" }, "Users"));
  const load = async () => {
    try {
      const { users } = await call("v1/users", { query: { limit: 12 } });
      some.replaceChildren(some.firstChild, users.length
        ? el("ul", { class: "chips" }, users.map((user) => el("li", {}, link(["user", user], user))))
        : empty("The model has no users yet. Send events to POST /v1/feedback, or make a list without a user."));
    } catch (error) {
      some.replaceChildren(some.firstChild, failure(error, load));
    }
  };
  load();
  queueMicrotask(() => input.focus());
  return {
    title: "Lists",
    element: el("div", { class: "narrow" },
      el("h1", {}, "Recommendations, and why"),
      field, some,
      el("p", {}, "A new user? ", link(["list"], "Make a list without a user"), " from likes and dislikes.")),
  };
}
