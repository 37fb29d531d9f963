// Elements made of attributes and children. Data goes in as text alone: nothing here, or in any other module, parses markup.

const SVG = "http://www.w3.org/2000/svg";

/** An element; `on` is an object of listeners, `null` and `false` are left out, `true` is an empty attribute. */
export function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same of an SVG. */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
    } else if (value !== null && value !== undefined && value !== false) {
      node.setAttribute(name, value === true ? "" : String(value));
    }
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** A button. */
export function button(text, click, attributes = {}) {
  return el("button", { type: "button", ...attributes, on: { click } }, text);
}

/** A link to a view; each part is escaped, so it may have slashes. */
export function link(parts, text, attributes = {}) {
  return el("a", { href: address(...parts), ...attributes }, text);
}

/** The address of a view. */
export function address(...parts) {
  return `#/${parts.map(encodeURIComponent).join("/")}`;
}

/** A bar whose length is a share between 0 and 1; the figure beside it says the same. */
export function bar(share, kind = "") {
  const inner = el("span", { class: `bar-inner ${kind}` });
  inner.style.width = `${(100 * Math.min(1, Math.max(0, share))).toFixed(1)}%`;
  return el("span", { class: "bar", "aria-hidden": "true" }, inner);
}

/** A table with a caption; columns of numbers are set to the right. */
export function table(caption, columns, rows, attributes = {}) {
  const numeric = columns.map((_, at) => at > 0 && rows.length > 0 && rows.every((row) => /^[−-]?[\d.,]+(\s?%)?$/.test(row[at])));
  const kind = (at) => (numeric[at] ? "number" : null);
  const cell = (value, at) => (at === 0 ? el("th", { scope: "row" }, value) : el("td", { class: kind(at) }, value));
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    el("table", attributes,
      el("caption", {}, caption),
      el("thead", {}, el("tr", {}, columns.map((name, at) => el("th", { scope: "col", class: kind(at) }, name)))),
      el("tbody", {}, rows.map((row) => el("tr", {}, row.map(cell))))));
}

/** What went wrong and what to do, as the server said it; what may pass by itself can be tried again. */
export function failure(error, retry = null) {
  const passes = error.status === 0 || error.status === 429 || error.status >= 500;
  return el("div", { class: "failure", role: "alert" },
    el("p", {}, el("strong", {}, error.message)),
    error.remedy ? el("p", {}, error.remedy) : null,
    retry && passes ? button("Try again", retry) : null);
}

/** What to do where there is nothing to see. */
export function empty(...children) {
  return el("p", { class: "empty" }, ...children);
}

/** The position of the focus among the buttons of each row, as a function that sets it again in rows that were drawn anew. */
export function keptFocus(place, fallback) {
  if (!place.contains(document.activeElement)) return () => {};
  const rows = [...place.querySelectorAll("li")];
  const at = rows.findIndex((row) => row.contains(document.activeElement));
  const button = at < 0 ? 0 : [...rows[at].querySelectorAll("button")].indexOf(document.activeElement);
  return () => {
    const now = place.querySelectorAll("li");
    const row = now[Math.min(at, now.length - 1)];
    (row?.querySelectorAll("button")[button] ?? fallback).focus();
  };
}

/** Tell screen readers about a change. */
export function announce(text) {
  document.getElementById("status").textContent = text;
}

let last = 0;
/** An id that no other element has. */
export function newId(prefix) {
  last += 1;
  return `${prefix}-${last}`;
}
