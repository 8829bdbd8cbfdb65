// The scripted caller: what it says, line by line, and how it is let go.

const NOISES = [["", "quiet line"], ["30", "a little noise"], ["20", "noise"], ["10", "much noise"]];
const EMPTY_LINE = { text: "", interrupts: false, seconds: 1 };

class CallerModel {
  constructor(model) {
    this.model = model;
    this.views = new Set();
    this.error = "";
    this.said = "";
    const { lines, listen, noise_db: noise } = model.get("state");
    this.lines = lines.map((line) => ({ ...EMPTY_LINE, ...line }));
    this.listen = listen;
    this.noise = noise;
    this.channel = new Channel(model, () => this.update());
    model.on("change:state", () => this.update());
  }

  get state() { return this.model.get("state"); }
  get content() { return { lines: this.lines, listen: this.listen, noise_db: this.noise }; }

  /** Something was written: the kernel keeps it, so that a page that is opened later has it too. */
  keep() {
    clearTimeout(this.soon);
    this.soon = setTimeout(() => this.channel.order("keep", this.content, () => {}, true), 600);
    this.error = "";
    this.update();
  }

  async run() {
    if (this.channel.pending || this.channel.gone || this.state.running) return;
    clearTimeout(this.soon);
    this.said = "";
    const answer = await this.channel.order("run", this.content);
    this.error = answer.ok ? "" : answer.error;
    this.said = answer.ok ? "The caller rings." : "";
    this.update();
  }

  update() { for (const view of this.views) view(); }
}

/** One line of the caller, with when it is said. */
function callerLine(shared, index, list) {
  const line = shared.lines[index];
  const text = h("input", { class: "pnb-input pnb-grow", value: line.text, placeholder: index ? "and then …" : "Hi, when is dinner?", "aria-label": `Line ${index + 1} of the caller`,
    oninput: () => { line.text = text.value; shared.keep(); }, onkeydown: keys, onpaste: paste });
  const when = h("select", { class: "pnb-input pnb-when-said", "aria-label": `When line ${index + 1} is said`,
    onchange: () => { line.interrupts = when.value === "cuts"; shared.keep(); list.draw(index); } },
    h("option", { value: "waits", text: "after the reply" }), h("option", { value: "cuts", text: "interrupting, after" }));
  when.value = line.interrupts ? "cuts" : "waits";
  const seconds = h("input", { class: "pnb-input pnb-seconds", type: "number", min: 0, max: 60, step: 0.1, value: line.seconds, hidden: !line.interrupts,
    "aria-label": `Seconds of the agent's speech before line ${index + 1} interrupts it`, oninput: () => { line.seconds = seconds.value; shared.keep(); } });
  const unit = h("span", { class: "pnb-muted pnb-small", text: "s", hidden: !line.interrupts });
  const away = h("button", { class: "pnb-button pnb-quiet pnb-little", text: "×", "aria-label": `Remove line ${index + 1}`, disabled: shared.lines.length < 2,
    onclick: () => { shared.lines.splice(index, 1); shared.keep(); list.draw(Math.max(0, index - 1)); } });
  function keys(event) {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) shared.run();
    else if (event.key === "Enter") list.insert(index + 1, [""]);
    else if (event.key === "Backspace" && !text.value && shared.lines.length > 1) away.click();
    else if (event.key === "ArrowDown" && index + 1 < shared.lines.length) list.focus(index + 1);
    else if (event.key === "ArrowUp" && index > 0) list.focus(index - 1);
    else return;
    event.preventDefault();
  }
  function paste(event) {
    const pasted = event.clipboardData.getData("text").split(/\r?\n/).map((each) => each.trim()).filter(Boolean);
    if (pasted.length < 2) return;
    event.preventDefault();
    line.text = `${text.value}${pasted[0]}`;
    list.insert(index + 1, pasted.slice(1));
  }
  return { element: h("div", { class: "pnb-row pnb-caller-line", role: "listitem" }, h("span", { class: "pnb-muted pnb-small pnb-number", text: index + 1 }), text, when, seconds, unit, away), text };
}

function callerView(shared, root) {
  const rows = h("div", { class: "pnb-caller-lines", role: "list" }), gone = goneNote("The lines of the caller are lost with it.");
  let made = [];
  const list = {
    draw(focused = null) {
      made = shared.lines.map((_, index) => callerLine(shared, index, list));
      fill(rows, made.map(({ element }) => element));
      if (focused !== null) list.focus(focused);
    },
    focus(index) {
      const { text } = made[index];
      text.focus();
      text.setSelectionRange(text.value.length, text.value.length);
    },
    insert(index, texts) {
      shared.lines.splice(index, 0, ...texts.map((text) => ({ ...EMPTY_LINE, text })));
      shared.keep();
      list.draw(index + texts.length - 1);
    },
  };
  const listen = h("input", { type: "checkbox", class: "pnb-switch", checked: shared.listen, id: uid("listen"), onchange: () => { shared.listen = listen.checked; shared.keep(); } });
  const noise = h("select", { class: "pnb-input pnb-noise", "aria-label": "Noise on the caller's line", onchange: () => { shared.noise = noise.value; shared.keep(); } },
    NOISES.map(([value, text]) => h("option", { value, text })));
  noise.value = shared.noise;
  const run = h("button", { class: "pnb-button pnb-primary", text: "Run caller", onclick: () => shared.run() });
  const more = h("button", { class: "pnb-button pnb-quiet pnb-little", text: "+ Add line", onclick: () => list.insert(shared.lines.length, [""]) });
  const wrong = h("div", { class: "pnb-error", role: "alert" }), install = h("pre", { class: "pnb-pre pnb-code" }), said = h("span", { class: "pnb-muted pnb-small", role: "status" });
  fill(root, gone, h("div", { class: "pnb-stack pnb-tight pnb-caller" },
    h("h4", { text: "Scripted caller" }),
    h("p", { class: "pnb-muted pnb-small", text: "It says these lines to the agent over a telephone line, and hangs up after the reply to the last one." }),
    rows, h("div", {}, more),
    h("div", { class: "pnb-row" }, run, h("span", { class: "pnb-row pnb-small" }, listen, h("label", { for: listen.id, text: "heard while it runs" })), noise, said),
    wrong, install));
  list.draw();
  const update = () => {
    gone.hidden = !shared.channel.gone;
    const on = shared.state.running && !shared.channel.gone ? "A call is on." : "";
    run.title = on || "Ctrl+Enter in a line";
    run.disabled = shared.channel.gone || shared.state.running || shared.channel.pending || !shared.lines.some(({ text }) => text.trim());
    if (shared.state.running) shared.said = "";
    said.textContent = shared.channel.words || on || shared.said;
    const [sentence, command] = (shared.error || shared.state.error).split(/:\s+(?=pip install)/);
    wrong.hidden = !sentence;
    wrong.textContent = command ? `${sentence}. This installs it; restart the kernel afterwards:` : sentence;
    install.hidden = !command;
    install.textContent = command ?? "";
  };
  shared.views.add(update);
  update();
  return () => shared.views.delete(update);
}

export default () => {
  let shared;
  return {
    initialize({ model }) { shared = new CallerModel(model); },
    render({ el }) {
      el.classList.add("pnb-caller-panel");
      return panelView(el, shared.channel, () => callerView(shared, el));
    },
  };
};
