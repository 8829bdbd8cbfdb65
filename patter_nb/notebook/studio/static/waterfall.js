// Bars of turns, drawn from numbers: what the wait for a reply went to.

const SVG = "http://www.w3.org/2000/svg";

function svg(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children.filter(Boolean));
  return element;
}

const wholeText = (amount) => Math.round(amount).toString().replace(/\B(?=(\d{3})+(?!\d))/g, "\u2009");
const waitText = (ms) => (!Number.isFinite(ms) ? "–" : ms > 0 && ms <= 0.5 ? "<1 ms" : `${wholeText(ms)} ms`);
const clockText = (seconds) => {
  const whole = Math.max(0, Math.floor(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
};
const colourOf = (legend, column) => `var(--pnb-${legend[column]?.role ?? "unexplained"}, #8c8f94)`;

/** Hatching, for what no span covers: the pattern belongs to its drawing. */
function hatches(id) {
  return svg("pattern", { id, width: 5, height: 5, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
    svg("rect", { width: 5, height: 5, style: "fill:var(--pnb-raised)" }),
    svg("rect", { width: 1.4, height: 5, style: "fill:var(--pnb-unexplained)" }));
}

/** One bar, as wide as its place; `limit`: how many ms the whole width is. */
function barDrawing(bar, limit, legend, height = 16) {
  const id = uid("hatch");
  const drawing = svg("svg", { width: "100%", height, role: "img", "aria-label": bar.told, class: "pnb-bar" }, svg("defs", {}, hatches(id)));
  for (const [column, start, end] of bar.pieces) {
    if (start >= limit) continue;
    const width = Math.max(0.15, ((Math.min(end, limit) - start) / limit) * 100);
    const fill = column === "unexplained_ms" ? `fill:url(#${id})` : `fill:${colourOf(legend, column)}`;
    const title = svg("title", {});
    const { name = column, owner = "" } = legend[column] ?? {};
    title.textContent = `${name}${owner ? ` (${owner})` : ""}: ${waitText(end - start)}`;
    drawing.append(svg("rect", { x: `${(start / limit) * 100}%`, y: 0, width: `${width}%`, height, style: `${fill};stroke:var(--pnb-surface);stroke-width:.6` }, title));
  }
  return drawing;
}

/** How many ms the bars' width is: the longest, unless one is so long that the others could not be read. */
function limitOf(bars, least = 500) {
  const lengths = bars.map((bar) => bar.length).filter((length) => length > 0).sort((a, b) => a - b);
  if (!lengths.length) return least;
  const most = lengths.at(-1), usual = lengths[Math.floor((lengths.length - 1) * 0.75)];
  const limit = Math.max(least, most > usual * 4 ? usual * 1.6 : most);
  const step = 10 ** Math.floor(Math.log10(limit)) / 4;
  return Math.ceil(limit / step) * step;
}

function swatch(legend, column) {
  const id = uid("hatch");
  const fill = column === "unexplained_ms" ? `fill:url(#${id})` : `fill:${colourOf(legend, column)}`;
  return svg("svg", { width: 10, height: 10, class: "pnb-swatch", "aria-hidden": "true" }, svg("defs", {}, hatches(id)),
    svg("rect", { width: 10, height: 10, rx: 2, style: fill }));
}

/** What the colours mean, of the columns that are drawn, in the order of the legend. */
function legendRow(legend, bars) {
  const drawn = new Set(bars.flatMap((bar) => bar.pieces.filter(([, start, end]) => end - start >= 1).map(([column]) => column)));
  const shown = Object.keys(legend).filter((column) => drawn.has(column));
  return h("div", { class: "pnb-row pnb-legend" },
    shown.map((column) => h("span", { title: legend[column].owner || undefined }, swatch(legend, column), legend[column].name)));
}
