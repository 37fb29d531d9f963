// What a list is like as a whole: diverse, calibrated, novel, fair, with caps and quotas; options of the request, see docs/how-to/lists.md.

import { button, el, failure, newId } from "./dom.js";
import { fieldNames, whereField } from "./where.js";

/** strength -> its name, what it does, and the options that belong to it */
const STRENGTHS = {
  diversity: ["Diversity", "Items unlike those listed before them rise."],
  calibration: ["Calibration", "The list follows the shares of the history."],
  novelty: ["Novelty", "Items with few users rise."],
  exposure: ["Exposure", "Groups get their share of attention, in this list."],
};
const METHODS = [["mmr", "nearest item"], ["dpp", "all listed items"]];
const TARGETS = [["equal", "equal"], ["catalogue", "by their items"], ["relevance", "by their relevance"]];
const STEP = 0.05;

/** No wishes. */
export const newWishes = () => ({
  diversity: 0, diversity_method: "mmr",
  calibration: 0, calibrate_by: "",
  novelty: 0,
  exposure: 0, exposure_by: "", exposure_target: "equal",
  /** type of nodes or relation -> items of the list */
  at_most: new Map(),
  /** condition, or "new" -> items of the list */
  at_least: new Map(),
});

/** Whether a list is chosen as a whole. */
export const isWish = (wishes) => chips(wishes).length > 0;

/** The options of a request. */
export function wishOptions(wishes) {
  const { diversity, calibration, novelty, exposure, at_most: most, at_least: least } = wishes;
  return {
    ...(diversity ? { diversity, diversity_method: wishes.diversity_method } : {}),
    ...(calibration ? { calibration, calibrate_by: wishes.calibrate_by } : {}),
    ...(novelty ? { novelty } : {}),
    ...(exposure ? { exposure, exposure_by: wishes.exposure_by, exposure_target: wishes.exposure_target } : {}),
    ...(most.size ? { at_most: Object.fromEntries(most) } : {}),
    ...(least.size ? { at_least: Object.fromEntries(least) } : {}),
  };
}

/** The wishes at work, as words and functions that take them back. */
export function chips(wishes) {
  const by = { calibration: wishes.calibrate_by, exposure: wishes.exposure_by };
  return [
    ...Object.keys(STRENGTHS).filter((name) => wishes[name]).map((name) => [
      `${STRENGTHS[name][0]} ${wishes[name].toFixed(2)}${by[name] ? ` by ${by[name]}` : ""}`, () => { wishes[name] = 0; }]),
    ...[...wishes.at_most].map(([name, count]) => [`At most ${count} per ${name}`, () => wishes.at_most.delete(name)]),
    ...[...wishes.at_least].map(([name, count]) => [`At least ${count}: ${name}`, () => wishes.at_least.delete(name)]),
  ];
}

/**
 * The controls, closed at first; `sync` shows wishes that were taken back elsewhere.
 *
 * @param wishes  Are changed.
 * @param update  Is called after each change.
 */
export function wishesField(wishes, update) {
  const strengths = Object.keys(STRENGTHS).map((name) => strength(name, wishes, update));
  const most = select("At most: per", [], () => {});
  const place = el("div", { class: "wishes" },
    group("diversity", strengths[0], choice("Unlike the", METHODS, wishes, "diversity_method", "diversity", update)),
    group("calibration", strengths[1], choice("Shares of", [], wishes, "calibrate_by", "calibration", update)),
    group("novelty", strengths[2]),
    group("exposure", strengths[3], choice("Groups", [], wishes, "exposure_by", "exposure", update), choice("Target", TARGETS, wishes, "exposure_target", "exposure", update)),
    caps(most, wishes, update),
    quotas(wishes, update));
  const element = el("details", { class: "whole", on: { toggle: () => element.open && names() } }, el("summary", {}, "The list as a whole"), place);
  let isNamed = false;

  /** The names of the catalogue, when they are first looked at. */
  async function names() {
    if (isNamed) return;
    isNamed = true;
    try {
      const found = (await fieldNames()).filter((one) => one.kind === "relation" && !one.name.startsWith("^")).map((one) => one.name);
      // names of kgrec.yaml before those of RDF
      found.sort((a, b) => a.includes(":") - b.includes(":"));
      for (const one of place.querySelectorAll("select[data-names]")) {
        one.replaceChildren(...found.map((name) => el("option", { value: name }, name)));
        one.dispatchEvent(new Event("kgrec-named"));
      }
      place.classList.toggle("bare", !found.length);
    } catch (error) {
      isNamed = false;
      place.prepend(failure(error, () => { place.firstChild.remove(); names(); }));
    }
  }

  return { element, sync: () => strengths.forEach((one) => one.sync()) };
}

function group(name, control, ...options) {
  return el("fieldset", {}, el("legend", {}, STRENGTHS[name][0]), el("p", { class: "hint" }, STRENGTHS[name][1]),
    el("div", { class: "options" }, control.element, ...options));
}

/** A slider from off to 1. */
function strength(name, wishes, update) {
  const id = newId("strength");
  const shown = el("output", { for: id });
  const input = el("input", {
    id, type: "range", min: 0, max: 1, step: STEP,
    on: { input: said, change: () => { wishes[name] = Number(input.value); update(); } },
  });
  function said() {
    shown.textContent = Number(input.value) ? Number(input.value).toFixed(2) : "off";
    input.setAttribute("aria-valuetext", shown.textContent);
  }
  const sync = () => { input.value = wishes[name]; said(); };
  sync();
  return { element: el("div", { class: "field" }, el("label", { for: id }, "Strength ", shown), input), sync };
}

/** A choice that belongs to a strength; where the names of the catalogue are the options, they come later. */
function choice(label, options, wishes, name, strengthOf, update) {
  const field = select(label, options, () => { wishes[name] = field.input.value; if (wishes[strengthOf]) update(); });
  field.input.addEventListener("kgrec-named", () => {
    if (wishes[name]) field.input.value = wishes[name];
    wishes[name] = field.input.value;
  });
  return field.element;
}

function select(label, options, change) {
  const id = newId("choice");
  const input = el("select", { id, "data-names": options.length ? null : "", on: { change } }, options.map(([value, text]) => el("option", { value }, text)));
  return { input, element: el("div", { class: "field" }, el("label", { for: id }, label), input) };
}

function caps(most, wishes, update) {
  const count = number("At most: items", 2);
  const add = button("Add a cap", () => {
    if (!most.input.value || !count.input.reportValidity()) return;
    wishes.at_most.set(most.input.value, Number(count.input.value));
    update();
  });
  return el("fieldset", {}, el("legend", {}, "At most"), el("p", { class: "hint" }, "Largest number of items that share a neighbour."),
    el("div", { class: "options" }, count.element, most.element, add));
}

function quotas(wishes, update) {
  const count = number("At least: items", 2);
  const put = (condition) => {
    if (!condition || !count.input.reportValidity()) return;
    wishes.at_least.set(condition, Number(count.input.value));
    where.input.value = "";
    update();
  };
  const where = whereField(put, { label: "At least: condition", placeholder: "year >= 2000", hint: "A condition, or new" });
  return el("fieldset", {}, el("legend", {}, "At least"), el("p", { class: "hint" }, "Smallest number of items that meet a condition, or are new to training."),
    el("div", { class: "options" }, count.element, where.field, button("Add a quota", () => put(where.input.value.trim()))));
}

function number(label, value) {
  const id = newId("count");
  const input = el("input", { id, type: "number", min: 0, max: 50, step: 1, value, required: true });
  return { input, element: el("div", { class: "field count" }, el("label", { for: id }, label), input) };
}
