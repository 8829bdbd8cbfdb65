// What the three tabs that edit share: a draft, orders that apply it, where the agent stands, and the bar of buttons.

const WHEN = { "next turn": "from next turn", "next call": "from next call", never: "never" };

/** What all views of one widget share: the draft, the orders, what went wrong. A tab says what a field is and holds. */
class Editing {
  constructor(model) {
    this.model = model;
    this.views = new Set();
    this.errors = {};
    this.swaps = new Map();
    this.channel = new Channel(model, () => this.update());
    this.draft = new Draft(`${this.state.place}:${this.state.tab}:${this.state.agent}`, (name) => this.base(name));
    model.on("change:state", () => { this.draft.settle(); this.update(); this.changed(); });
  }

  get state() { return this.model.get("state"); }

  /** For a tab to say: what a field holds without the draft (undefined: there is no such field), what it is called. */
  base(name) { return name; }
  label(name) { return name; }
  /** Called when the state or the draft is another one. */
  changed() {}

  set(name, value) {
    this.draft.set(name, value);
    delete this.errors[name];
    delete this.errors[""];
    this.update();
    this.changed();
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

  answered(answer) {
    this.errors = answer.ok ? {} : { [this.draft.has(answer.field) ? answer.field : ""]: answer.error };
  }

  /** The swap itself said so; the state that is read after it says the same, and a little later. */
  applied(told) {
    this.swaps.set(told.call_id, told);
    this.update();
  }

  /** The calls that are on, with what their swaps have said. */
  get calls() {
    return this.state.calls.map((call) => {
      const swap = this.swaps.get(call.id);
      return swap && swap.revision === call.staged ? { ...call, revision: swap.revision, since: swap.turn, staged: null } : call;
    });
  }

  revert() {
    this.draft.note = "";
    this.draft.drop(...this.draft.names);
    this.errors = {};
    this.update();
    this.changed();
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
  const { calls } = shared;
  const waiting = calls.find((call) => call.staged !== null);
  if (waiting) {
    const words = `Revision ${waiting.staged} is staged: the next reply begins with it, until then revision ${waiting.revision} speaks.`;
    return { state: "staged", tone: "accent", words };
  }
  const [call] = calls;
  if (call) {
    const since = call.since === null ? "since the call began" : `as of turn ${call.since}`;
    const others = calls.length > 1 ? ` So is revision ${listed(calls.slice(1).map((other) => String(other.revision)))} in other calls.` : "";
    return { state: "live", tone: "good", words: `Revision ${call.revision} is live ${since}.${others}` };
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
    line.dataset.state = shared.channel.gone ? "gone" : stands.state;
    line.dataset.revision = shared.state.revision;
    line.className = `pnb-row pnb-status pnb-${stands.tone}`;
    dot.classList.toggle("pnb-hollow", ["unsaved", "ready"].includes(stands.state));
    sentence.textContent = shared.channel.gone ? "The kernel has restarted." : stands.words;
    wrong.hidden = !shared.errors[""];
    wrong.textContent = shared.errors[""] ?? "";
    if (note.value !== shared.draft.note) note.value = shared.draft.note;
    const idle = shared.draft.empty || shared.channel.pending || shared.channel.gone;
    turn.disabled = call.disabled = idle;
    revert.disabled = shared.draft.empty;
  } };
}

/** A view of a tab that edits: `build()` puts its parts into `root` and returns what brings them up to date. */
function editingView(shared, el, build) {
  const root = h("div", { class: "pnb-stack pnb-body", onkeydown: (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      shared.apply("all calls");
    }
  } });
  const gone = h("div", { hidden: true }, goneNote("What you have written here and not applied is kept in this page."));
  el.append(gone, root);
  gone.className = "pnb-gone-note";
  const parts = build(root);
  const update = () => {
    gone.hidden = !shared.channel.gone;
    parts();
  };
  shared.views.add(update);
  update();
  return () => shared.views.delete(update);
}
