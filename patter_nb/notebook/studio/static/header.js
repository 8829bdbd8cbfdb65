// The line over the tabs: which agent, with what it hears, thinks and speaks, and whether it is on the phone.

const MAKE_ONE = `agent = phone.agent(
    "You are the receptionist of {company}.",
    stt=LocalSTT(), llm=DemoBrain(), tts=LocalTTS(),
    variables={"company": "Acme"},
)`;

function headerView(model, channel, el, views) {
  const root = h("div", {}), wrong = h("div", { class: "pnb-error", role: "alert", hidden: true });
  el.append(root, wrong);
  let calls = 0;

  async function choose(agent) {
    const answer = await channel.order("choose", { agent });
    wrong.hidden = answer.ok;
    wrong.textContent = answer.error ?? "";
    update();
  }

  function name(state) {
    if (state.names.length < 2) return h("span", { class: "pnb-agent-name", text: state.agent });
    const select = h("select", { class: "pnb-input pnb-agent-name", "aria-label": "Agent", onchange: () => choose(select.value) },
      state.names.map((each) => h("option", { value: each, text: each, selected: each === state.agent })));
    return select;
  }

  function onTheLine(state) {
    const dot = h("span", { class: `pnb-dot${state.calls.length ? "" : " pnb-hollow"}`, "aria-hidden": "true" });
    if (channel.gone) return h("span", { class: "pnb-badge pnb-bad" }, dot, "kernel gone");
    if (!state.calls.length) return h("span", { class: "pnb-badge" }, dot, "no call");
    const words = state.calls.length === 1 ? "on the phone" : `${state.calls.length} calls on`;
    return h("span", { class: "pnb-badge pnb-good" }, dot, words);
  }

  function update() {
    const state = model.get("state");
    if (calls && !state.calls.length) wrong.hidden = true; // it was refused because of a call, and there is none any more
    calls = state.calls.length;
    if (state.agent === null) {
      fill(root, h("div", { class: "pnb-body" }, channel.gone ? goneNote()
        : empty("No agent yet", "A studio changes an agent. Make one in a cell, and it appears here by itself.", MAKE_ONE)));
      return;
    }
    fill(root, h("div", { class: "pnb-head pnb-row" }, name(state),
      h("span", { class: "pnb-muted pnb-small pnb-clip", text: state.services.join(" → ") }),
      h("span", { class: "pnb-push" }), h("span", { class: "pnb-badge", text: `revision ${state.revision}` }), onTheLine(state)));
  }
  views.add(update);
  update();
  return () => views.delete(update);
}

export default () => {
  const views = new Set();
  let channel;
  return {
    initialize({ model }) {
      const update = () => views.forEach((view) => view());
      channel = new Channel(model, update);
      model.on("change:state", update);
    },
    render({ model, el }) { return panelView(el, channel, () => headerView(model, channel, el, views)); },
  };
};
