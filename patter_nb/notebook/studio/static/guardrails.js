// The Guardrails tab.

class GuardrailsEditing extends Editing {
  constructor(model) {
    super(model);
    this.picked = null;
    this.text = "";
    this.tested = null;
    this.checked = null;
  }

  rail(name) { return this.state.guardrails.find((rail) => rail.name === name); }
  /** Those there are, and those that are unsaved yet. */
  get rails() {
    const added = this.draft.names.map(parted).filter(([part]) => part === "new").map(([, name]) => name);
    return [...this.state.guardrails, ...added.filter((name) => !this.rail(name)).map((name) => ({ name, added: true, on: true, check: null }))];
  }
  get shown() { return this.rails.find((rail) => rail.name === this.picked) ?? this.rails[0]; }

  base(key) {
    const [part, name] = parted(key);
    return part === "new" ? null : this.rail(name)?.[part];
  }

  label(key) {
    const [part, name] = parted(key);
    return { on: `${name} on or off`, terms: `terms of ${name}`, replacement: `replacement of ${name}`, new: `${name}, which is new` }[part];
  }

  /** A part of a guardrail, as the form has it. */
  value(rail, part) {
    if (!rail.added) return this.draft.value(`${part}:${rail.name}`);
    return this.draft.value(`new:${rail.name}`)[part] ?? "";
  }

  write(rail, part, value) {
    if (!rail.added) this.set(`${part}:${rail.name}`, value);
    else this.set(`new:${rail.name}`, { ...this.draft.value(`new:${rail.name}`), [part]: value });
  }

  error(rail, part) { return this.errors[rail.added ? `new:${rail.name}` : `${part}:${rail.name}`]; }

  pick(name) {
    this.picked = name;
    this.update();
  }

  changed() {
    this.checked = null;
    clearTimeout(this.testing);
    this.testing = setTimeout(() => this.test(), 250);
  }

  async test() {
    const { text } = this;
    if (!text.trim()) {
      this.tested = null;
    } else {
      const answer = await this.channel.order("test", { text, changes: this.draft.values }, undefined, true);
      if (text !== this.text) return;
      this.tested = answer.ok ? answer : { text, spans: [], error: answer.error };
    }
    this.update();
  }

  async check() {
    const { text } = this;
    this.checking = true;
    this.update();
    const answer = await this.channel.order("check", { text, changes: this.draft.values }, undefined, true);
    this.checking = false;
    if (text === this.text) this.checked = answer.ok ? answer : { said: [], error: answer.error };
    this.update();
  }
}

function railList(shared) {
  const rows = h("div", { class: "pnb-stack pnb-list", role: "list", "aria-label": "Guardrails" });
  return { element: rows, update() {
    keepFocus(rows, () => fill(rows, shared.rails.map((rail) => {
      const on = rail.added ? null : h("input", { type: "checkbox", class: "pnb-switch", role: "switch",
        checked: shared.draft.value(`on:${rail.name}`), "aria-label": `${rail.name} is on`, onchange: () => shared.set(`on:${rail.name}`, on.checked) });
      const unsaved = rail.added || ["on", "terms", "replacement"].some((part) => shared.draft.has(`${part}:${rail.name}`));
      const kind = rail.check ? "check" : plural((shared.value(rail, "terms") || []).length, "term");
      return h("div", { class: `pnb-list-row${rail === shared.shown ? " pnb-picked" : ""}`, role: "listitem" }, on ?? h("span", { class: "pnb-badge pnb-accent", text: "new" }),
        h("button", { class: "pnb-list-name", "aria-current": String(rail.name === shared.shown.name), onclick: () => shared.pick(rail.name) },
          h("span", { class: "pnb-clip pnb-strong-if-picked", text: rail.name }),
          h("span", { class: `pnb-small ${unsaved ? "pnb-accent" : "pnb-muted"}`, text: unsaved ? "unsaved" : kind })));
    })));
  } };
}

function newRail(shared) {
  const name = h("input", { class: "pnb-input", placeholder: "Name of a new one", "aria-label": "Name of a new guardrail" });
  const wrong = h("div", { class: "pnb-wrong", role: "alert", hidden: true });
  const add = () => {
    const given = name.value.trim();
    const taken = shared.rails.some((rail) => rail.name === given);
    wrong.hidden = Boolean(given) && !taken;
    wrong.textContent = taken ? `There is one named ${given}.` : "Give it a name.";
    if (!wrong.hidden) return;
    name.value = "";
    shared.picked = given;
    shared.set(`new:${given}`, { terms: [], replacement: "" });
  };
  name.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) add();
  });
  return h("div", { class: "pnb-stack pnb-tight" }, h("div", { class: "pnb-row pnb-nowrap" }, name, h("button", { class: "pnb-button", text: "Add", onclick: add })), wrong);
}

function railDetail(shared) {
  const root = h("div", { class: "pnb-stack pnb-wide" });
  let drawn = "", parts = [];

  function terms(rail) {
    const when = shared.state.when;
    const chips = h("div", { class: "pnb-row pnb-chips", role: "list", "aria-label": "Blocked terms" });
    const input = h("input", { class: "pnb-input", id: uid("term"), placeholder: "Another term, Enter adds it" });
    const now = () => shared.value(rail, "terms") || [];
    const add = () => {
      const given = input.value.split(/[\n;]/).map((term) => term.trim()).filter((term) => term && !now().includes(term));
      input.value = "";
      if (given.length) shared.write(rail, "terms", [...now(), ...given]);
    };
    input.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) add();
      if (event.key === "Backspace" && input.value === "" && now().length) shared.write(rail, "terms", now().slice(0, -1));
    });
    input.addEventListener("blur", add);
    const element = labelled({ label: "Blocked terms", when, help: "" }, input.id, chips, input);
    return { element, update() {
      state(element, input, rail, "terms");
      fill(chips, now().map((term) => h("span", { class: "pnb-chip", role: "listitem" }, h("span", { text: term }),
        h("button", { text: "×", "aria-label": `Take out ${term}`, onclick: () => { shared.write(rail, "terms", now().filter((each) => each !== term)); input.focus(); } }))));
      chips.hidden = now().length === 0;
    } };
  }

  function replacement(rail) {
    const input = h("textarea", { class: "pnb-input", id: uid("replacement"), rows: 2, placeholder: "I'm sorry, I can't respond to that.",
      oninput: () => shared.write(rail, "replacement", input.value) });
    const element = labelled({ label: "Said instead", when: shared.state.when, help: "It takes the place of the rest of the answer." }, input.id, input);
    return { element, update() {
      const value = shared.value(rail, "replacement");
      if (input.value !== value) input.value = value;
      state(element, input, rail, "replacement");
    } };
  }

  /** Changed, and wrong: as the fields of the other tabs show it. */
  function state(element, input, rail, part) {
    const whole = shared.error(rail, part), of = whole?.startsWith("replacement") ? "replacement" : "terms";
    const error = rail.added && part !== of ? undefined : whole;
    element.classList.toggle("pnb-changed", rail.added || shared.draft.has(`${part}:${rail.name}`));
    input.setAttribute("aria-invalid", String(Boolean(error)));
    const wrong = element.querySelector(".pnb-wrong");
    wrong.hidden = !error;
    wrong.textContent = error ?? "";
  }

  function build(rail) {
    const words = terms(rail), instead = replacement(rail);
    const remove = rail.added && h("button", { class: "pnb-button pnb-quiet pnb-little pnb-push", text: "Drop it",
      onclick: () => { shared.draft.drop(`new:${rail.name}`); shared.update(); shared.changed(); } });
    fill(root, h("div", { class: "pnb-row" }, h("h3", { text: rail.name }), remove),
      rail.check ? h("p", { class: "pnb-note" }, "Asks ", h("code", { text: `${rail.check}()` }),
        ` about each sentence with the one before. It is code: change it in its cell and run that again.${rail.fail_closed ? " Where it raises, it blocks." : ""}`) : null,
      words.element, instead.element);
    parts = [words, instead];
  }

  return { element: root, update() {
    const rail = shared.shown;
    root.hidden = !rail;
    if (!rail) return;
    const now = JSON.stringify([rail.name, rail.added, rail.check, rail.fail_closed]);
    if (now !== drawn) {
      drawn = now;
      build(rail);
    }
    for (const part of parts) part.update();
  } };
}

/** A text of one's own, what of it is blocked, and what a caller would hear. */
function testBox(shared) {
  const id = uid("try");
  const area = h("textarea", { class: "pnb-input", id, rows: 3, placeholder: "Write what the agent might say.", value: shared.text,
    oninput: () => { shared.text = area.value; shared.changed(); } });
  const ask = h("button", { class: "pnb-button", text: "Ask the checks", onclick: () => shared.check() });
  const outcome = h("div", { class: "pnb-stack pnb-tight", role: "status", "aria-live": "polite" });
  const element = h("div", { class: "pnb-panel pnb-stack" }, h("div", { class: "pnb-field" },
    h("div", { class: "pnb-label" }, h("label", { for: id, text: "Try it" }), h("span", { class: "pnb-when", text: "with what is unsaved; nothing is said to anybody" })), area),
    h("div", { class: "pnb-row" }, ask), outcome);

  function marked({ text, spans }) {
    const parts = [];
    let last = 0;
    for (const [start, end, name] of spans) {
      parts.push(text.slice(last, start), h("mark", { class: "pnb-blocked", title: `blocked by ${name}`, text: text.slice(start, end) }),
        h("span", { class: "pnb-blocked-by", text: name }));
      last = end;
    }
    return h("p", { class: "pnb-tested" }, parts, text.slice(last));
  }

  function heard({ text, spans, replacements }) {
    const [start, , name] = spans[0];
    return h("p", { class: "pnb-small" }, h("span", { class: "pnb-muted", text: "The caller hears: " }), text.slice(0, start), h("span", { class: "pnb-strong", text: replacements[name] }));
  }

  return { element, update() {
    if (area.value !== shared.text) area.value = shared.text;
    const { tested, checked } = shared;
    const checks = shared.rails.some((rail) => rail.check && shared.draft.value(`on:${rail.name}`));
    ask.parentElement.hidden = !checks;
    ask.disabled = shared.checking || !shared.text.trim() || shared.channel.gone;
    ask.textContent = shared.checking ? "Asking …" : "Ask the checks";
    ask.title = "Runs your functions";
    const lines = [];
    if (tested?.error) lines.push(h("div", { class: "pnb-wrong", text: tested.error }));
    else if (tested?.spans.length) lines.push(marked(tested), heard(tested));
    else if (tested) lines.push(h("p", { class: "pnb-small pnb-good", text: "No term is in it." }));
    if (checked?.error) lines.push(h("div", { class: "pnb-wrong", text: checked.error }));
    else if (checked) {
      lines.push(...(checked.said.length ? checked.said.map((said) => h("p", { class: `pnb-small ${said.blocks ? "pnb-bad" : "pnb-muted"}`,
        text: said.error ? `${said.name}: ${said.error}${said.blocks ? " So it blocks." : " So the sentence passes."}` : `${said.name} blocks “${said.sentence}”` }))
        : [h("p", { class: "pnb-small pnb-good", text: `${plural(checked.checks, "check")} asked, nothing blocked.` })]));
    }
    fill(outcome, lines);
  } };
}

export default () => {
  let shared;
  return {
    initialize({ model }) { shared = new GuardrailsEditing(model); },
    render({ el }) {
      return panelView(el, shared.channel, () => editingView(shared, el, (root) => {
        const list = railList(shared), detail = railDetail(shared), bar = actions(shared), box = testBox(shared);
        const none = h("div", { class: "pnb-wide" }, empty("No guardrails", "A guardrail keeps terms out of what is said, and says something else instead. Name one here, or write a check in a cell with @phone.guardrail."));
        fill(root, h("div", { class: "pnb-columns" }, h("div", { class: "pnb-stack pnb-aside-list" }, list.element, newRail(shared)), none, detail.element), bar.element, box.element);
        return () => {
          none.hidden = shared.rails.length > 0;
          list.element.hidden = !none.hidden;
          bar.element.hidden = !none.hidden;
          box.element.hidden = !none.hidden;
          for (const part of [list, detail, bar, box]) part.update();
        };
      }));
    },
  };
};
