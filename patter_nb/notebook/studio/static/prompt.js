// The Prompt tab.

class PromptEditing extends Editing {
  constructor(model) {
    super(model);
    this.compared = null;
  }

  field(name) { return this.state.fields.find((field) => field.name === name); }
  label(name) { return name === "variables" ? "Variables" : (this.field(name)?.label ?? name); }

  base(name) {
    if (name !== "variables") return this.field(name)?.value;
    const { variables } = this.state;
    return variables === null ? null : Object.fromEntries(variables.map(({ name: key, value }) => [key, value]));
  }

  changed() {
    clearTimeout(this.comparing);
    if (this.compared) this.comparing = setTimeout(() => this.compareNow(), 400);
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

  async rollBack(number) {
    this.answered(await this.channel.order("rollback", { number }, (told) => this.applied(told)));
    this.update();
  }

  compare(number) {
    this.compared = this.compared?.number === number ? null : { number, lines: null };
    this.update();
    this.compareNow();
  }

  async compareNow() {
    if (!this.compared) return;
    const { number } = this.compared;
    const row = this.state.revisions.find((each) => each.number === number);
    const own = number === this.state.revision && this.draft.empty;
    const before = own ? (row?.parent ?? number) : number;
    const to = this.draft.empty ? { after: this.state.revision } : { changes: this.draft.values };
    const answer = await this.channel.order("diff", { before, ...to }, undefined, true);
    if (this.compared?.number !== number) return;
    const end = this.draft.empty ? `revision ${this.state.revision}` : "what is unsaved";
    this.compared = { number, title: `From revision ${before} to ${end}`, lines: answer.ok ? answer.lines : null, error: answer.error };
    this.update();
  }
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
  return { element: labelled(field, id, control), input, update(value) {
    if (input.value !== shown(value)) input.value = shown(value);
    if (!number) input.placeholder = value === null ? "as usual" : value === "" ? "nothing" : "";
  } };
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
      aside.textContent = missing ? `unknown: it has no value. To have {${name}} itself in the text, give {${name}}.` : !wanted.includes(name) ? "in no text"
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

  function build(root) {
    settled.forEach((stop) => stop());
    const { fields } = shared.state;
    const made = new Map(fields.map((field) => [field.name, formField(shared, field)]));
    const of = (group) => fields.filter((field) => field.group === group).map((field) => made.get(field.name).element);
    const variables = variablesField(shared), bar = actions(shared), table = revisionsTable(shared);
    const group = (title, elements, open, kind) => elements.length === 0 ? null
      : h("details", { open }, h("summary", { text: title }), h("div", { class: kind }, elements));
    fill(root,
      h("div", { class: "pnb-columns" },
        h("div", { class: "pnb-stack pnb-wide" }, of("words"), group("Turns", of("turns"), false, "pnb-grid")),
        h("div", { class: "pnb-stack pnb-narrow" }, variables.element, group("Speech", of("speech"), true, "pnb-stack"))),
      bar.element, table.element);
    parts = [...[...made].map(([name, part]) => () => updateField(shared, name, part)),
      () => { variables.update(); updateField(shared, "variables", { ...variables, update: () => {} }); }, bar.update, table.update];
    settled = [...made.values()].filter((part) => part.settle).map((part) => part.settle());
  }

  const end = editingView(shared, el, (root) => () => {
    const now = JSON.stringify(shared.state.fields.map(({ name, kind, choices, when }) => [name, kind, choices, when]));
    if (now !== shape) {
      shape = now;
      build(root);
    }
    for (const part of parts) part();
  });
  return () => {
    end();
    settled.forEach((stop) => stop());
  };
}

export default () => {
  let shared;
  return {
    initialize({ model }) { shared = new PromptEditing(model); },
    render({ el }) { return panelView(el, shared.channel, () => promptView(shared, el)); },
  };
};
