// The Tools tab.

class ToolsEditing extends Editing {
  constructor(model) {
    super(model);
    this.picked = null;
    this.trials = new Map();
  }

  tool(name) { return this.state.tools.find((tool) => tool.name === name); }
  get shown() { return this.tool(this.picked) ?? this.state.tools[0]; }

  base(key) {
    const [part, name] = parted(key);
    return this.tool(name)?.[part];
  }

  label(key) {
    const [part, name] = parted(key);
    return { on: `${name} on or off`, description: `description of ${name}`, schema: `schema of ${name}` }[part];
  }

  pick(name) {
    this.picked = name;
    this.update();
  }

  /** Run a tool; its outcome comes when it has ended. */
  async try(name, args) {
    const trial = { name, running: true };
    this.trials.set(name, trial);
    this.update();
    const answer = await this.channel.order("try", { name, arguments: JSON.stringify(args) }, (told) => {
      Object.assign(trial, told, { running: false });
      this.update();
    });
    if (!answer.ok) Object.assign(trial, { error: answer.error, running: false });
    this.update();
  }
}

const KINDS = { function: "function", webhook: "webhook", "built in": "always there" };

function toolList(shared) {
  const rows = h("div", { class: "pnb-stack pnb-list", role: "list", "aria-label": "Tools" });
  return { element: rows, update() {
    const { tools, servers } = shared.state;
    const made = tools.map((tool) => {
      const key = `on:${tool.name}`;
      const on = h("input", { type: "checkbox", class: "pnb-switch", role: "switch", checked: shared.draft.value(key),
        disabled: tool.kind === "built in", "aria-label": `${tool.name} is on`,
        title: tool.kind === "built in" ? "Every agent has it; a tool of yours with this name takes its place" : "",
        onchange: () => shared.set(key, on.checked) });
      const unsaved = ["on", "description", "schema"].some((part) => shared.draft.has(`${part}:${tool.name}`));
      const name = h("button", { class: "pnb-list-name", "aria-current": String(tool === shared.shown), onclick: () => shared.pick(tool.name) },
        h("span", { class: "pnb-code pnb-clip", text: tool.name }), unsaved ? h("span", { class: "pnb-accent pnb-small", text: "unsaved" })
          : h("span", { class: "pnb-muted pnb-small", text: KINDS[tool.kind] }));
      return h("div", { class: `pnb-list-row${tool === shared.shown ? " pnb-picked" : ""}`, role: "listitem" }, on, name);
    });
    if (servers.length) {
      made.push(h("p", { class: "pnb-muted pnb-small", text: `With each call also the tools of ${listed(servers)}.` }));
    }
    keepFocus(rows, () => fill(rows, made));
  } };
}

/** What a model is told of the tool that is picked, and under the bar of buttons what it does. */
function toolDetail(shared) {
  const root = h("div", { class: "pnb-stack pnb-wide" }), below = h("div", {});
  let drawn = "", parts = [];

  function build(tool) {
    const when = shared.state.when;
    const fields = [];
    const field = (part, label, area) => {
      const key = `${part}:${tool.name}`;
      const element = labelled({ label, when, help: "" }, area.id, area);
      area.addEventListener("input", () => shared.set(key, area.value));
      fields.push(() => updateField(shared, key, { element, input: area, update: (value) => { if (area.value !== value) area.value = value; } }));
      return element;
    };
    const area = (rows, code) => h("textarea", { class: `pnb-input${code ? " pnb-code" : ""}`, id: uid("tool"), rows, spellcheck: String(!code) });
    const head = h("div", { class: "pnb-row pnb-baseline" }, h("h3", { class: "pnb-code", text: tool.name }), h("span", { class: "pnb-muted pnb-small", text: about(tool) }));
    const trial = tryIt(shared, tool);
    if (tool.kind === "built in") {
      fill(root, head, h("p", { text: tool.description }),
        h("p", { class: "pnb-note", text: "Every agent can do this. A tool of yours with the same name takes its place." }));
    } else {
      const lines = Math.min(9, tool.schema.split("\n").length);
      fill(root, head, field("description", "Description", area(3, false)), field("schema", "Arguments, as JSON schema", area(lines, true)),
        h("p", { class: "pnb-muted pnb-small", text: codeNote(tool) }));
    }
    fill(below, trial.element);
    parts = [...fields, trial.update];
  }

  return { element: root, below, update() {
    const tool = shared.shown;
    const now = JSON.stringify([tool.name, tool.kind, tool.parameters, tool.timeout_s, tool.runs]);
    if (now !== drawn) {
      drawn = now;
      build(tool);
    }
    for (const part of parts) part();
  } };
}

function about(tool) {
  if (tool.kind === "built in") return "built in";
  const runs = tool.kind === "webhook" ? `asks ${tool.runs}` : `runs ${tool.runs}()`;
  return [runs, `at most ${tool.timeout_s} s`, tool.idempotent ? "tried up to three times" : "", tool.filler ? `says “${tool.filler}”` : ""]
    .filter(Boolean).join(" · ");
}

const codeNote = (tool) => tool.kind === "webhook" ? "What it does is its server's affair."
  : `What it does is code: change it in its cell and run that again.${tool.signature ? " The schema comes from its signature until it is edited here." : ""}`;

/** A form of the tool's arguments, and what came of running it. */
function tryIt(shared, tool) {
  const properties = Object.entries(tool.parameters.properties ?? {});
  const required = new Set(tool.parameters.required ?? []);
  const inputs = properties.map(([name, schema]) => argument(name, schema, required.has(name)));
  const run = h("button", { class: "pnb-button", text: "Run", onclick: () => {
    const args = {};
    for (const input of inputs) {
      const value = input.read();
      if (value === WRONG) return;
      if (value !== undefined) args[input.name] = value;
    }
    shared.try(tool.name, args);
  } });
  const outcome = h("div", { class: "pnb-outcome", role: "status", "aria-live": "polite" });
  const warning = { function: "This runs your function, with all that it does.", webhook: `This sends a request to ${tool.runs}.`,
    "built in": "There is no call: this says what it would do." }[tool.kind];
  const element = h("div", { class: "pnb-panel pnb-stack" }, h("div", { class: "pnb-row pnb-baseline" }, h("h4", { text: "Try it" }),
    h("span", { class: "pnb-muted pnb-small", text: warning })),
    inputs.length ? h("div", { class: "pnb-grid pnb-ends" }, inputs.map((input) => input.element)) : h("p", { class: "pnb-muted pnb-small", text: "It takes no arguments." }),
    h("div", { class: "pnb-row" }, run), outcome);
  return { element, update() {
    const trial = shared.trials.get(tool.name);
    const waits = ["description", "schema", "on"].some((part) => shared.draft.has(`${part}:${tool.name}`));
    run.disabled = Boolean(trial?.running) || shared.channel.gone || !tool.on;
    run.title = tool.on ? "" : "It is off: switch it on and apply that first.";
    run.textContent = trial?.running ? "Running …" : "Run";
    fill(outcome, waits && h("p", { class: "pnb-muted pnb-small", text: "It runs as it was applied last, without what is unsaved." }), trial && !trial.running ? tried(trial) : null);
  } };
}

function tried(trial) {
  const took = `${trial.error ? "Failed" : "Returned"} after ${trial.ms === undefined ? "–" : trial.ms < 10 ? `${trial.ms.toFixed(1)} ms` : msText(trial.ms)}`
    + (trial.attempts > 1 ? `, ${trial.attempts} attempts` : "");
  return h("div", { class: "pnb-stack pnb-tight" },
    h("div", { class: `pnb-small ${trial.error ? "pnb-bad" : "pnb-good"}`, text: took }),
    (trial.progress ?? []).map((text) => h("div", { class: "pnb-small pnb-muted", text })),
    h("pre", { class: "pnb-pre pnb-code", text: trial.error ?? trial.result ?? "" }));
}

const WRONG = Symbol("not an argument");

/** One argument of a tool: an input of its type, and `read()`: its value, undefined where it is left out. */
function argument(name, schema, required) {
  const id = uid("argument");
  const type = Array.isArray(schema.type) ? schema.type.find((each) => each !== "null") : schema.type;
  const note = [required ? "" : "optional", schema.description ?? ""].filter(Boolean).join(" · ");
  const wrong = h("div", { class: "pnb-wrong", hidden: true });
  const first = schema.default === undefined || schema.default === null ? "" : schema.default;
  let input, read;
  if (schema.enum) {
    input = h("select", { class: "pnb-input", id }, required ? null : h("option", { value: "", text: "" }),
      schema.enum.map((choice, place) => h("option", { value: place, text: String(choice), selected: choice === schema.default })));
    read = () => (input.value === "" ? undefined : schema.enum[Number(input.value)]);
  } else if (type === "boolean") {
    input = h("input", { type: "checkbox", class: "pnb-switch", id, role: "switch", checked: Boolean(schema.default) });
    read = () => input.checked;
  } else if (type === "integer" || type === "number") {
    input = h("input", { type: "number", class: "pnb-input", id, step: type === "integer" ? 1 : "any", value: first });
    read = () => (input.value === "" ? undefined : Number(input.value));
  } else if (type === "string" || type === undefined && !schema.anyOf && !schema.$ref) {
    input = h("input", { type: "text", class: "pnb-input", id, value: first });
    read = () => (input.value === "" && !required ? undefined : input.value);
  } else {
    input = h("textarea", { class: "pnb-input pnb-code", id, rows: 2, placeholder: "JSON" });
    if (first !== "") input.value = JSON.stringify(first);
    read = () => {
      if (input.value.trim() === "") return undefined;
      try { return JSON.parse(input.value); } catch (error) {
        wrong.hidden = false;
        wrong.textContent = `${name} is not JSON: ${error.message}.`;
        return WRONG;
      }
    };
  }
  input.addEventListener("input", () => { wrong.hidden = true; });
  return { name, read, element: h("div", { class: "pnb-field" }, h("div", { class: "pnb-label" }, h("label", { class: "pnb-code", for: id, text: name }),
    h("span", { class: "pnb-when", text: note })), input, wrong) };
}

function runsTable(shared) {
  const body = h("tbody");
  const head = [["Tool", 1], ["Turn", 0], ["Arguments", 1], ["What the model was told", 1], ["Time", 0]];
  const table = h("table", { class: "pnb-table" }, h("thead", {}, h("tr", {}, head.map(([text, left]) => h("th", { scope: "col", class: left ? "pnb-left" : "", text })))), body);
  const none = h("p", { class: "pnb-muted pnb-small", text: "None yet. What tools do in calls stands here, and in phone.tools_log." });
  const scroll = h("div", { class: "pnb-scroll pnb-runs", tabindex: "0", role: "region", "aria-label": "Last executions" }, table);
  let drawn = "";
  return { element: h("div", { class: "pnb-stack pnb-tight" }, h("h3", { text: "Last executions" }), none, scroll), update() {
    const { runs } = shared.state;
    none.hidden = runs.length > 0;
    scroll.hidden = runs.length === 0;
    const now = JSON.stringify(runs);
    if (now === drawn) return;
    drawn = now;
    fill(body, runs.map((run) => h("tr", {}, h("td", { class: "pnb-left pnb-code", text: run.name }), h("td", { text: run.turn }),
      h("td", { class: "pnb-words pnb-code", text: run.arguments }), h("td", { class: `pnb-words${run.error ? " pnb-bad" : ""}`, text: run.error ?? run.result ?? "not returned" }),
      h("td", { text: `${msText(run.ms)}${run.attempts > 1 ? `, ${run.attempts}×` : ""}` }))));
  } };
}

const MAKE_A_TOOL = `@phone.tool
def free_table(guests: int) -> str:
    """Look for a free table."""
    return f"Table four is free for {guests}."`;

export default () => {
  let shared;
  return {
    initialize({ model }) { shared = new ToolsEditing(model); },
    render({ el }) {
      return panelView(el, shared.channel, () => editingView(shared, el, (root) => {
        const list = toolList(shared), detail = toolDetail(shared), bar = actions(shared), runs = runsTable(shared);
        const first = empty("No tools of its own", "A tool is a function in a cell; run the cell and it appears here, in calls that are on as well.", MAKE_A_TOOL);
        fill(root, first, h("div", { class: "pnb-columns" }, h("div", { class: "pnb-stack pnb-aside-list" }, list.element), detail.element), bar.element, detail.below, runs.element);
        return () => {
          const own = shared.state.tools.some((tool) => tool.kind !== "built in");
          first.hidden = own;
          bar.element.hidden = !own;
          for (const part of [list, detail, bar, runs]) part.update();
        };
      }));
    },
  };
};
