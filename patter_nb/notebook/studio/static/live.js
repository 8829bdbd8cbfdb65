// The live panel: who speaks, what is said, what it costs and what each turn's wait went to, while the call is on.

const BUSY_AFTER_MS = 2600;
const MOST_LINES = 200;

/** What all views of one widget share. */
class LiveModel {
  constructor(model) {
    this.model = model;
    this.views = new Set();
    this.calls = [];
    this.chosen = null;
    this.call = null;
    this.lines = new Map();
    this.bars = new Map();
    this.error = "";
    this.beat = performance.now();
    this.channel = new Channel(model, () => this.update());
    model.on("msg:custom", (message) => this.receive(message));
    this.channel.order("ready", {}, () => {}, true).then((answer) => {
      if (!answer.ok) return;
      ({ calls: this.calls, chosen: this.chosen } = answer);
      this.take(answer.all);
    });
  }

  get legend() { return this.model.get("state").legend; }
  get on() { return this.call !== null && ["connecting", "on"].includes(this.call.head.phase) && !this.channel.gone; }

  /** Whether it was on when the kernel went. */
  get lost() { return this.channel.gone && ["connecting", "on"].includes(this.call.head.phase); }

  receive(message) {
    if (message.kind === "calls") ({ calls: this.calls, chosen: this.chosen } = message);
    else if (message.kind === "all") return this.take(message.all);
    else if (message.kind === "frame" && this.call?.call === message.call) this.frame(message);
    else return undefined;
    return this.update();
  }

  /** The whole call, in place of what is here. */
  take(all) {
    this.call = all;
    this.lines = new Map((all?.lines ?? []).map((line) => [line.id, line]));
    this.bars = new Map((all?.bars ?? []).map((bar) => [bar.turn, bar]));
    this.error = "";
    this.touch(all?.at ?? 0);
    for (const view of this.views) view.reset();
    this.update();
  }

  frame({ at, lines, gone, bars, head, dropped }) {
    for (const id of gone) this.lines.delete(id);
    for (const line of lines) this.lines.set(line.id, line);
    for (const bar of bars) this.bars.set(bar.turn, bar);
    while (this.bars.size > 30) this.bars.delete(Math.min(...this.bars.keys()));
    if (head) this.call.head = head;
    this.call.dropped = dropped;
    this.touch(at);
    for (const view of this.views) view.lines(lines, gone);
  }

  touch(at) {
    this.beat = performance.now();
    this.beatAt = at;
  }

  /** Seconds of the call's clock now: what the kernel said last, and what has passed since. */
  get now() {
    const { head } = this.call;
    if (head.phase !== "on") return head.duration ?? 0;
    if (this.lost) return this.beatAt;
    return this.beatAt + (performance.now() - this.beat) / 1000;
  }

  get busy() { return this.on && performance.now() - this.beat > BUSY_AFTER_MS; }

  async order(order, content) {
    const answer = await this.channel.order(order, content);
    this.error = answer.ok ? "" : answer.error;
    this.update();
    return answer.ok;
  }

  update() { for (const view of this.views) view.update(); }
}

const PHASES = { connecting: "connecting", on: "in call", ended: "ended", failed: "failed" };

/** Where the call stands: on a telephone line it rings before it is on, and may end as it began. */
const standing = (head) => (head.phase === "on" ? "" : head.standing) || PHASES[head.phase];

/** What goes on at this moment, in two words. */
function doing(head) {
  if (head.phase === "connecting") return head.who ? "" : "getting ready";
  if (head.phase === "failed") return "";
  if (head.phase === "ended") return head.ending === head.standing ? "" : head.ending.replaceAll("_", " ");
  if (head.caller && head.agent) return "both speak";
  if (head.caller) return "caller speaks";
  if (head.agent) return "agent speaks";
  if (head.tools.length) return `tool ${head.tools.at(-1)} runs`;
  if (head.thinking || head.waiting_at !== null) return head.muted ? "agent is muted" : "agent prepares its reply";
  return head.muted ? "agent is muted" : "nobody speaks";
}

const mark = (text, kind = "") => h("span", { class: `pnb-mark ${kind}`, text });

/** One line of what happened. */
function lineElement(line) {
  const at = h("span", { class: "pnb-at", text: clockText(line.at) });
  const row = (kind, who, ...said) => h("div", { class: `pnb-line pnb-is-${kind}`, role: "listitem" }, at,
    h("span", { class: "pnb-who", text: who }), h("div", { class: "pnb-said" }, said.flat(2)));
  if (line.kind === "caller") {
    const words = [line.text, line.interim && h("span", { class: "pnb-interim", text: line.interim })].filter(Boolean);
    const spaced = words.flatMap((word, index) => (index ? [" ", word] : [word]));
    return row("caller", "caller", spaced.length ? spaced : h("span", { class: "pnb-interim", text: line.live ? "…" : "(no words)" }),
      line.over ? mark("over the agent") : null);
  }
  if (line.kind === "agent") {
    const said = line.text || (line.unheard || line.error ? "" : h("span", { class: "pnb-muted", text: "(no reply)" }));
    return row("agent", "agent", h("span", { class: line.live ? "pnb-coming" : "", title: line.live ? "given to the voice; how much of it is heard shows when the turn is over" : undefined, text: typeof said === "string" ? said : "" }),
      typeof said === "string" ? null : said, line.unheard ? [" ", h("del", { text: line.unheard })] : null,
      line.marks.map((text) => mark(text, text === "interrupted" ? "pnb-accent" : "")),
      line.error ? h("span", { class: "pnb-bad", text: ` ${line.error}` }) : null,
      line.gap ? h("span", { class: "pnb-gap", title: "from the caller's last word to the first sound of the reply", text: line.gap }) : null);
  }
  if (line.kind === "tool") {
    const state = { running: mark("running", "pnb-runs"), returned: mark(`${line.ms} ms`), failed: mark(`failed, ${line.ms} ms`, "pnb-bad"),
      unanswered: mark("never returned", "pnb-bad") }[line.state];
    const result = line.state === "running" ? line.progress : line.result;
    return row("tool", "tool", h("code", { text: `${line.name}(${line.arguments === "{}" ? "" : line.arguments})` }), " ", state,
      result ? h("div", { class: line.state === "failed" ? "pnb-bad" : "pnb-muted", text: `→ ${result}` }) : null);
  }
  if (line.kind === "guardrail") {
    return row("sign", "guardrail", h("span", { class: "pnb-accent", text: `${line.name} stopped the reply` }), ` at “${line.matched}”`,
      line.ms === "–" ? null : mark(`held ${line.ms} ms`));
  }
  if (line.kind === "revision") {
    return h("div", { class: "pnb-line pnb-is-cut", role: "listitem" },
      h("span", { text: `revision ${line.revision} from here${line.note ? `: ${line.note}` : ""}` }));
  }
  if (line.kind === "stall") {
    const what = line.cell === null ? "the notebook was busy" : `cell [${line.cell}] kept the notebook busy`;
    return row("sign", "stall", h("span", { class: "pnb-stalled", text: `${what} for ${line.ms} ms` }));
  }
  return row("sign", "", h("span", { class: "pnb-muted", text: line.text }));
}

/** The transcript: it stays at its end unless the reader has scrolled up. */
function transcript(shared) {
  const list = h("div", { class: "pnb-transcript", role: "log", tabindex: 0, "aria-label": "What is said and done in the call" });
  const earlier = h("div", { class: "pnb-earlier pnb-muted pnb-small", hidden: true });
  const down = h("button", { class: "pnb-button pnb-little pnb-down", hidden: true, text: "Newest ↓", onclick: () => { follow = true; end(); } });
  const elements = new Map();
  let follow = true;
  const end = () => { list.scrollTop = list.scrollHeight; down.hidden = true; };
  list.addEventListener("scroll", () => {
    follow = list.scrollHeight - list.scrollTop - list.clientHeight < 24;
    if (follow) down.hidden = true;
  });
  function put(line) {
    const made = lineElement(line);
    made.dataset.place = line.place;
    const before = elements.get(line.id);
    elements.set(line.id, made);
    if (before) return before.replaceWith(made);
    const next = [...list.children].findLast((child) => child.dataset.place && Number(child.dataset.place) < line.place);
    return (next ?? earlier).after(made);
  }
  function lines(changed, gone) {
    for (const id of gone) { elements.get(id)?.remove(); elements.delete(id); }
    for (const line of changed) put(line);
    while (elements.size > MOST_LINES) {
      const first = elements.keys().next().value;
      elements.get(first).remove();
      elements.delete(first);
    }
    if (follow) end();
    else if (changed.length) down.hidden = false;
  }
  return {
    element: h("div", { class: "pnb-talk" }, list, down),
    close: onWidth(list, () => follow && end()),  // also when its tab is shown
    lines,
    reset() {
      elements.clear();
      list.replaceChildren(earlier);
      follow = true;
      lines([...shared.lines.values()], []);
    },
    update() {
      const { dropped = 0 } = shared.call ?? {};
      earlier.hidden = !dropped;
      earlier.textContent = `${plural(dropped, "earlier line")} not shown here; the Calls tab has every turn.`;
    },
  };
}

/** The bars, and one that grows while the caller waits. */
function bars(shared) {
  const rows = h("div", { class: "pnb-bars" }), key = h("div"), scale = h("span", { class: "pnb-muted pnb-small pnb-push" });
  let drawn = "";
  function update() {
    const { head } = shared.call;
    const known = [...shared.bars.values()].sort((a, b) => a.turn - b.turn);
    const waits = shared.on && head.waiting_at !== null;
    const waited = waits ? Math.max(0, (shared.now - head.waiting_at) * 1000) : 0;
    const limit = limitOf([...known, ...(waits ? [{ length: waited }] : [])]);
    const now = JSON.stringify([known, limit]);
    if (now !== drawn) {
      drawn = now;
      fill(rows, known.map((bar) => h("div", { class: "pnb-bar-row", title: bar.label },
        h("span", { class: "pnb-muted", text: bar.turn }),
        bar.pieces.length ? barDrawing(bar, limit, shared.legend) : h("span", { class: "pnb-muted pnb-small pnb-clip", text: bar.told, title: bar.told }),
        bar.pieces.length ? h("span", { class: "pnb-total" }, bar.told, bar.cut ? h("span", { class: "pnb-accent", text: " cut", title: "the caller interrupted this reply" }) : null) : h("span"))));
      fill(key, legendRow(shared.legend, known));
      rows.append(growing);
      end();
    }
    growing.hidden = !waits;
    if (waits) {
      growing.firstChild.textContent = head.turns + 1;
      grown.style.width = `${Math.min(100, (waited / limit) * 100)}%`;
      growing.lastChild.textContent = waitText(Math.round(waited / 100) * 100);
    }
    scale.textContent = known.length || waits ? `0 to ${waitText(limit)}` : "";
    none.hidden = known.length > 0 || waits;
    none.textContent = shared.lost ? "" : shared.on ? "A bar comes with each turn of the caller." : "The caller took no turn.";
  }
  const end = () => { rows.scrollTop = rows.scrollHeight; };
  const grown = h("div", { class: "pnb-grows" });
  const growing = h("div", { class: "pnb-bar-row", hidden: true }, h("span", { class: "pnb-muted" }), h("div", {}, grown), h("span", { class: "pnb-total pnb-muted" }));
  const none = h("p", { class: "pnb-muted pnb-small" });
  rows.append(growing);
  return {
    element: h("div", { class: "pnb-stack pnb-tight" }, h("div", { class: "pnb-row pnb-baseline" }, h("h4", { text: "Reply gap by turn" }), scale), none, rows, key),
    update,
    close: onWidth(rows, end),
    reset() { drawn = ""; },
  };
}

const figure = (label, value, title) => h("div", { class: "pnb-figure", title }, h("span", { class: "pnb-muted pnb-small", text: label }), value);

/** What is known of the call at a glance, and what can be done to it. */
function header(shared) {
  const name = h("span", { class: "pnb-call-of" }), state = h("span", { class: "pnb-badge" }), now = h("span", { class: "pnb-doing", "aria-live": "polite" });
  const who = h("span", { class: "pnb-muted" });
  const chooser = h("select", { class: "pnb-input pnb-chooser", "aria-label": "Which call is shown", onchange: () => shared.order("choose", { call: chooser.value }) });
  const values = Object.fromEntries(["length", "revision", "turns", "cost", "stalls"].map((key) => [key, h("span", { class: "pnb-value" })]));
  const cost = figure("cost so far", values.cost, ""), stalls = figure("stalls", values.stalls, "time in which the notebook could not serve the call");
  const mute = h("button", { class: "pnb-button pnb-little", onclick: () => shared.order("mute", { on: !shared.call.head.muted }) });
  const end = h("button", { class: "pnb-button pnb-little pnb-danger", text: "Hang up", onclick: () => shared.order("hangup", {}) });
  const text = h("input", { class: "pnb-input", "aria-label": "What the agent shall say", placeholder: "Let the agent say …", onkeydown: (event) => event.key === "Enter" && say() });
  const speak = h("button", { class: "pnb-button pnb-little", text: "Say", onclick: () => say() });
  async function say() {
    if (!text.value.trim()) return;
    const words = text.value;
    text.value = "";
    if (!(await shared.order("say", { text: words }))) text.value = words;
  }
  const orders = h("div", { class: "pnb-row pnb-orders" }, text, speak, mute, end);
  let listed = "";
  return {
    element: h("div", { class: "pnb-stack pnb-tight" },
      h("div", { class: "pnb-row pnb-top" }, name, state, who, now, h("div", { class: "pnb-push" }, chooser)),
      h("div", { class: "pnb-figures" }, figure("time", values.length), figure("turns", values.turns), figure("revision", values.revision), cost, stalls, orders)),
    tick() { values.length.textContent = clockText(shared.now); },
    update() {
      const { head, agent } = shared.call;
      name.textContent = agent;
      state.textContent = shared.lost ? "lost" : standing(head);
      who.textContent = head.who;
      who.hidden = !head.who;
      state.className = `pnb-badge ${shared.on ? "pnb-good" : shared.lost || head.phase === "failed" ? "pnb-bad" : ""}`;
      now.textContent = shared.busy ? "The kernel is busy with a cell: what happens now shows when it is done." : shared.lost ? "" : doing(head);
      now.className = `pnb-doing ${shared.busy ? "pnb-waits" : head.caller && !head.agent ? "pnb-caller-speaks" : head.agent ? "pnb-agent-speaks" : ""}`;
      values.turns.textContent = head.turns;
      values.revision.textContent = head.revision ?? "–";
      values.cost.textContent = head.usd ?? "–";
      values.cost.classList.toggle("pnb-unknown", head.unknown.length > 0);
      cost.firstChild.textContent = shared.on ? "cost so far" : "cost";
      cost.title = head.unknown.length ? head.unknown.join("\n") : Object.entries(head.parts).map(([part, usd]) => `${part} ${usd}`).join(" · ");
      values.stalls.textContent = head.stalls ? waitText(head.stall_ms) : "none";
      values.stalls.classList.toggle("pnb-stalled", head.stalls > 0);
      orders.hidden = !shared.on;
      mute.textContent = head.muted ? "Unmute agent" : "Mute agent";
      mute.setAttribute("aria-pressed", head.muted);
      const { calls, chosen } = shared, now_ = JSON.stringify([calls, chosen]);
      if (now_ !== listed) {
        listed = now_;
        const label = ({ agent: of, state: is }, index) => `${index ? `${calls.length - index}` : "newest"} · ${of}${is === "running" ? " · in call" : ""}`;
        fill(chooser, h("option", { value: "", text: "Follow the newest call" }), calls.map((call, index) => h("option", { value: call.id, text: label(call, index) })));
        chooser.value = chosen ?? "";
        chooser.parentElement.hidden = calls.length < 2;
      }
    },
  };
}

function liveView(shared, root) {
  const head = header(shared), said = transcript(shared), waits = bars(shared);
  const gone = goneNote(), notes = h("div", { class: "pnb-stack pnb-tight" });
  const wrong = h("div", { class: "pnb-error", role: "alert" }), sent = h("span", { class: "pnb-muted pnb-small", role: "status" });
  const nothing = empty("No call yet", "Press Talk, or let a scripted caller ring. A call on a telephone line, or one that a cell starts, shows here as well.");
  const price = h("p", { class: "pnb-muted pnb-small" });
  const halves = h("div", { class: "pnb-halves" }, said.element, h("div", { class: "pnb-stack" }, waits.element, price));
  const call = h("div", { class: "pnb-stack" }, head.element, wrong, notes,
    halves);
  fill(root, gone, nothing, call, sent);

  let wasBusy = false;
  const view = {
    lines(changed, all) { said.lines(changed, all); },
    reset() { said.reset(); waits.reset(); },
    update() {
      gone.hidden = !shared.channel.gone;
      nothing.hidden = shared.call !== null;
      call.hidden = shared.call === null;
      sent.textContent = shared.channel.words;
      this.tick();
      if (shared.call === null) return;
      const { head: known } = shared.call;
      halves.hidden = !shared.on && !shared.lines.size && !shared.bars.size;
      head.update();
      said.update();
      waits.update();
      wrong.hidden = !(shared.error || known.error);
      wrong.textContent = shared.error || (known.error ? `The call failed: ${known.error}` : "");
      const dropped = known.phase === "ended" && /dropp/.test(known.ending);
      fill(notes, dropped ? h("div", { class: "pnb-warning", text: `The line was lost: ${known.ending.replace(/^call dropped: /, "")}. What was said until then is kept.` }) : null,
        known.notes.map((text) => h("div", { class: "pnb-note", text })));
      price.textContent = known.unknown.length ? `The cost is unknown: ${known.unknown.join("; ")}.` : "";
      notes.hidden = !notes.children.length;
    },
    tick() {
      if (shared.call === null) return;
      head.tick();
      if (shared.busy !== wasBusy) {
        wasBusy = shared.busy;
        head.update();
      }
      if (shared.on && shared.call.head.waiting_at !== null) waits.update();
    },
  };
  shared.views.add(view);
  view.reset();
  view.update();
  const timer = setInterval(() => shared.on && view.tick(), 200);
  return () => {
    clearInterval(timer);
    said.close();
    waits.close();
    shared.views.delete(view);
  };
}

export default () => {
  let shared;
  return {
    initialize({ model }) { shared = new LiveModel(model); },
    render({ el }) {
      el.classList.add("pnb-live");
      return panelView(el, shared.channel, () => liveView(shared, el));
    },
  };
};
