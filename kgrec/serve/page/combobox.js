// A text field with suggestions (ARIA combobox with a list): arrows choose, Enter takes, Escape closes.

import { el, newId } from "./dom.js";
import { latest } from "./api.js";

const WAIT = 150;

/**
 * A field with its label.
 *
 * @param label    Name of the field.
 * @param find     (text, caret, signal) -> options `{text, note}`, best first.
 * @param take     (option, input) -> what happens with the chosen one.
 * @param submit   (text) -> on Enter without a chosen option; without it, Enter takes the first option.
 * @param onEmpty  Whether options are shown before anything is typed.
 */
export function combobox({ label, placeholder = "", hint = "", find, take, submit = null, onEmpty = false }) {
  const ids = { input: newId("field"), list: newId("options"), note: newId("note") };
  const next = latest();
  let options = [];
  let active = -1;
  let timer = 0;
  /** Enter was pressed before the options came: the first one is taken */
  let isWanted = false;
  const input = el("input", {
    id: ids.input, type: "text", role: "combobox", autocomplete: "off", spellcheck: "false", placeholder,
    "aria-expanded": "false", "aria-controls": ids.list, "aria-autocomplete": "list", "aria-describedby": ids.note,
    on: { input: soon, keydown, blur: close, focus: () => onEmpty && soon(), click: () => onEmpty && list.hidden && soon() },
  });
  const list = el("ul", { id: ids.list, role: "listbox", "aria-label": label, hidden: true });
  const note = el("p", { id: ids.note, class: "hint", role: "status" }, hint);
  const field = el("div", { class: "field" },
    el("label", { for: ids.input }, label), el("div", { class: "combobox" }, input, list), note);

  function soon() {
    clearTimeout(timer);
    isWanted = false;
    timer = setTimeout(search, WAIT);
  }

  async function search() {
    const text = input.value;
    if (!text.trim() && !onEmpty) {
      note.textContent = hint;
      return close();
    }
    try {
      const found = await find(text, input.selectionStart ?? text.length, next());
      if (document.activeElement === input) show(found, text);
    } catch (error) {
      if (error.name === "AbortError") return;
      close();
      note.textContent = `${error.message} ${error.remedy ?? ""}`;
    }
  }

  function show(found, text) {
    options = found;
    note.textContent = found.length || submit || !text.trim() ? hint : `Nothing matches “${text.trim()}”.`;
    list.replaceChildren(...found.map((one, at) => el("li", {
      id: `${ids.list}-${at}`, role: "option", "aria-selected": "false",
      // the field would lose the focus at mousedown, and the list be gone at click
      on: { mousedown: (event) => event.preventDefault(), click: () => choose(at) },
    }, el("span", {}, one.text), one.note ? el("span", { class: "kind" }, one.note) : null)));
    list.hidden = found.length === 0;
    input.setAttribute("aria-expanded", String(found.length > 0));
    activate(submit || !found.length ? -1 : 0);
    if (isWanted && active >= 0) choose(active);
  }

  function activate(at) {
    list.children[active]?.setAttribute("aria-selected", "false");
    active = at;
    const option = list.children[at];
    if (!option) return input.removeAttribute("aria-activedescendant");
    option.setAttribute("aria-selected", "true");
    option.scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", option.id);
  }

  function close() {
    clearTimeout(timer);
    isWanted = false;
    next();
    options = [];
    list.hidden = true;
    list.replaceChildren();
    input.setAttribute("aria-expanded", "false");
    activate(-1);
  }

  function choose(at) {
    const option = options[at];
    close();
    take(option, input);
    if (submit && document.activeElement === input) soon();
  }

  function keydown(event) {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (list.hidden) return search();
      const step = event.key === "ArrowDown" ? 1 : -1;
      const from = active < 0 && step < 0 ? 0 : active;
      activate((from + step + options.length) % options.length);
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (active >= 0) choose(active);
      else if (submit) { close(); submit(input.value.trim()); }
      else { clearTimeout(timer); isWanted = true; search(); }
    } else if (event.key === "Escape" && !list.hidden) {
      event.stopPropagation();
      close();
    } else if (event.key === "Escape") {
      input.value = "";
    }
  }

  return { field, input };
}
