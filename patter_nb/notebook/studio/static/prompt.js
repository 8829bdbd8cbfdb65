// The Prompt tab.

const WHEN = { "next turn": "from the next turn", "next call": "from the next call", never: "never" };

/** What all views of one widget share: the draft, the orders, what went wrong. */
class PromptModel {
  constructor(model) {
    this.model = model;
    this.views = new Set();
    this.errors = {};
    this.said = "";
    this.compared = null;
    this.channel = new Channel(model, () => this.update());
    const { place, agent } = this.state;
    this.draft = new Draft(`${place}:${agent}`, (name) => this.base(name));
    model.on("change:state", () => { this.draft.settle(); this.update(); this.compareSoon(); });
  }

  get state() { return this.model.get("state"); }
  field(name) { return this.state.fields.find((field) => field.name === name); }
  label(name) { return name === "variables" ? "Variables" : (this.field(name)?.label ?? name); }

  base(name) {
    if (name !== "variables") return this.field(name)?.value;
    const { variables } = this.state;
    return variables === null ? null : Object.fromEntries(variables.map(({ name: key, value }) => [key, value]));
  }

  set(name, value) {
    this.draft.set(name, value);
    delete this.errors[name];
    delete this.errors[""];
    this.said = "";
    this.update();
    this.compareSoon();
  }

  /** The placeholders of the texts as they are written now. */
  get wanted() {
    const texts = ["system_prompt", "first_message"].map((name) => this.draft.value(name) ?? "");
    return [...new Set(texts.flatMap(placeholders))];
  }

  kindOf(name) {
    const values = this.draft.value("variables");
    return values === null ? "plain" : name in values ? "known" : "unknown";
  }

  async apply(scope) {
    if (this.draft.empty || this.channel.pending || this.channel.gone) return;
    const changes = { ...this.draft.values };
    const answer = await this.channel.order("apply", { changes, scope, note: this.draft.note }, (told) => this.applied(told));
    this.answered(answer);
    if (answer.ok) {
      this.draft.note = "";
      this.draft.accepted(changes);
    }
    this.update();
  }

  async rollBack(number) {
    this.answered(await this.channel.order("rollback", { number }, (told) => this.applied(told)));
    this.update();
  }

  answered(answer) {
    this.errors = answer.ok ? {} : { [this.draft.has(answer.field) ? answer.field : ""]: answer.error };
    if (answer.ok && this.appliedLast?.revision !== answer.revision) this.said = "";
  }

  /** The swap itself said so. */
  applied(told) {
    this.appliedLast = told;
    this.said = `Revision ${told.revision} took effect in turn ${told.turn}.`;
    this.update();
  }

  revert() {
    this.draft.note = "";
    this.draft.drop(...this.draft.names);
    this.errors = {};
    this.update();
    this.compareSoon();
  }

  compare(number) {
    this.compared = this.compared?.number === number ? null : { number, lines: null };
    this.update();
    this.compareNow();
  }

  compareSoon() {
    clearTimeout(this.comparing);
    if (this.compared) this.comparing = setTimeout(() => this.compareNow(), 400);
  }

  async compareNow() {
    if (!this.compared) return;
    const { number } = this.compared;
    const row = this.state.revisions.find((each) => each.number === number);
    const own = number === this.state.revision && this.draft.empty;
    const before = own ? (row?.parent ?? number) : number;
    const to = this.draft.empty ? { after: this.state.revision } : { changes: this.draft.values };
    const answer = await this.channel.order("diff", { before, ...to });
    if (this.compared?.number !== number) return;
    const end = this.draft.empty ? `revision ${this.state.revision}` : "what is unsaved";
    this.compared = { number, title: `From revision ${before} to ${end}`, lines: answer.ok ? answer.lines : null, error: answer.error };
    this.update();
  }

  update() { for (const view of this.views) view(); }
}

/** Where the agent stands: a word, a tone, a sentence. */
function standing(shared) {
  const { channel, draft, state } = shared;
  if (channel.pending) return { state: channel.waits ? "waiting" : "sent", tone: "accent", words: channel.words };
  if (!draft.empty) {
    const kept = draft.restored ? " It was written before this widget was made, and kept." : "";
    return { state: "unsaved", tone: "accent", words: `Unsaved: ${listed(draft.names.map((name) => shared.label(name)))}.${kept}` };
  }
  const waiting = state.calls.find((call) => call.staged !== null);
  if (waiting) {
    const words = `Revision ${waiting.staged} is staged: the next reply begins with it, until then revision ${waiting.revision} speaks.`;
    return { state: "staged", tone: "accent", words };
  }
  const [call] = state.calls;
  if (call) {
    const since = call.since === null ? "since the call began" : `as of turn ${call.since}`;
    return { state: "live", tone: "good", words: `Revision ${call.revision} is live ${since}.` };
  }
  return { state: "ready", tone: "muted", words: `Revision ${state.revision}: the next call begins with it.` };
}

function labelled(field, id, ...control) {
  const element = h("div", { class: "pnb-field" },
    h("div", { class: "pnb-label" }, h("label", { for: id, text: field.label }),
      h("span", { class: "pnb-when", text: WHEN[field.when] })),
    ...control,
    h("div", { class: "pnb-wrong", role: "alert", id: `${id}-error`, hidden: true }),
    h("div", { class: "pnb-small pnb-accent", hidden: true }));
  if (field.help) element.title = field.help;
  return element;
}

/** One field of the form: its element, and what brings it up to date. */
function formField(shared, field) {
  const id = uid(field.name.replace(".", "-"));
  const write = (value) => shared.set(field.name, value);
  if (field.kind === "text") {
    const text = markedText({
      id, label: field.label, rows: field.name === "system_prompt" ? 7 : 2, describedby: `${id}-error`,
      kindOf: (name) => shared.kindOf(name), changed: write,
    });
    const element = labelled(field, id, text.element);
    return { element, input: text.area, update: (value) => { text.value = value; }, settle: text.settle };
  }
  if (field.kind === "switch") {
    const input = h("input", { type: "checkbox", class: "pnb-switch", id, role: "switch", onchange: () => write(input.checked) });
    const element = labelled(field, id);
    element.querySelector(".pnb-label").prepend(input);
    return { element, input, update: (value) => { input.checked = value; } };
  }
  if (field.kind === "choice") {
    const input = h("select", { class: "pnb-input", id, onchange: () => write(input.value) },
      field.choices.map((choice) => h("option", { value: choice, text: choice })));
    return { element: labelled(field, id, input), input, update: (value) => { input.value = value; } };
  }
  const number = field.kind === "number";
  const input = h("input", {
    class: "pnb-input", id, type: number ? "number" : "text", step: field.step ?? undefined, "aria-describedby": `${id}-error`,
    oninput: () => write(number ? (input.value === "" ? null : Number(input.value)) : input.value),
  });
  const control = field.unit
    ? h("div", { class: "pnb-measure" }, input, h("span", { class: "pnb-muted pnb-small", text: field.unit }))
    : input;
  const shown = (value) => (value === null ? "" : String(value));
  return { element: labelled(field, id, control), input, update: (value) => { if (input.value !== shown(value)) input.value = shown(value); } };
}

function updateField(shared, name, { element, input, update }) {
  update(shared.draft.value(name));
  const error = shared.errors[name];
  element.classList.toggle("pnb-changed", shared.draft.has(name));
  input?.setAttribute("aria-invalid", String(Boolean(error)));
  const [wrong, other] = [element.querySelector(".pnb-wrong"), element.lastElementChild];
  wrong.hidden = !error;
  wrong.textContent = error ?? "";
  other.hidden = !shared.draft.conflicts(name);
  if (!other.hidden) {
    fill(other, `Revision ${shared.state.revision} has changed this, too; yours is kept. `,
      h("button", { class: "pnb-button pnb-quiet pnb-little", text: "Take theirs",
        onclick: () => { shared.draft.drop(name); shared.update(); } }));
  }
}

/** The variables: their values, those that nobody asks for, and those that are asked for and missing. */
function variablesField(shared) {
  const rows = h("div", { class: "pnb-stack pnb-tight" });
  const element = labelled({ label: "Variables", when: shared.state.variables_when, help: "" }, "", rows);
  element.querySelector("label").removeAttribute("for");
  const inputs = new Map();

  function write(name, value) {
    const values = { ...(shared.draft.value("variables") ?? {}) };
    if (value === undefined) delete values[name];
    else values[name] = value;
    shared.set("variables", values);
  }

  function row(name) {
    const id = uid("variable");
    const input = h("input", { class: "pnb-input", id, oninput: () => write(name, input.value) });
    const aside = h("div", { class: "pnb-aside pnb-muted" });
    const remove = h("button", { class: "pnb-button pnb-quiet pnb-little", text: "×", title: `Remove ${name}`,
      "aria-label": `Remove ${name}`, onclick: () => write(name, undefined) });
    const found = { element: h("div", { class: "pnb-variable" },
      h("label", { class: "pnb-code pnb-clip", for: id, text: name, title: name }), input, remove, aside), input, aside, remove };
    inputs.set(name, found);
    return found;
  }

  function update() {
    const values = shared.draft.value("variables");
    const wanted = shared.wanted;
    const names = [...new Set([...Object.keys(values ?? {}), ...wanted])];
    const known = new Map((shared.state.variables ?? []).map((each) => [each.name, each]));
    const shown = names.map((name) => inputs.get(name) ?? row(name));
    if (shown.length !== rows.childElementCount || shown.some((each, place) => rows.children[place] !== each.element)) {
      const focused = rows.contains(document.activeElement) ? document.activeElement : null;
      fill(rows, shown.map((each) => each.element));
      focused?.focus();
    }
    names.forEach((name, place) => {
      const { input, aside, remove } = shown[place];
      const missing = values !== null && !(name in values);
      const value = values?.[name] ?? "";
      if (input.value !== value) input.value = value;
      input.disabled = Boolean(known.get(name)?.secret);
      input.placeholder = missing ? "no value yet" : values === null ? "not replaced" : "";
      remove.hidden = wanted.includes(name) || values === null;
      const kind = known.get(name)?.kind;
      aside.textContent = missing ? "asked for, and there is no value" : !wanted.includes(name) ? "in no text"
        : known.get(name)?.secret ? "a secret: not shown, not edited here" : kind && shared.base("variables")?.[name] === value ? kind : "";
      aside.classList.toggle("pnb-bad", missing);
      aside.hidden = !aside.textContent;
      input.setAttribute("aria-invalid", String(missing));
    });
    if (!names.length) {
      fill(rows, h("p", { class: "pnb-muted pnb-small", text: "None. Write {name} in a text, and give its value here." }));
    }
  }
  return { element, input: null, update };
}

function actions(shared) {
  const dot = h("span", { class: "pnb-dot", "aria-hidden": "true" });
  const sentence = h("span", { class: "pnb-sentence", role: "status", "aria-live": "polite" });
  const line = h("div", { class: "pnb-row pnb-status" }, dot, sentence);
  const wrong = h("div", { class: "pnb-error", role: "alert", hidden: true });
  const note = h("input", { class: "pnb-input pnb-note-field", placeholder: "Note: what is this change for?", "aria-label": "Note of this change",
    oninput: () => { shared.draft.note = note.value; shared.draft.keep(); } });
  const button = (text, kind, title, onclick) => h("button", { class: `pnb-button ${kind}`, text, title, onclick });
  const turn = button("Apply from next turn", "pnb-primary", "Calls that are on, from their next reply; and later ones (Ctrl+Enter)",
    () => shared.apply("all calls"));
  const call = button("Apply to next call", "", "Calls that begin later; those that are on stay as they are", () => shared.apply("next call"));
  const revert = button("Revert", "pnb-quiet", "Drop what is unsaved", () => shared.revert());
  const element = h("div", { class: "pnb-actions pnb-stack pnb-tight" }, line, wrong, h("div", { class: "pnb-row" }, note, turn, call, revert));
  return { element, update() {
    const stands = standing(shared);
    const acknowledged = stands.state === "live" && shared.said ? ` ${shared.said}` : "";
    line.dataset.state = shared.channel.gone ? "gone" : stands.state;
    line.dataset.revision = shared.state.revision;
    line.className = `pnb-row pnb-status pnb-${stands.tone}`;
    dot.classList.toggle("pnb-hollow", ["unsaved", "ready"].includes(stands.state));
    sentence.textContent = shared.channel.gone ? "The kernel has restarted." : stands.words + acknowledged;
    wrong.hidden = !shared.errors[""];
    wrong.textContent = shared.errors[""] ?? "";
    if (note.value !== shared.draft.note) note.value = shared.draft.note;
    const idle = shared.draft.empty || shared.channel.pending || shared.channel.gone;
    turn.disabled = call.disabled = idle;
    revert.disabled = shared.draft.empty;
  } };
}

function revisionsTable(shared) {
  const body = h("tbody");
  const head = ["#", "Change", "For", "Made", "Turns", "p50 gap", "Cost", ""];
  const left = new Set([1, 2]);
  const table = h("table", { class: "pnb-table" },
    h("thead", {}, h("tr", {}, head.map((text, place) => h("th", { scope: "col", class: left.has(place) ? "pnb-left" : "", text })))), body);
  const difference = h("div", { class: "pnb-panel", hidden: true });
  const element = h("div", { class: "pnb-stack pnb-tight" }, h("h3", { text: "Revisions" }),
    h("div", { class: "pnb-scroll pnb-revisions", tabindex: "0", role: "region", "aria-label": "Revisions" }, table), difference);
  let drawn = "";

  function row(each) {
    const newest = each.number === shared.state.revision;
    const what = h("td", { class: "pnb-words" }, each.note ? h("span", { text: each.note }) : null,
      h("span", { class: "pnb-muted", text: `${each.note ? "  ·  " : ""}${each.changed ?? (each.parent ? "" : "as it was made")}` }));
    const picked = shared.compared?.number === each.number;
    const little = (text, onclick, more = {}) => h("button", { class: "pnb-button pnb-little", text, onclick, ...more });
    return h("tr", { class: picked ? "pnb-picked" : "" }, h("td", { class: newest ? "pnb-strong" : "", text: each.number }), what,
      h("td", { class: "pnb-left pnb-muted", text: each.scope }), h("td", { text: timeText(each.created_at) }),
      h("td", { text: each.turns }), h("td", { text: msText(each.gap_p50_ms) }), h("td", { text: usdText(each.usd) }),
      h("td", {}, h("div", { class: "pnb-row", style: "flex-wrap:nowrap;justify-content:flex-end;gap:4px" },
        little("Diff", () => shared.compare(each.number), { "aria-pressed": String(picked), "aria-label": `Compare revision ${each.number}` }),
        little("Roll back", () => shared.rollBack(each.number),
          { disabled: newest || shared.channel.gone, "aria-label": `Roll back to revision ${each.number}` }))));
  }

  return { element, update() {
    const { revisions } = shared.state;
    const now = JSON.stringify([revisions, shared.state.revision, shared.compared?.number, shared.channel.gone]);
    if (now !== drawn) {
      drawn = now;
      fill(body, revisions.map(row));
    }
    const { compared } = shared;
    difference.hidden = !compared || (!compared.lines && !compared.error);
    if (!difference.hidden) {
      const lines = compared.lines?.length ? diffLines(compared.lines) : h("p", { class: "pnb-muted", text: "No difference." });
      fill(difference, h("div", { class: "pnb-stack pnb-tight" }, h("h4", { text: compared.title }),
        compared.error ? h("div", { class: "pnb-wrong", text: compared.error }) : lines));
    }
  } };
}

function promptView(shared, el) {
  let parts = [], shape = "", settled = [];
  const gone = h("div", { hidden: true }, goneNote("What you have written here and not applied is kept in this page."));
  const root = h("div", { class: "pnb-stack pnb-body", onkeydown: (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      shared.apply("all calls");
    }
  } });
  el.append(root);

  function build() {
    settled.forEach((stop) => stop());
    const { fields } = shared.state;
    const made = new Map(fields.map((field) => [field.name, formField(shared, field)]));
    const of = (group) => fields.filter((field) => field.group === group).map((field) => made.get(field.name).element);
    const variables = variablesField(shared), bar = actions(shared), table = revisionsTable(shared);
    const group = (title, elements, open) => elements.length === 0 ? null
      : h("details", { open }, h("summary", { text: title }), h("div", { class: "pnb-stack" }, elements));
    fill(root, gone,
      h("div", { class: "pnb-columns" },
        h("div", { class: "pnb-stack pnb-wide" }, of("words")),
        h("div", { class: "pnb-stack pnb-narrow" }, variables.element, group("Speech", of("speech"), true), group("Turns", of("turns"), false))),
      bar.element, table.element);
    parts = [...[...made].map(([name, part]) => () => updateField(shared, name, part)),
      () => { variables.update(); updateField(shared, "variables", { ...variables, update: () => {} }); }, bar.update, table.update];
    settled = [...made.values()].filter((part) => part.settle).map((part) => part.settle());
  }

  function update() {
    const now = JSON.stringify(shared.state.fields.map(({ name, kind, choices, when }) => [name, kind, choices, when]));
    if (now !== shape) {
      shape = now;
      build();
    }
    gone.hidden = !shared.channel.gone;
    for (const part of parts) part();
  }
  shared.views.add(update);
  update();
  return () => {
    shared.views.delete(update);
    settled.forEach((stop) => stop());
  };
}

export default () => {
  let shared;
  return {
    initialize({ model }) { shared = new PromptModel(model); },
    render({ el }) { return panelView(el, shared.channel, () => promptView(shared, el)); },
  };
};
