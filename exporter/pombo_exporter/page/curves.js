// Curves of a history, as SVG.

import { createSvg, setAttribute } from "./dom.js";
import { POINTS } from "./history.js";

const INSET = 1; // units of the drawing, so that a line at the edge is not cut

/** Creates a chart for some curves; `width` and `height` are in units of the drawing. */
export function createChart(curves, width, height) {
  const chart = createSvg("svg", {
    class: "curve",
    viewBox: `0 0 ${width} ${height}`,
    preserveAspectRatio: "none",
    "aria-hidden": "true",
    focusable: "false",
  });
  for (let curve = 0; curve < curves; curve += 1) {
    chart.append(createSvg("path", { class: `area line-${curve}` }));
    chart.append(createSvg("path", { class: `line line-${curve}`, "vector-effect": "non-scaling-stroke" }));
  }
  return chart;
}

/** Draws fields of a history, a curve each; the chart's height stands for `max`. */
export function drawCurves(chart, history, fields, max) {
  const { width, height } = chart.viewBox.baseVal;
  fields.forEach((field, curve) => {
    const points = history.values[field].subarray(0, history.length);
    const { area, line } = paths(points, POINTS, max, width, height);
    setAttribute(chart.children[2 * curve], "d", area);
    setAttribute(chart.children[2 * curve + 1], "d", line);
  });
}

/** Returns the height of a value in a drawing that is `height` high and stands for `max`. */
export function heightOf(value, max, height) {
  return INSET + Math.min(1, Math.max(0, value / max)) * (height - 2 * INSET);
}

/**
 * Returns the path of a curve and of the area below it. The drawing has `places` for points; the
 * newest one is at the right.
 */
export function paths(points, places, max, width, height) {
  const { length } = points;
  const step = width / (places - 1);
  let area = "";
  let line = "";
  let start = -1; // of the current run of known points
  for (let index = 0; index <= length; index += 1) {
    const known = index < length && !Number.isNaN(points[index]);
    const x = (width - (length - 1 - index) * step).toFixed(1);
    if (known) {
      const y = (height - heightOf(points[index], max, height)).toFixed(1);
      if (start < 0) {
        start = index;
        line += `M${x} ${y}`;
        area += `M${x} ${height}L${x} ${y}`;
      } else {
        line += `L${x} ${y}`;
        area += `L${x} ${y}`;
      }
    } else if (start >= 0) {
      const last = (width - (length - index) * step).toFixed(1);
      if (index - start === 1) line += "h0.01"; // a single point is drawn as a dot
      area += `L${last} ${height}Z`;
      start = -1;
    }
  }
  return { area, line };
}
