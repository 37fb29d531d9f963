// A field for a condition on items: it completes names, operators and values at the caret.

import { call, path } from "./api.js";
import { combobox } from "./combobox.js";

const TOKEN = /"(?:[^"]|"")*"?|'(?:[^']|'')*'?|!=|<=|>=|[=<>~]|[(),]|[^\s"'(),=!<>~]+/gy;
const PLAIN = /^[^\s"'(),=!<>~]+$/;
const WORDS = ["and", "or", "not", "in", "has"];
let fields = null;

/** The field; `apply` is called with the condition when Enter is pressed. */
export function whereField(apply, { label = "Condition", placeholder = "all items", hint = "Press Enter to apply it, such as year >= 1990" } = {}) {
  return combobox({
    label,
    placeholder,
    hint,
    onEmpty: true,
    find: suggestions,
    take: (option, input) => {
      input.value = option.before + option.insert + option.after;
      const caret = option.before.length + option.insert.length;
      input.setSelectionRange(caret, caret);
    },
    submit: apply,
  });
}

/** Names of the catalogue, asked for once. */
export async function fieldNames(signal = null) {
  fields ??= (await call("v1/fields", { signal })).fields;
  return fields;
}

/** Forget the names: another key may see another catalogue. */
export function forgetFields() {
  fields = null;
}

/** What may stand at the caret. */
export async function suggestions(text, caret, signal) {
  const names = await fieldNames(signal);
  const { expected, name, partial, start } = position(text.slice(0, caret));
  const found = await possible(names, expected, name, partial, signal);
  const after = text.slice(caret);
  return found.map((one) => ({ ...one, before: text.slice(0, start), insert: `${one.insert ?? one.text} `, after: after.trimStart() }));
}

async function possible(names, expected, name, partial, signal) {
  const begins = (text) => text.toLowerCase().startsWith(partial.toLowerCase());
  if (expected === "join") return ["and", "or"].filter(begins).map((text) => ({ text }));
  if (expected === "operator") {
    const field = names.find((one) => one.name === name);
    return (field?.operators ?? ["=", "!="]).filter(begins).map((text) => ({ text, insert: text === "in" ? "in (" : text }));
  }
  if (expected === "value") {
    const { values } = await call(path("fields", name, "values"), { query: { text: partial, limit: 12 }, signal });
    return values.map((text) => ({ text, insert: quoted(text) }));
  }
  const of = names.filter((one) => one.name.toLowerCase().includes(partial.toLowerCase()));
  const keywords = expected === "name" ? ["not", "has"].filter(begins).map((text) => ({ text })) : [];
  return [...of.map((one) => ({ text: one.name, note: one.kind, insert: quoted(one.name) })), ...(partial ? keywords : [])];
}

/** What the grammar expects at the end of a text, and the part of it that is there already. */
export function position(text) {
  const tokens = [...text.matchAll(new RegExp(TOKEN.source, "g"))].map((match) => ({ text: match[0], start: match.index }));
  const last = tokens.at(-1);
  const touches = last && last.start + last.text.length === text.length && !/^[(),]$/.test(last.text) && !isClosed(last.text);
  const partial = touches ? tokens.pop() : null;
  let expected = "name";
  let name = "";
  let inList = false;
  for (const { text: token } of tokens) {
    const word = token.toLowerCase();
    if (token === "(" && expected === "value") inList = true;
    else if (token === ")") { inList = false; expected = "join"; }
    else if (token === "," ) expected = "value";
    else if (expected === "name" && word === "has") expected = "present";
    else if (expected === "name" && word !== "not" && token !== "(") { name = bare(token); expected = "operator"; }
    else if (expected === "present") expected = "join";
    else if (expected === "operator" && word !== "not") expected = "value";
    else if (expected === "value") expected = inList ? "value" : "join";
    else if (expected === "join" && (word === "and" || word === "or")) expected = "name";
  }
  return { expected, name, partial: partial ? bare(partial.text) : "", start: partial ? partial.start : text.length };
}

const isClosed = (token) => /^(".*"|'.*')$/s.test(token) && token.length > 1;

function bare(token) {
  const mark = token[0];
  if (mark !== '"' && mark !== "'") return token;
  return token.slice(1, isClosed(token) ? -1 : undefined).replaceAll(mark + mark, mark);
}

function quoted(text) {
  return PLAIN.test(text) && !WORDS.includes(text.toLowerCase()) ? text : `"${text.replaceAll('"', '""')}"`;
}
