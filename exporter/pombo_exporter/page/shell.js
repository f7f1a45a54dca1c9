// What both pages have: a filter with its keys, and a banner while the exporter does not answer.

import { byId, setText } from "./dom.js";
import { linkBack } from "./way_back.js";

linkBack();

/**
 * Calls `apply(text)` when the filter's text changes. "/" focuses the filter, after `reveal()`;
 * Escape clears it, or leaves it when it is empty.
 */
export function connectFilter(input, apply, reveal = () => {}) {
  input.addEventListener("input", () => apply(input.value));
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    if (!input.value) input.blur();
    input.value = "";
    apply("");
  });
  document.addEventListener("keydown", (event) => {
    const typing = event.target instanceof Element && event.target.matches("input, select");
    if (event.key !== "/" || typing || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    reveal();
    input.select();
    input.focus();
  });
}

/** Shows the banner unless `connected`; `hasValues` if the page shows values already. */
export function showConnection(connected, hasValues) {
  const banner = byId("disconnected");
  document.body.classList.toggle("is-disconnected", !connected);
  banner.hidden = connected;
  const values = hasValues ? " The values below are the last ones received." : "";
  if (!connected) setText(banner, `The exporter does not answer.${values} Trying to reconnect.`);
}
