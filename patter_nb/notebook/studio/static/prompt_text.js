// A text with its {variables} marked: a plain textarea over a backdrop that holds the same text, so that all editing is the
// browser's own.

const PLACEHOLDER = /\{([A-Za-z_][A-Za-z0-9_]*)\}/g;

const placeholders = (text) => [...text.matchAll(PLACEHOLDER)].map((found) => found[1]);

/** `kindOf(name)` is "known", "unknown" or "plain"; `changed(text)` is called while somebody writes. */
function markedText({ id, label, rows, kindOf, changed, describedby }) {
  const back = h("div", { class: "pnb-marked-back", "aria-hidden": "true" });
  const area = h("textarea", {
    class: "pnb-input pnb-marked-area", id, rows, spellcheck: "true", "aria-label": label, "aria-describedby": describedby,
    oninput: () => { draw(); changed(area.value); },
    onscroll: () => { back.scrollTop = area.scrollTop; },
  });
  const element = h("div", { class: "pnb-marked" }, back, area);

  function draw() {
    const parts = [];
    let last = 0;
    for (const found of area.value.matchAll(PLACEHOLDER)) {
      parts.push(area.value.slice(last, found.index), h("mark", { class: `pnb-mark-${kindOf(found[1])}`, text: found[0] }));
      last = found.index + found[0].length;
    }
    parts.push(area.value.slice(last), "\n");
    back.replaceChildren(...parts);
    grow();
  }

  function grow() {
    if (!area.clientWidth) return;
    const room = area.scrollTop;
    area.style.height = "auto";
    area.style.height = `${Math.min(area.scrollHeight + 2, 420)}px`;
    area.scrollTop = room;
    back.scrollTop = room;
  }

  return {
    element, area, draw,
    get value() { return area.value; },
    set value(text) {
      if (area.value !== text) area.value = text;
      draw();
    },
    settle: () => onWidth(element, grow),
  };
}
