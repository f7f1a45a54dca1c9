// What both pages have: a filter with its keys, and a banner while the exporter does not answer.

import { say } from "./dom.js";

/** Calls `apply(text)` when the filter's text changes; "/" selects it, Escape empties it. */
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

/** Shows whether the exporter answers; `hasValues` when the page has values of before. */
export function showConnection(connected, hasValues) {
  const banner = document.getElementById("away");
  document.body.classList.toggle("is-away", !connected);
  banner.hidden = connected;
  const seen = hasValues ? " Below is what was seen last." : "";
  if (!connected) say(banner, `The exporter does not answer.${seen} This page goes on trying.`);
}
