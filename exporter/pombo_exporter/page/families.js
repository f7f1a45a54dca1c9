// All metric families of a host. They are large, so they are requested only while they are open.

import { create, setText, syncChildren } from "./dom.js";
import * as human from "./human.js";

const MIN_INTERVAL = 2000; // ms between two requests
const TIMEOUT = 15000; // ms

/** The families of one host, in a <details> element. */
export class FamilyList {
  #box;
  #filter;
  #count;
  #error;
  #list;
  #url;
  #families = null;
  #version = null; // identifies the host's latest report
  #requestedVersion = null;
  #requestedAt = -Infinity;
  #requesting = false;
  #timer = 0;

  /** `url` answers with the families, `box` shows them. */
  constructor(box, url) {
    this.#box = box;
    this.#url = url;
    this.#filter = box.querySelector("input");
    this.#count = box.querySelector(".count");
    this.#error = box.querySelector(".error");
    this.#list = box.querySelector(".list");
    box.addEventListener("toggle", () => {
      this.#requestedVersion = null; // request at once, even without a new report
      this.#refresh();
    });
  }

  /** Requests the families if they are open and `version` differs from that of the last request. */
  update(version) {
    this.#version = version;
    this.#refresh();
  }

  /** Shows the families that match the filter. */
  show() {
    if (!this.#families) return;
    const text = this.#filter.value.toLowerCase();
    const matching = this.#families.filter(
      ({ name, help }) => !text || `${name} ${help}`.toLowerCase().includes(text),
    );
    const all = human.number(this.#families.length);
    const some = matching.length < this.#families.length ? `${human.number(matching.length)} of ` : "";
    setText(this.#count, `${some}${all} families`);
    syncChildren(this.#list, matching, createFamily, showFamily);
  }

  #refresh() {
    if (!this.#box.open || this.#requesting || this.#requestedVersion === this.#version) return;
    const wait = this.#requestedAt + MIN_INTERVAL - performance.now();
    if (wait <= 0) {
      this.#request();
    } else {
      this.#timer ||= setTimeout(() => {
        this.#timer = 0;
        this.#refresh();
      }, wait);
    }
  }

  async #request() {
    this.#requesting = true;
    this.#requestedVersion = this.#version;
    this.#requestedAt = performance.now();
    try {
      const response = await fetch(this.#url, { signal: AbortSignal.timeout(TIMEOUT) });
      if (!response.ok) throw new Error(`status ${response.status}`);
      this.#families = (await response.json()).families;
      this.#error.hidden = true;
    } catch (error) {
      this.#error.hidden = false;
      const shown = this.#families ? " The values below are older." : "";
      setText(this.#error, `The families could not be loaded: ${error.message}.${shown}`);
    }
    this.#requesting = false;
    this.show();
    this.#refresh(); // a report may have arrived meanwhile
  }
}

function createFamily() {
  const head = create(
    "summary", "", create("code"), create("span", "type"), create("span", "value"), create("span", "help"),
  );
  const details = create("details", "", head, create("ul"));
  details.addEventListener("toggle", () => details.open && showSamples(details));
  return details;
}

function showFamily(details, family) {
  if (details.family?.name !== family.name) details.open = false;
  details.family = family;
  const [code, type, value, help] = details.firstChild.children;
  const { samples } = family;
  setText(code, human.printable(family.name));
  setText(type, family.type);
  setText(value, samples.length === 1 ? human.metricValue(family.name, samples[0].value) : `${samples.length} samples`);
  setText(help, human.printable(family.help));
  if (details.open) showSamples(details);
}

function showSamples({ family, lastChild: list }) {
  syncChildren(list, family.samples, () => create("li", "", create("bdi"), create("span", "value")), (item, sample) => {
    const labels = Object.entries(sample.labels).map(([name, value]) => `${name}="${value}"`);
    setText(item.firstChild, human.printable(labels.join(", ")) || "no labels");
    setText(item.lastChild, human.metricValue(family.name, sample.value));
  });
}
