// The dialog for the key of the server.

import { key } from "./api.js";
import { announce } from "./dom.js";

/** Connect the dialog; `changed` is called after another key was given, or none. */
export function installKey(changed) {
  const dialog = document.getElementById("key-dialog");
  const input = document.getElementById("key-input");
  const opener = document.getElementById("key-button");
  const show = () => {
    if (dialog.open) return;
    input.value = "";
    dialog.showModal();
    input.focus();
  };
  const mark = () => (opener.textContent = key.get() ? "Key ✓" : "Key");
  opener.addEventListener("click", show);
  window.addEventListener("kgrec-no-key", show);
  document.getElementById("key-cancel").addEventListener("click", () => dialog.close("cancel"));
  document.getElementById("key-form").addEventListener("submit", (event) => {
    const forgets = event.submitter?.value === "forget";
    if (!forgets && !input.value.trim()) return;
    key.set(forgets ? "" : input.value.trim());
    announce(forgets ? "The key is forgotten." : "The key is used from now on.");
    mark();
    changed();
  });
  dialog.addEventListener("close", () => (input.value = ""));
  mark();
}
