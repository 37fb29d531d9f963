// Figures of the running server, read every two seconds while the view is open.

import { text } from "../api.js";
import { el, failure, svg, table } from "../dom.js";
import { gained, parse, quantile, sum } from "../prometheus.js";

const EVERY = 2000;
const KEPT = 90;
/** the routes that this view itself, probes and files ask for */
const OWN = ["/metrics", "/healthz", "/readyz", "/", "/static/{name:path}"];
const others = (labels) => !OWN.includes(labels.route);

/** Title, unit, value of two readings `seconds` apart. */
const FIGURES = [
  ["Requests", "per second", (before, now, seconds) => gained(before, now, "kgrec_requests_total", others) / seconds],
  ["Errors", "per second", (before, now, seconds) => gained(before, now, "kgrec_requests_total", (labels) => labels.status >= "400") / seconds],
  ["Time, median", "ms at most", (before, now) => inMs(quantile(before, now, "kgrec_request_seconds", 0.5, others))],
  ["Time, 95 %", "ms at most", (before, now) => inMs(quantile(before, now, "kgrec_request_seconds", 0.95, others))],
  ["Waiting", "requests", (_, now) => sum(now, "kgrec_queue")],
  ["Refused or dropped", "per second", (before, now, seconds) => gained(before, now, "kgrec_shed_total") / seconds],
  ["Events", "per second", (before, now, seconds) => gained(before, now, "kgrec_events_total") / seconds],
  ["Store lag", "revisions", (_, now) => sum(now, "kgrec_store_lag")],
];

export function metrics() {
  const cards = FIGURES.map(([title, unit]) => card(title, unit));
  const state = el("div", {});
  const place = el("div", {}, el("div", { class: "cards" }, cards.map((one) => one.element)), state);
  const problem = el("div", {});
  let before = null;
  let timer = 0;
  let ended = false;

  async function read() {
    try {
      const now = { at: performance.now(), samples: parse(await text("metrics")) };
      if (ended) return;
      problem.replaceChildren();
      if (before) FIGURES.forEach(([, , value], at) => cards[at].add(value(before.samples, now.samples, (now.at - before.at) / 1000)));
      before = now;
      state.replaceChildren(totals(now.samples));
    } catch (error) {
      if (!problem.hasChildNodes()) problem.replaceChildren(failure(error));
    }
    if (!ended) timer = setTimeout(read, EVERY);
  }

  read();
  return {
    title: "Metrics",
    element: el("div", {}, el("h1", {}, "Metrics"), el("p", { class: "hint" }, "From /metrics, every two seconds, since this view was opened. Its own requests are not counted."), problem, place),
    stop: () => { ended = true; clearTimeout(timer); },
  };
}

/** A figure with the course of its last values. */
function card(title, unit) {
  const value = el("p", { class: "figure" }, "–");
  const line = svg("polyline", {});
  const range = el("p", { class: "hint" }, "no values yet");
  const values = [];
  const add = (now) => {
    values.push(now);
    if (values.length > KEPT) values.shift();
    const there = values.filter((one) => one !== null);
    const most = Math.max(...there, 1e-9);
    value.textContent = now === null ? "–" : readable(now);
    range.textContent = there.length ? `at most ${readable(Math.max(...there))}` : "no values yet";
    line.setAttribute("points", values.map((one, at) => `${(120 * at) / (KEPT - 1)},${27 - 24 * ((one ?? 0) / most)}`).join(" "));
  };
  return { add, element: el("section", { class: "card", "aria-label": title },
    el("h2", {}, title), value, el("p", { class: "hint" }, unit),
    svg("svg", { viewBox: "0 0 120 30", class: "spark", "aria-hidden": "true", preserveAspectRatio: "none" }, line), range) };
}

function totals(samples) {
  const figures = [
    ["Items in training", sum(samples, "kgrec_items", (labels) => labels.state === "trained")],
    ["Items added since", sum(samples, "kgrec_items", (labels) => labels.state === "added")],
    ["Items removed", sum(samples, "kgrec_items", (labels) => labels.state === "removed")],
    ["Users", sum(samples, "kgrec_users")],
    ["Revision", sum(samples, "kgrec_revision")],
    ["Lists for users without a history", sum(samples, "kgrec_fallbacks_total")],
    ["Models loaded or rejected", sum(samples, "kgrec_reloads_total")],
  ].map(([name, value]) => [name, value.toLocaleString("en")]);
  return table("Model and store", ["Figure", "now"], [...figures, ["Age of the model", age(sum(samples, "kgrec_model_age_seconds"))]], { class: "totals" });
}

function age(seconds) {
  const [size, name] = [[86400, "days"], [3600, "hours"], [60, "minutes"]].find(([size]) => seconds >= 2 * size) ?? [1, "seconds"];
  return `${Math.round(seconds / size)} ${name}`;
}

const inMs = (seconds) => (seconds === null ? null : 1000 * seconds);
const readable = (value) => (value === Infinity ? "over 5,000" : Number(value.toPrecision(3)).toLocaleString("en"));
