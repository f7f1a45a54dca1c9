// Creates and updates elements. Text from hosts is set as text only, never as HTML. Every update
// first compares, so that an unchanged value costs no layout.

const SVG = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

/** Creates an element with a class, texts and children. */
export function create(tag, className = "", ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

/** Creates an SVG element with these attributes. */
export function createSvg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Sets the text of an element that has no other content. */
export function setText(element, text) {
  const node = element.firstChild;
  if (node === null) {
    if (text) element.append(text);
  } else if (node.data !== text) {
    node.data = text;
  }
}

export function setAttribute(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/** Gives `parent` one child per item: `createChild()` adds one, `update(child, item)` fills it. */
export function syncChildren(parent, items, createChild, update) {
  while (parent.childElementCount > items.length) parent.lastElementChild.remove();
  const children = parent.children;
  items.forEach((item, index) => {
    const child = children[index] ?? parent.appendChild(createChild());
    update(child, item);
  });
}

/** Gives a table's body one row per array of texts; the first cell of a row is its header. */
export function syncRows(body, rows, classNames = []) {
  syncChildren(
    body,
    rows,
    () => create("tr"),
    (row, texts) =>
      syncChildren(
        row,
        texts,
        () => {
          const index = row.childElementCount;
          const cell = create(index ? "td" : "th", classNames[index] ?? "");
          if (!index) cell.scope = "row";
          return cell;
        },
        setText,
      ),
  );
}

/** Shows pairs of a term and its value in a <dl>. */
export function showPairs(list, pairs) {
  syncChildren(
    list,
    pairs,
    () => create("div", "", create("dt"), create("dd")),
    (row, [term, value]) => {
      setText(row.firstChild, term);
      setText(row.lastChild, value);
    },
  );
}

const STATE_CLASSES = { live: "state live", late: "state late", down: "state down" };

/** Creates a badge for a host's state. It has a word and a shape: colour alone is not enough. */
export function createStateBadge() {
  const shape = create("span", "shape");
  shape.setAttribute("aria-hidden", "true");
  return create("span", "state", shape, create("span", "word"));
}

export function showState(badge, state) {
  const className = STATE_CLASSES[state] ?? "state";
  if (badge.className !== className) badge.className = className;
  setText(badge.lastElementChild, state);
}

/** Creates a bar for a ratio. */
export function createMeter() {
  const meter = create("span", "meter", create("span"));
  meter.setAttribute("aria-hidden", "true");
  return meter;
}

/** Shows a ratio from 0 to 1 in a meter, with its severity; null when it is not known. */
export function showRatio(meter, ratio, severity = "ok") {
  setAttribute(meter, "data-level", ratio == null ? "unknown" : severity);
  const width = `${Math.round(Math.min(1, Math.max(0, ratio ?? 0)) * 1000) / 10}%`;
  const bar = meter.firstElementChild;
  if (bar.style.width !== width) bar.style.width = width;
}

/** Marks a value by its severity: with a colour and a shape. */
export function showSeverity(element, severity = "ok") {
  setAttribute(element, "data-severity", severity);
}
