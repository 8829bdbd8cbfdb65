// The Calls tab: a table of calls, the turns of the chosen one, and the chosen turn.

const SETTLED_AFTER_MS = 700;
const QUICK_SECONDS = 0.4;
const SHOWN_ROWS = 150;

class CallsModel {
  constructor(model) {
    this.model = model;
    this.views = new Set();
    this.everything = false;
    this.calls = null;
    this.count = 0;
    this.seconds = 0;
    this.error = "";
    this.loading = false;
    this.stale = false;
    this.sort = { by: "at", down: true };
    this.filter = { agent: "", revision: "", kind: "" };
    this.callId = null;
    this.turns = null;
    this.first = 0;
    this.index = null;
    this.turn = null;
    this.plays = false;
    this.channel = new Channel(model, () => this.update());
    model.on("msg:custom", ({ kind }) => kind === "changed" && this.changed());
    this.load();
  }

  get state() { return this.model.get("state"); }
  get legend() { return this.state.legend; }

  ask(order, content) { return this.channel.order(order, content, () => {}, true); }

  /** Something is other than before: look again soon, where looking costs little. */
  changed() {
    if (this.everything && this.seconds > QUICK_SECONDS) {
      this.stale = true;
      this.update();
      return;
    }
    if (this.soon) return;
    this.soon = setTimeout(() => { this.soon = 0; this.load(); if (this.callId) this.loadTurns(); }, SETTLED_AFTER_MS);
  }

  async load() {
    if (this.loading) return;
    this.loading = true;
    this.update();
    const asked = this.everything, answer = await this.ask("calls", { everything: asked });
    this.loading = false;
    if (asked !== this.everything) return this.load();
    this.error = answer.ok ? "" : answer.error;
    this.stale = false;
    if (answer.ok) ({ calls: this.calls, count: this.count, seconds: this.seconds } = answer);
    else this.calls = [];
    if (this.callId === null && this.rows.length) this.choose(this.rows[0].id);
    return this.update();
  }

  async loadTurns() {
    const call = this.callId, answer = await this.ask("turns", { call });
    if (call !== this.callId) return;
    const before = this.turns?.length ?? 0;
    if (answer.ok) {
      ({ turns: this.turns, first: this.first } = answer);
      if (this.index === null && this.turns.length) this.pick(this.first + (this.turns.findIndex(({ kind }) => kind === "caller") + 1 || 1) - 1);
      else if (this.turns.length === before && this.index !== null && this.turn === null) this.pick(this.index);
    } else this.error = answer.error;
    this.update();
  }

  /** The calls that fit the filters, in their order. */
  get rows() {
    const { agent, revision } = this.filter, { by, down } = this.sort;
    const fits = (row) => (!agent || row.agent === agent) && (!revision || row.revisions.includes(Number(revision)));
    const value = (row) => (by === "revision" ? row.revisions.at(-1) : by === "usd" ? row.usd : row[by]);
    const order = (one, other) => {
      const [a, b] = [value(one), value(other)];
      if (!known(a) || !known(b)) return known(a) ? -1 : known(b) ? 1 : 0;
      return (a < b ? -1 : a > b ? 1 : 0) * (down ? -1 : 1);
    };
    return (this.calls ?? []).filter(fits).sort(order);
  }

  get shownTurns() {
    const { kind, revision } = this.filter;
    return (this.turns ?? []).map((turn, index) => ({ ...turn, index: index + this.first }))
      .filter((turn) => (!kind || turn.kind === kind) && (!revision || turn.revision === Number(revision)));
  }

  choose(callId) {
    if (callId === this.callId) return;
    this.callId = callId;
    this.turns = this.turn = this.index = null;
    this.update();
    this.loadTurns();
  }

  async pick(index, plays = false) {
    if (index === this.index && this.turn && plays) {
      for (const view of this.views) view.toggle();
      return;
    }
    this.index = index;
    this.plays = plays;
    this.update();
    const call = this.callId, answer = await this.ask("turn", { call, index });
    if (call !== this.callId || index !== this.index) return;
    this.turn = answer.ok ? answer.turn : null;
    this.error = answer.ok ? "" : answer.error;
    for (const view of this.views) view.turn();
    this.update();
  }

  switch(everything) {
    this.everything = everything;
    this.calls = null;
    this.callId = this.turns = this.turn = this.index = null;
    for (const view of this.views) view.turn();
    this.load();
  }

  update() { for (const view of this.views) view.update(); }
}

const COLUMNS = [
  ["at", "begun", "pnb-left"], ["agent", "agent", "pnb-left"], ["revision", "revision", ""], ["who", "with", "pnb-left"], ["seconds", "length", ""], ["turns", "turns", ""], ["gap_ms", "p50 gap", ""],
  ["usd", "cost", ""], ["ended", "ended", "pnb-left"],
];

function whenText(iso) {
  const at = new Date(iso), today = new Date().toDateString() === at.toDateString();
  return today ? timeText(iso) : `${at.toLocaleDateString([], { day: "numeric", month: "short" })} ${timeText(iso)}`;
}

/** Rows that keys walk through: arrows, Home and End choose, Enter and space open. */
function walkable(body, step, open) {
  body.addEventListener("keydown", (event) => {
    const to = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity }[event.key];
    if (to !== undefined) step(to);
    else if (event.key === "Enter" || event.key === " ") open();
    else return;
    event.preventDefault();
  });
}

function callsTable(shared) {
  const heads = COLUMNS.map(([key, text, side]) => h("th", { class: side, scope: "col" }, h("button", { class: "pnb-sorter", text, onclick: () => {
    shared.sort = { by: key, down: shared.sort.by === key ? !shared.sort.down : key !== "agent" };
    shared.update();
  } })));
  const body = h("tbody"), more = h("button", { class: "pnb-button pnb-quiet pnb-little", onclick: () => { shown += SHOWN_ROWS; drawn = ""; shared.update(); } });
  let shown = SHOWN_ROWS, drawn = "";
  const step = (by) => {
    const rows = shared.rows, now = rows.findIndex(({ id }) => id === shared.callId);
    const next = Math.min(rows.length - 1, Math.max(0, now + by));
    if (rows[next]) shared.choose(rows[next].id);
    body.children[next]?.focus();
  };
  walkable(body, step, () => document.activeElement?.click());
  const cells = (row) => [
    h("td", { class: "pnb-left", text: whenText(row.at), title: row.at }), h("td", { class: "pnb-left pnb-clip pnb-most", text: row.agent, title: row.agent }),
    h("td", { text: row.revisions.length > 1 ? `${row.revisions[0]}–${row.revisions.at(-1)}` : row.revisions[0] }),
    h("td", { class: "pnb-left pnb-clip pnb-most", text: row.who || row.kind, title: [row.kind, row.caller].filter(Boolean).join(", ") }),
    h("td", { text: known(row.seconds) ? clockText(row.seconds) : row.over ? "–" : row.standing || "in call" }), h("td", { text: row.turns }),
    h("td", { text: known(row.gap_ms) ? waitText(row.gap_ms) : "–" }), h("td", { text: row.usd_told, title: row.unknown.join("\n") || undefined }),
    h("td", { class: `pnb-left pnb-clip pnb-most ${row.error ? "pnb-bad" : ""}`, text: (row.error ? "failed" : row.ended.replaceAll("_", " ")) || "–", title: row.error || row.remarks.join("\n") || undefined }),
  ];
  return {
    element: h("div", { class: "pnb-scroll pnb-call-rows" }, h("table", { class: "pnb-table", "aria-label": "Calls" }, h("thead", {}, h("tr", {}, heads)), body), more),
    update() {
      const rows = shared.rows, now = JSON.stringify([rows.slice(0, shown), shown]);
      heads.forEach((head, index) => {
        const [key] = COLUMNS[index], is = shared.sort.by === key;
        head.setAttribute("aria-sort", is ? (shared.sort.down ? "descending" : "ascending") : "none");
      });
      if (now !== drawn) {
        const focused = body.contains(document.activeElement);
        drawn = now;
        fill(body, rows.slice(0, shown).map((row) => h("tr", { "data-call": row.id, tabindex: -1, onclick: () => shared.choose(row.id) }, cells(row))));
        if (focused) [...body.children].find(({ dataset }) => dataset.call === shared.callId)?.focus();
      }
      for (const row of body.children) {
        const is = row.dataset.call === shared.callId;
        row.classList.toggle("pnb-picked", is);
        row.setAttribute("aria-selected", is);
        row.tabIndex = is ? 0 : -1;
      }
      more.hidden = rows.length <= shown;
      more.textContent = `Show ${Math.min(SHOWN_ROWS, rows.length - shown)} more`;
    },
  };
}

/** Why a call has no turn to show. */
function noTurnText(row) {
  return row?.over ? ["This call has no turn.", row.error, ...row.remarks].filter(Boolean).join(" ") : "No turn of this call is closed yet.";
}

function turnsList(shared) {
  const list = h("div", { class: "pnb-turn-rows", role: "listbox", "aria-label": "Turns of the chosen call" });
  let drawn = "", picked = null;
  const step = (by) => {
    const turns = shared.shownTurns, now = turns.findIndex(({ index }) => index === shared.index);
    const next = turns[Math.min(turns.length - 1, Math.max(0, now + by))];
    if (next) shared.pick(next.index);
    [...list.children].find(({ dataset }) => Number(dataset.index) === next?.index)?.focus();
  };
  walkable(list, step, () => shared.index !== null && shared.pick(shared.index, true));
  const row = (turn, limit) => h("div", { class: "pnb-turn-row", role: "option", "data-index": turn.index, tabindex: -1, onclick: () => shared.pick(turn.index, true) },
    h("span", { class: "pnb-muted", text: turn.kind === "caller" ? turn.turn : "" }),
    h("div", { class: "pnb-two" },
      turn.kind === "caller" ? h("div", { class: "pnb-clip", text: turn.said || "(no words)", title: turn.said }) : null,
      h("div", { class: "pnb-clip pnb-small pnb-muted" }, turn.kind === "caller" ? null : badge(turn.kind), replyWords(turn).filter(Boolean).length ? replyWords(turn).filter(Boolean) : "(no reply)"),
      turn.error ? h("div", { class: "pnb-clip pnb-small pnb-bad", text: turn.error }) : null),
    turn.bar?.pieces.length ? h("div", { class: "pnb-little-bar" }, barDrawing(turn.bar, limit, shared.legend, 10)) : h("span"),
    h("span", { class: "pnb-turn-gap" }, known(turn.gap_ms) ? waitText(turn.gap_ms) : "–",
      h("span", { class: "pnb-turn-signs" }, turn.marks.includes("interrupted") ? h("span", { class: "pnb-accent", text: "cut", title: "interrupted" }) : null,
        turn.tools ? h("span", { text: plural(turn.tools, "tool") }) : null, turn.guardrails ? h("span", { class: "pnb-accent", text: "guardrail" }) : null)));
  return {
    element: list,
    update() {
      const turns = shared.shownTurns, now = JSON.stringify([shared.callId, turns]);
      if (now !== drawn) {
        const focused = list.contains(document.activeElement), limit = limitOf(turns.filter(({ bar }) => bar).map(({ bar }) => bar));
        drawn = now;
        let revision = null;
        fill(list, shared.first ? h("p", { class: "pnb-muted pnb-small", text: `${plural(shared.first, "earlier turn")}: see call.turns` }) : null, turns.flatMap((turn) => {
          const cut = revision !== null && turn.revision !== revision ? h("div", { class: "pnb-cut-row", text: `revision ${turn.revision} from here` }) : null;
          revision = turn.revision;
          return [cut, row(turn, limit)];
        }));
        if (focused) [...list.children].find(({ dataset }) => Number(dataset.index) === shared.index)?.focus();
      }
      for (const each of list.children) {
        if (!each.dataset.index) continue;
        const is = Number(each.dataset.index) === shared.index;
        each.classList.toggle("pnb-picked", is);
        each.setAttribute("aria-selected", is);
        each.tabIndex = is ? 0 : -1;
        if (is && picked !== shared.index) each.scrollIntoView({ block: "nearest" });
      }
      picked = shared.index;
      if (!turns.length) fill(list, h("p", { class: "pnb-muted pnb-small pnb-pad", text: shared.turns === null ? "Reading its turns …" : shared.turns.length ? "No turn fits the filters." : noTurnText(shared.rows.find(({ id }) => id === shared.callId)) }));
    },
  };
}

/** Which calls, and which of their turns. */
function toolbar(shared) {
  const button = (everything, text) => h("button", { class: "pnb-button pnb-little", text, onclick: () => shared.everything !== everything && shared.switch(everything) });
  const mine = button(false, "This phone"), all = button(true, "Everything stored");
  const field = (name, text, options) => {
    const select = h("select", { class: "pnb-input pnb-filter", "aria-label": text, onchange: () => { shared.filter[name] = select.value; shared.update(); } });
    let drawn = "";
    return { element: select, update() {
      const values = options(), now = JSON.stringify(values);
      if (now !== drawn) {
        drawn = now;
        fill(select, h("option", { value: "", text }), values.map((value) => h("option", { value, text: name === "revision" ? `revision ${value}` : value })));
      }
      if (!values.map(String).includes(shared.filter[name])) shared.filter[name] = "";
      select.value = shared.filter[name];
    } };
  };
  const each = (of) => [...new Set((shared.calls ?? []).flatMap(of))];
  const filters = [
    field("agent", "every agent", () => each(({ agent }) => [agent]).sort()),
    field("revision", "every revision", () => each(({ revisions }) => revisions).sort((a, b) => a - b)),
    field("kind", "every kind of turn", () => [...new Set((shared.turns ?? []).map(({ kind }) => kind))]),
  ];
  const count = h("span", { class: "pnb-muted pnb-small pnb-push", role: "status" });
  const again = h("button", { class: "pnb-button pnb-little", text: "Read again", onclick: () => shared.load() });
  return {
    element: h("div", { class: "pnb-row" }, h("div", { class: "pnb-row pnb-which", role: "group", "aria-label": "Which calls" }, mine, all), filters.map(({ element }) => element), count, again),
    update() {
      mine.setAttribute("aria-pressed", !shared.everything);
      all.setAttribute("aria-pressed", shared.everything);
      all.disabled = !shared.state.stores;
      all.title = shared.state.stores ? "" : "store=False: nothing is stored";
      filters.forEach((filter) => filter.update());
      const calls = shared.calls?.length ?? 0, rows = shared.rows.length;
      count.textContent = shared.channel.words || (shared.loading && shared.calls === null ? (shared.everything ? "Reading the store …" : "Reading …")
        : shared.count > calls ? `the newest ${calls} of ${wholeText(shared.count)} calls` : rows < calls ? `${rows} of ${plural(calls, "call")}` : plural(calls, "call"));
      again.hidden = !(shared.stale && !shared.loading);
    },
  };
}

function callsView(shared, root) {
  const bar = toolbar(shared), table = callsTable(shared), turns = turnsList(shared), detail = h("div", { class: "pnb-turn-place" });
  const gone = goneNote(), wrong = h("div", { class: "pnb-error", role: "alert" });
  const nothing = empty("No calls yet", "Each call of this phone gets a line here when it begins, with its turns, their sound and their cost.", "call = phone.test(agent, caller=[\"Hi, when is dinner?\", \"Thanks, bye.\"])");
  const none = empty("No call fits", "No call has this agent and this revision. Choose others above.");
  const halves = h("div", { class: "pnb-calls-halves" }, turns.element, detail);
  fill(root, gone, h("div", { class: "pnb-stack" }, bar.element, wrong, nothing, none, table.element, halves));
  let shown = null;
  const view = {
    turn() {
      shown?.stop();
      shown = shared.turn ? turnDetail(shared, shared.turn) : null;
      fill(detail, shown ? shown.element : null);
    },
    toggle() { shown?.toggle(); },
    update() {
      gone.hidden = !shared.channel.gone;
      bar.update();
      const rows = shared.rows, calls = shared.calls?.length ?? 0;
      wrong.hidden = !shared.error;
      wrong.textContent = shared.error;
      nothing.hidden = shared.calls === null || calls > 0 || Boolean(shared.error);
      none.hidden = !(calls && !rows.length);
      table.element.hidden = halves.hidden = !rows.length;
      if (rows.length && !rows.some(({ id }) => id === shared.callId)) shared.choose(rows[0].id);
      table.update();
      turns.update();
      if (!shared.turn && !shown) fill(detail, h("p", { class: "pnb-muted pnb-small pnb-pad", text: shared.index !== null ? "Reading the turn …" : shared.turns?.length === 0 ? "" : "Choose a turn to hear it." }));
    },
  };
  shared.views.add(view);
  view.turn();
  view.update();
  return () => {
    shown?.stop();
    shared.views.delete(view);
  };
}

export default () => {
  let shared;
  return {
    initialize({ model }) { shared = new CallsModel(model); },
    render({ el }) {
      el.classList.add("pnb-calls", "pnb-body");
      return panelView(el, shared.channel, () => callsView(shared, el));
    },
  };
};
