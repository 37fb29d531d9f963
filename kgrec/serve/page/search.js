// Completion of users, items and nodes by name.

import { call, path, post } from "./api.js";
import { combobox } from "./combobox.js";

/** Users first that contain the text, then items by id and label. */
export async function usersAndItems(text, _caret, signal) {
  const [users, items] = await Promise.all([
    call("v1/users", { query: { text: text.trim(), limit: 6 }, signal }),
    post("v1/search", { text: text.trim(), mode: "name", k: 8 }, signal),
  ]);
  return [...users.users.map((user) => ({ text: user, note: "user", user })), ...items.items.map(itemOption)];
}

/** A field for an item. */
export function itemField(label, take, hint = "") {
  return combobox({
    label, hint,
    find: async (text, _caret, signal) => (await post("v1/search", { text: text.trim(), mode: "name", k: 8 }, signal)).items.map(itemOption),
    take: (option, input) => { input.value = ""; take(option); },
  });
}

/** A field for any node of the graph. */
export function nodeField(label, take) {
  return combobox({
    label, hint: "By key or label, ignoring case and accents.",
    find: async (text, _caret, signal) => {
      const found = await call("v1/graph/nodes", { query: { text: text.trim(), limit: 10 }, signal });
      return found.nodes.map((node) => ({ text: node.label || node.key, note: node.type, type: node.type, key: node.key }));
    },
    take: (option, input) => { input.value = ""; take(option); },
  });
}

/** Type and key of the node that an item is. */
export async function nodeOfItem(item) {
  const found = await call(path("items", item));
  const prefix = `${found.type}/`;
  return { type: found.type, key: found.item.startsWith(prefix) ? found.item.slice(prefix.length) : found.item };
}

function itemOption(item) {
  return { text: item.label || item.item, note: item.item === item.label ? "item" : `item ${item.item}`, item: item.item, label: item.label || item.item };
}
