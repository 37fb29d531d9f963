// Calls of the API, and the key of this tab.

const STORED = "kgrec-key";

/** An error of the server, or of the way to it. */
export class Problem extends Error {
  constructor(status, problem, remedy, where = "") {
    super(problem);
    this.status = status;
    this.remedy = remedy;
    this.where = where;
  }
}

/** The key of this tab, "" without one. */
export const key = {
  get: () => sessionStorage.getItem(STORED) ?? "",
  set: (value) => (value ? sessionStorage.setItem(STORED, value) : sessionStorage.removeItem(STORED)),
};

/** The JSON of an answer; a missing or unknown key is also told to the window, as "kgrec-no-key". */
export async function call(path, { method = "GET", body = null, query = {}, signal = null } = {}) {
  const response = await reached(`${path}${encoded(query)}`, {
    method,
    signal,
    headers: headers(body !== null),
    body: body === null ? null : JSON.stringify(body),
  });
  if (response.ok) return response.json();
  throw await problemOf(response);
}

/** The text of an answer. */
export async function text(path, signal = null) {
  const response = await reached(path, { signal, headers: headers(false) });
  if (response.ok) return response.text();
  throw await problemOf(response);
}

export const post = (path, body, signal = null) => call(path, { method: "POST", body, signal });

/** The path of parts, each escaped. */
export const path = (...parts) => `v1/${parts.map(encodeURIComponent).join("/")}`;

/** All pages of an answer as one list of the values under a name. */
export async function pages(where, name, query, most, signal) {
  const found = [];
  let start = 0;
  while (start !== null && found.length < most) {
    const page = await call(where, { query: { ...query, start }, signal });
    found.push(...page[name]);
    start = page.next;
  }
  return found;
}

function headers(hasBody) {
  const given = key.get();
  return { ...(hasBody ? { "Content-Type": "application/json" } : {}), ...(given ? { Authorization: `Bearer ${given}` } : {}) };
}

async function reached(address, options) {
  try {
    return await fetch(address, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, "The server does not answer.", "Check that kgrec serve is running, then try again.");
  }
}

function encoded(query) {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return given.length ? `?${new URLSearchParams(given)}` : "";
}

async function problemOf(response) {
  let values = {};
  try {
    values = await response.json();
  } catch {
    // not from kgrec: a proxy, say
  }
  if (response.status === 401) window.dispatchEvent(new Event("kgrec-no-key"));
  return new Problem(response.status, values.problem ?? `The server answered ${response.status}.`,
    values.remedy ?? "See its log.", values.where);
}

/** A function that gives a signal for a new call and ends the call before. */
export function latest() {
  let running = null;
  return () => {
    running?.abort();
    running = new AbortController();
    return running.signal;
  };
}
