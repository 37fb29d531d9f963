// Scenarios with their variants, and their figures with intervals.

import { call, path } from "../api.js";
import { el, empty, failure, newId, svg, table } from "../dom.js";

export function experiments() {
  const place = el("div", {});
  load(place);
  return { title: "Experiments", element: el("div", {}, el("h1", {}, "Experiments"),
    el("p", {}, "A scenario is a named set of list options. Each variant applies to a share of the users, and a user keeps the same variant."), place) };
}

async function load(place) {
  try {
    const { scenarios } = await call("v1/scenarios");
    const names = Object.keys(scenarios).sort();
    if (!names.length) {
      place.replaceChildren(empty("There is no scenario yet. Make one with PUT /v1/scenarios/NAME and name it in requests for lists:"),
        el("pre", { tabindex: "0" }, 'curl -X PUT localhost:8700/v1/scenarios/home -H "Content-Type: application/json" \\\n  -d \'{"variants": {"plain": {}, "fresh": {"options": {"new_item_boost": 0.1}}}}\''));
      return;
    }
    place.replaceChildren(...names.map((name) => scenario(name, scenarios[name])));
  } catch (error) {
    place.replaceChildren(failure(error, () => load(place)));
  }
}

function scenario(name, { options, variants }) {
  const id = newId("scenario");
  const figures = el("div", {}, el("p", { class: "hint" }, "Counting …"));
  call(path("experiments", name)).then(
    (found) => figures.replaceChildren(...drawn(name, found)), (error) => figures.replaceChildren(failure(error)));
  const shares = Object.values(variants).reduce((sum, one) => sum + one.share, 0);
  const rows = Object.entries(variants).map(([variant, one]) => [variant, `${Math.round((100 * one.share) / shares)}\u00a0%`, written(one.options)]);
  return el("section", { class: "card", "aria-labelledby": id }, el("h2", { id }, name),
    el("p", {}, "Options of all its lists: ", el("code", {}, written(options)), "."),
    rows.length ? table(`Variants of ${name}`, ["Variant", "users", "options"], rows) : el("p", { class: "hint" }, "It has no variants."),
    figures);
}

function drawn(name, found) {
  if (!found.variants.length) return [empty("No list of this scenario has been shown yet. Name it in requests: ", el("code", {}, `"scenario": "${name}"`), ".")];
  const most = Math.max(...found.variants.map((one) => one.interval[1]), 1e-9);
  const rows = found.variants.map((one) => [one.variant ?? "without a variant", one.impressions.toLocaleString("en"), one.clicks.toLocaleString("en"),
    percent(one.rate), `${points(one.interval[0])} to ${percent(one.interval[1])}`, interval(one, most)]);
  return [
    table(`Lists with a click, with intervals of ${Math.round(100 * found.level)} %`, ["Variant", "lists", "with a click", "rate", "interval", "from 0 on"], rows),
    ...found.differences.map((one) => el("p", {}, verdict(one))),
  ];
}

/** An interval as a line with a point, from 0 to the largest end of all. */
function interval({ rate, interval: [low, high] }, most) {
  const x = (value) => 2 + (156 * value) / most;
  return svg("svg", { viewBox: "0 0 160 16", class: "interval", "aria-hidden": "true" },
    svg("line", { x1: x(low), x2: x(high), y1: 8, y2: 8 }), svg("circle", { cx: x(rate), cy: 8, r: 4 }));
}

function verdict({ variant, against, difference, interval: [low, high] }) {
  const names = [variant, against].map((name) => name ?? "without a variant");
  const by = `${points(difference)} percentage points (interval ${points(low)} to ${points(high)})`;
  if (low <= 0 && high >= 0) return `No clear difference between ${names[0]} and ${names[1]}: ${by}. The interval contains 0.`;
  return `${names[0]} gets ${difference > 0 ? "more" : "fewer"} clicks than ${names[1]}: ${by}.`;
}

const points = (share) => (100 * share).toFixed(1).replace("-", "−");
const percent = (share) => `${points(share)}\u00a0%`;
const written = (options) => Object.entries(options).map(([name, value]) => `${name}: ${JSON.stringify(value)}`).join(", ") || "none";
