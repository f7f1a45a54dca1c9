// Elements made and changed by text and classes alone: whatever comes from a host stays text.

const SVG = "http://www.w3.org/2000/svg";

/** A new element, with a class and a text or children if given. */
export function make(tag, className = "", ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

/** A new SVG element with these attributes. */
export function draw(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Makes an element that holds one text say another, if it does not say it already. */
export function say(element, text) {
  const held = element.firstChild;
  if (held === null) {
    if (text) element.append(text);
  } else if (held.data !== text) {
    held.data = text;
  }
}

/** Sets an attribute, if it is not so already. */
export function mark(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/** Makes `parent` hold one child an item: `create` makes a child, `update(child, item)` fills it. */
export function fill(parent, items, create, update) {
  while (parent.childElementCount > items.length) parent.lastElementChild.remove();
  const children = parent.children;
  items.forEach((item, index) => {
    const child = children[index] ?? parent.appendChild(create());
    update(child, item);
  });
}

/** Makes a table's body hold these rows of texts; the first of each row is its head. */
export function fillTable(body, rows, classes = []) {
  fill(
    body,
    rows,
    () => make("tr"),
    (row, texts) =>
      fill(
        row,
        texts.map((text, index) => [text, index]),
        () => {
          const first = !row.childElementCount;
          const cell = make(first ? "th" : "td", classes[row.childElementCount] ?? "");
          if (first) cell.scope = "row";
          return cell;
        },
        (cell, [text]) => say(cell, text),
      ),
  );
}

/** Pairs of a fact and its value, as a list of definitions. */
export function showPairs(list, pairs) {
  fill(
    list,
    pairs,
    () => make("div", "", make("dt"), make("dd")),
    (row, [title, text]) => {
      say(row.firstChild, title);
      say(row.lastChild, text);
    },
  );
}

const SHAPES = { live: "state live", late: "state late", down: "state down" };

/** The mark and the word for a state. */
export function stateMark() {
  const shape = make("span", "shape");
  shape.setAttribute("aria-hidden", "true");
  return make("span", "state", shape, make("span", "word"));
}

/** Makes a mark say a state, by text, colour and shape. */
export function showState(element, state) {
  const wanted = SHAPES[state] ?? "state";
  if (element.className !== wanted) element.className = wanted;
  say(element.lastElementChild, state);
}

/** A bar for a share of a whole. */
export function meter() {
  const bar = make("span", "meter", make("span"));
  bar.setAttribute("aria-hidden", "true");
  return bar;
}

/** Fills a bar; nothing is known when `share` is null. */
export function showShare(bar, share) {
  const level = share == null ? "unknown" : share >= 0.95 ? "full" : share >= 0.85 ? "high" : "low";
  mark(bar, "data-level", level);
  const filled = `${Math.round(Math.min(1, Math.max(0, share ?? 0)) * 1000) / 10}%`;
  const inner = bar.firstElementChild;
  if (inner.style.width !== filled) inner.style.width = filled;
}
