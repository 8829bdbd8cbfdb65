// Small things every front end of the studio needs. Data is always text, never markup.

/** An element: `h("button", {class: "pnb-button", text: "Talk", onclick: talk}, ...children)`. */
function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "text") element.textContent = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in PROPERTIES) element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}
const PROPERTIES = { value: 1, checked: 1, disabled: 1, hidden: 1, indeterminate: 1, open: 1 };

/** A name that labels and fields of one page share with nobody. */
let lastId = 0;
const uid = (name) => `pnb-${name}-${Date.now().toString(36)}-${(lastId += 1)}`;

/** Put other children into an element. */
const fill = (element, ...children) => element.replaceChildren(...children.flat().filter(Boolean));

const plural = (count, one, more = `${one}s`) => `${count} ${count === 1 ? one : more}`;
const msText = (ms) => (ms === null || ms === undefined ? "–" : `${Math.round(ms)} ms`);
const usdText = (usd) => (usd === null || usd === undefined ? "–" : usd === 0 ? "$0" : `$${usd.toPrecision(2)}`);
const listed = (names) => (names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`);

/** The time of day of an instant in ISO form, by the reader's clock. */
const timeText = (iso) =>
  iso ? new Date(iso).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" }) : "–";

/** Call `listener` once the page has drawn `element`, and again whenever it has another width. */
function onWidth(element, listener) {
  const observer = new ResizeObserver(() => listener(element.clientWidth));
  observer.observe(element);
  return () => observer.disconnect();
}

/** What stands where there is nothing yet: a heading, a sentence, perhaps code. */
function empty(title, sentence, code) {
  return h("div", { class: "pnb-empty" }, h("h3", { text: title }), h("p", { text: sentence }),
    code ? h("pre", { class: "pnb-code", text: code }) : null);
}

/** A diff as `Difference.lines()` has it, each line in the colour of what came or went. */
function diffLines(lines) {
  const kind = (line) => (line.startsWith("+") ? "pnb-come" : line.startsWith("-") ? "pnb-gone" : "");
  return h("div", { class: "pnb-diff pnb-code" }, lines.map((line) => h("div", { class: kind(line), text: line })));
}
