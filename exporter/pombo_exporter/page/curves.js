// The curves of a host's last minutes, as SVG.

import { draw, mark } from "./dom.js";
import { POINTS } from "./history.js";

/** A drawing for the curves of so many measures, `width` by `height` units. */
export function chart(lines, width, height) {
  const picture = draw("svg", {
    class: "curve",
    viewBox: `0 0 ${width} ${height}`,
    preserveAspectRatio: "none",
    "aria-hidden": "true",
    focusable: "false",
  });
  for (let line = 0; line < lines; line += 1) {
    picture.append(draw("path", { class: `area line-${line}` }));
    picture.append(draw("path", { class: `line line-${line}`, "vector-effect": "non-scaling-stroke" }));
  }
  return picture;
}

/** Draws measures of a history, by their places, up to the value `most`. */
export function plot(picture, history, measures, most) {
  const { width, height } = picture.viewBox.baseVal;
  measures.forEach((which, line) => {
    const [under, along] = paths(history.values[which], history.length, most, width, height);
    mark(picture.children[2 * line], "d", under);
    mark(picture.children[2 * line + 1], "d", along);
  });
}

function paths(points, length, most, width, height) {
  const step = width / (POINTS - 1);
  const inset = 1; // so that a line at the edge is drawn in full
  let under = "";
  let along = "";
  let from = -1;
  for (let index = 0; index <= length; index += 1) {
    const known = index < length && points[index] === points[index];
    const x = (width - (length - 1 - index) * step).toFixed(1);
    if (known) {
      const share = Math.min(1, Math.max(0, points[index] / most));
      const y = (height - inset - share * (height - 2 * inset)).toFixed(1);
      if (from < 0) {
        from = index;
        along += `M${x} ${y}`;
        under += `M${x} ${height}L${x} ${y}`;
      } else {
        along += `L${x} ${y}`;
        under += `L${x} ${y}`;
      }
    } else if (from >= 0) {
      const last = (width - (length - index) * step).toFixed(1);
      if (index - from === 1) along += "h0.01"; // a point by itself shows as a dot
      under += `L${last} ${height}Z`;
      from = -1;
    }
  }
  return [under, along];
}
