// What one sees of a softphone and presses on it. The kernel's state and the page's own troubles go in, one view comes out.

const ICONS = {
  phone: "M6.2 3.5h3l1.7 4.6-2.3 1.8a11.5 11.5 0 0 0 5.5 5.5l1.8-2.3 4.6 1.7v3c0 1.4-1.1 2.5-2.5 2.4C10.5 19.7 4.3 13.5 3.8 6 3.7 4.6 4.8 3.5 6.2 3.500z",
  mic: "M12 3a3 3 0 0 1 3 3v5a3 3 0 0 1-6 0V6a3 3 0 0 1 3-3zM5.5 11a6.5 6.5 0 0 0 13 0M12 17.500V21",
  crossed: "M12 3a3 3 0 0 1 3 3v5a3 3 0 0 1-6 0V6a3 3 0 0 1 3-3zM5.5 11a6.5 6.5 0 0 0 13 0M12 17.500V21M4 4l16 16",
  keys: "M6 6h.01M12 6h.01M18 6h.01M6 12h.01M12 12h.01M18 12h.01M6 18h.01M12 18h.01M18 18h.01",
  loud: "M4 9.500h3.500L12 5.500v13l-4.5-4H4zM15.5 9a4.2 4.2 0 0 1 0 6M18 6.500a7.8 7.8 0 0 1 0 11",
};

const KEYS = {
  1: [697, 1209], 2: [697, 1336], 3: [697, 1477], 4: [770, 1209], 5: [770, 1336], 6: [770, 1477],
  7: [852, 1209], 8: [852, 1336], 9: [852, 1477], "*": [941, 1209], 0: [941, 1336], "#": [941, 1477],
};
const PAD = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "0", "#"];

const TROUBLES = {
  refused: [
    "The microphone is not allowed",
    "Allow it for this page: the sign before the address, Site settings, Microphone. Then press Talk again.",
  ],
  "no device": ["No microphone was found", "Connect one, or choose one in the system's sound settings. Then press Talk again."],
  lost: ["The microphone is gone", "The agent hears silence. Connect it again, hang up, and press Talk."],
  "in use": ["The microphone cannot be opened", "Another program may be using it: close that program. Then press Talk again."],
  insecure: [
    "This page may not use a microphone",
    "Browsers give one to pages on https or on this machine only. Open the notebook as http://localhost, or through https.",
  ],
  framed: ["A microphone cannot be used inside this editor", "Open the softphone in a browser; it is the same telephone."],
  silent: ["The browser plays no sound yet", "It waits for a click on this page: press the button once more."],
};

const WAYS = {
  direct: ["direct", "Audio goes straight to the kernel, over a socket on this machine."],
  page: ["direct", "Audio goes straight to the kernel, over a socket on this machine."],
  proxy: ["through the server", "Audio goes through the notebook's server, over jupyter-server-proxy."],
  comm: [
    "slow way",
    "No socket to the kernel was to be had, so audio goes over the notebook's own messages, some 0.1 s later. "
      + "Where the kernel is on another machine, pip install jupyter-server-proxy gives a faster way.",
  ],
};

function framed() {
  // Whether the page around us keeps the microphone from us, as an editor's or a portal's frame does.
  return location.protocol.startsWith("vscode") || document.featurePolicy?.allowsFeature("microphone") === false;
}

function make(tag, { text, ...attributes } = {}, ...children) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.append(document.createElementNS("http://www.w3.org/2000/svg", "path"));
  svg.firstChild.setAttribute("d", ICONS[name]);
  return svg;
}

const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
const PRESS_MS = 15_000; // how long the kernel may take to answer a press of Talk

function sentence(text) {
  // A few words as a sentence. An error is one already: it may begin with the name of a field, which stays as it is.
  if (!text) return "";
  const words = /[.:_=]/.test(text) ? text : `${text[0].toUpperCase()}${text.slice(1)}`;
  return /[.!?]$/.test(words) ? words : `${words}.`;
}

class Panel {
  constructor(model) {
    this.remote = { state: "idle", reason: "", holder: "", agent: "", muted: false, can_talk: false };
    this.trouble = "";
    this.asking = false; // whether the browser asks its user for the microphone
    this.pressed = 0; // the timer of a press of Talk that the kernel has not answered
    this.tuned = false;
    this.wishes = 0; // how often listening was begun or ended
    this.since = 0;
    this.peak = [0, 0];
    this.build();
    this.engine = new Engine({
      frame: (bytes) => this.carrier.frame(bytes),
      mark: (name) => this.carrier.mark(name),
      levels: (microphone, ears) => this.hear(microphone, ears),
      lost: () => this.show("lost"),
    });
    this.link = new Link(model, {
      message: (message) => this.take(message),
      changed: () => this.render(),
      lost: () => this.cut(),
    });
    this.carrier = new Carrier((text) => this.link.stream(text), this.engine);
    this.ticks = setInterval(() => this.tick(), 100);
    this.render();
  }

  // What is there.

  build() {
    this.dot = make("span", { class: "pnb-dot" });
    this.title = make("span", { class: "pnb-strong pnb-clip" });
    this.time = make("span", { class: "pnb-muted pnb-phone-time", "aria-label": "Length of the call" });
    this.way = make("span", { class: "pnb-badge pnb-push" });
    this.main = make("button", { type: "button", class: "pnb-button pnb-phone-main", onclick: () => this.press() });
    this.mute = make("button", { type: "button", class: "pnb-button", onclick: () => this.toggleMute() });
    this.meters = [this.meter("You"), this.meter("Agent")];
    this.keys = make(
      "button",
      { type: "button", class: "pnb-button pnb-phone-icon", "aria-label": "Keys", title: "Keys", onclick: () => this.fold() },
      icon("keys"),
    );
    this.volume = make("input", {
      type: "range", min: "0", max: "1.5", step: "0.05", value: "1", "aria-label": "Volume", title: "Volume",
      oninput: () => this.engine.setVolume(Number(this.volume.value)),
    });
    this.status = make("p", { class: "pnb-small pnb-muted pnb-phone-status", role: "status" });
    this.note = make("div", { class: "pnb-warning", role: "alert", hidden: true });
    this.pad = make("div", { class: "pnb-phone-pad", hidden: true }, ...PAD.map((key) => this.key(key)));
    this.panel = make(
      "div",
      {
        class: "pnb-ui pnb-surface pnb-phone", role: "group", "aria-label": "Softphone", tabindex: "-1",
        "data-lm-suppress-shortcuts": "true", onkeydown: (event) => this.typed(event),
      },
      make("div", { class: "pnb-row pnb-phone-head" }, this.dot, this.title, this.time, this.way),
      make(
        "div",
        { class: "pnb-row pnb-phone-row" },
        this.main,
        this.mute,
        make("div", { class: "pnb-phone-meters", "aria-hidden": "true" }, ...this.meters.map((meter) => meter.row)),
        this.keys,
        make("label", { class: "pnb-phone-volume" }, icon("loud"), this.volume),
      ),
      this.status,
      this.note,
      this.pad,
    );
  }

  meter(name) {
    const bar = make("span", { class: "pnb-phone-level" });
    const label = make("span", { text: name });
    return { bar, label, row: make("div", { class: "pnb-phone-meter" }, label, make("span", { class: "pnb-phone-scale" }, bar)) };
  }

  key(name) {
    return make("button", { type: "button", class: "pnb-button", text: name, "aria-label": `Key ${name}`, onclick: () => this.dial(name) });
  }

  // What is seen.

  get mine() {
    return this.remote.holder === this.link.page;
  }

  get isTalking() {
    return this.mine && ["calling", "connecting", "talking"].includes(this.remote.state);
  }

  view() {
    // Sign, title, status, and what the main button does; "" for nothing.
    const { state, agent, reason, can_talk: canTalk } = this.remote;
    const { health } = this.link;
    const to = agent || "the agent";
    if (health === "refused" || state === "closed") return ["", "This softphone is closed", "Run the cell that shows it again.", ""];
    if (health === "gone") return ["bad", "The kernel does not answer", "It was stopped or restarted. Run the cell that shows this again.", ""];
    if (health === "connecting") return ["", "Connecting to the kernel", "", ""];
    if (this.pressed) return ["accent", `Calling ${to}`, "", "Hang up"];
    if (this.asking) return ["accent", "Waiting for the microphone", "The browser asks whether this page may use it.", ""];
    switch (state) {
      case "ringing":
        return ["accent", `${to} is ready for your call`, "Press Talk.", "Talk"];
      case "calling":
      case "connecting":
        return ["accent", `Calling ${to}`, "It answers as soon as its models are ready.", "Hang up"];
      case "talking":
        if (!this.mine) return ["good", `On a call with ${to}`, "You talk on another page.", "Hang up"];
        return ["good", `On a call with ${to}`, this.remote.muted ? "You are muted: the agent hears silence." : this.speak(), "Hang up"];
      case "listening":
        return ["good", `A call with ${to}`, this.tuned ? "You hear both sides." : "Press Listen to hear both sides.", this.tuned ? "Stop" : "Listen"];
      case "dropped":
        return ["bad", "Call dropped", this.over(canTalk, reason.replace(/^call dropped: /, "")), canTalk ? "Talk" : ""];
      case "ended":
        return ["", "Call over", this.over(canTalk, reason), canTalk ? "Talk" : ""];
      default:
        return ["", "No call", canTalk ? "Press Talk to call." : "phone.test(agent, caller=softphone) rings here.", canTalk ? "Talk" : ""];
    }
  }

  speak() {
    return this.link.name === "comm" ? "Speak. Audio takes the slow way, over the notebook's own messages." : "Speak.";
  }

  over(canTalk, reason) {
    return `${sentence(reason)} ${canTalk ? "Press Talk to call again." : "Run the cell again for another call."}`.trim();
  }

  render() {
    if (!this.link) return;
    this.tellGone();
    const busy = this.link.health === "busy";
    const [sign, title, status, action] = busy && !this.remote.agent && !this.link.name
      ? ["accent", "Connecting to the kernel", "", ""]
      : this.view();
    this.dot.className = `pnb-dot ${busy ? "pnb-accent" : sign ? `pnb-${sign}` : "pnb-muted pnb-hollow"}`;
    this.title.textContent = title;
    this.status.textContent = busy ? "The kernel is busy. It goes on here when its cell is done." : status;
    this.status.classList.toggle("pnb-accent", busy);
    this.button(action);
    const talking = this.remote.state === "talking" && this.mine;
    this.mute.disabled = !talking;
    this.mute.setAttribute("aria-pressed", String(talking && this.remote.muted));
    this.mute.replaceChildren(icon(talking && this.remote.muted ? "crossed" : "mic"), talking && this.remote.muted ? "Muted" : "Mute");
    for (const key of this.pad.children) key.disabled = !talking;
    this.keys.setAttribute("aria-expanded", String(!this.pad.hidden));
    this.meters[0].label.textContent = this.remote.state === "listening" ? "Caller" : "You";
    this.showWay();
    this.showTrouble();
  }

  tellGone() {
    // To what else is shown around it, a studio: a socket knows that the kernel is gone where the page does not.
    const gone = this.link.health === "gone";
    if (gone === this.panel.classList.contains("pnb-kernel-gone")) return;
    this.panel.classList.toggle("pnb-kernel-gone", gone);
    this.panel.dispatchEvent(new CustomEvent("pnb-kernel", { bubbles: true }));
  }

  button(action) {
    const end = action === "Hang up";
    this.main.className = `pnb-button pnb-phone-main ${end ? "pnb-phone-end" : action === "Stop" ? "" : "pnb-phone-talk"}`;
    this.main.title = action === "Stop" ? "Stop listening; the call goes on" : "";
    this.main.disabled = !action;
    if (this.main.dataset.action === action) return;
    this.main.dataset.action = action;
    this.main.replaceChildren(icon(action === "Listen" || action === "Stop" ? "loud" : "phone"), action || "Talk");
  }

  showWay() {
    const [name, why] = WAYS[this.link.name] ?? ["", ""];
    this.way.textContent = name;
    this.way.title = why;
    this.way.hidden = !name || this.link.name !== "comm";
    this.way.classList.toggle("pnb-accent", this.link.name === "comm");
  }

  showTrouble() {
    this.note.hidden = !this.trouble;
    if (this.note.dataset.trouble === this.trouble) return;
    this.note.dataset.trouble = this.trouble;
    const [what, remedy] = TROUBLES[this.trouble] ?? ["", ""];
    const parts = [make("strong", { text: what }), document.createTextNode(`. ${remedy}`)];
    if (this.link.at && this.trouble !== "silent" && (this.trouble === "framed" || LOOPBACK.test(location.hostname))) {
      const href = `http://127.0.0.1:${this.link.at.port}/softphone?phone=${this.link.at.phone}#${this.link.at.token}`;
      parts.push(" ", make("a", { text: "Open the softphone in a page", href, target: "_blank", rel: "noopener" }));
    }
    this.note.replaceChildren(...parts);
  }

  show(trouble) {
    this.trouble = trouble;
    this.render();
  }

  hear(microphone, ears) {
    const you = this.remote.state === "listening" ? ears[0] : microphone;
    this.peak = [Math.max(this.peak[0], you), Math.max(this.peak[1], ears[1])];
  }

  tick() {
    this.peak.forEach((peak, number) => {
      const share = Math.max(0, Math.min(1, 1 + (20 * Math.log10(peak + 1e-6)) / 54));
      this.meters[number].bar.style.transform = `scaleX(${share.toFixed(3)})`;
    });
    this.peak = [0, 0];
    if (this.since) this.time.textContent = clock((performance.now() - this.since) / 1000);
  }

  // What is done.

  press() {
    const action = this.main.dataset.action;
    if (action === "Talk") this.talk();
    else if (action === "Hang up") this.hangUp();
    else if (action === "Listen" || action === "Stop") this.tune(action === "Listen");
  }

  async talk() {
    // The microphone first, within the click: a call without one rings on.
    this.asking = true;
    this.show("");
    let trouble = "";
    try {
      await this.engine.open({ microphone: true });
    } catch (error) {
      trouble = error.message !== "silent" && framed() ? "framed" : error.message;
      this.engine.close();
    }
    this.asking = false;
    this.show(trouble === "closed" ? "" : trouble);
    if (trouble) return;
    this.panel.focus({ preventScroll: true }); // for the keys
    this.pressed = setTimeout(() => this.settle(), PRESS_MS);
    this.link.say("talk");
    this.render();
  }

  settle() {
    // The press of Talk is answered, or nobody waits for it any more.
    clearTimeout(this.pressed);
    this.pressed = 0;
    if (!this.isTalking) this.rest();
    this.render();
  }

  hangUp() {
    if (this.carrier.open) this.carrier.stop();
    else this.link.say("hangup");
    if (this.pressed) this.settle();
  }

  async tune(on) {
    // The button says at once what was wished, so that a second press while the sound opens is not taken for its opposite.
    const wish = ++this.wishes;
    this.tuned = on;
    this.show("");
    let trouble = "";
    try {
      if (on) await this.engine.open({ microphone: false });
      else this.engine.close();
    } catch (error) {
      trouble = error.message;
    }
    if (wish !== this.wishes) return; // closed or pressed again meanwhile
    this.tuned = on && !trouble;
    this.show(trouble);
    if (!trouble) this.link.say("tune", { on });
  }

  toggleMute() {
    this.remote.muted = !this.remote.muted;
    this.engine.order({ muted: this.remote.muted });
    this.link.say("mute", { on: this.remote.muted });
    this.render();
  }

  dial(key) {
    if (!this.carrier.open) return;
    this.carrier.press(key);
    this.engine.beep(KEYS[key]);
  }

  fold() {
    this.pad.hidden = !this.pad.hidden;
    this.render();
  }

  typed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in KEYS && this.carrier.open) this.dial(event.key);
    else if (event.key.toLowerCase() === "m" && !this.mute.disabled) this.toggleMute();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  // What comes from the kernel.

  take(message) {
    switch (message.event) {
      case "state":
        return this.changed(message);
      case "open":
        return this.answered(message);
      case "closed":
        return this.carrier.end();
      case "listen":
        return this.engine.order({ play: unb64(message.caller), right: unb64(message.agent) });
      case "media":
      case "mark":
      case "clear":
        return this.carrier.take(message);
    }
  }

  answered({ parameters }) {
    if (!this.engine.node) return this.hangUp(); // its microphone is gone, so nobody would be heard
    this.engine.order({ muted: false });
    this.carrier.start(parameters);
  }

  changed(state) {
    const before = this.remote;
    this.remote = state;
    const on = state.state === "talking" || state.state === "listening";
    if (on && before.state !== state.state) Object.assign(this, { since: performance.now(), tuned: false });
    if (!on && this.since) Object.assign(this, { since: 0 });
    if (["idle", "ringing", "calling"].includes(state.state)) this.time.textContent = "";
    this.link.busyComm = state.state === "connecting" || state.state === "talking";
    // Until the press of Talk is answered, what comes may have been sent before it.
    if (this.pressed && (state.holder || ["listening", "closed"].includes(state.state))) this.settle();
    if (!this.isTalking && !this.asking && !this.pressed && !(state.state === "listening" && this.tuned)) this.rest();
    if (state.state === "listening" && before.state !== "listening" && navigator.userActivation?.hasBeenActive) this.tune(true);
    else this.render();
  }

  rest() {
    // Let go of the microphone: nobody is listened to while no call is on.
    if (this.carrier.open) this.carrier.end();
    if (this.engine.context) this.engine.close();
    this.tuned = false;
    this.wishes += 1;
  }

  cut() {
    // The way of the audio is gone, and the call with it.
    clearTimeout(this.pressed);
    this.pressed = 0;
    const talking = this.carrier.open || this.mine;
    this.rest();
    if (talking) this.remote = { ...this.remote, state: "dropped", reason: "the connection to the kernel was lost", holder: "" };
    this.render();
  }

  close() {
    clearInterval(this.ticks);
    clearTimeout(this.pressed);
    this.link.close();
    this.engine.close();
    this.panel.remove();
  }
}

const KEPT_MS = 5000;

class Views {
  // All places of a page where one widget is shown, each with a panel. A call outlives its view: it goes on in another one, or in
  // the one that is there a moment later, when a cell was run again.
  constructor(model) {
    this.model = model; // not that of a view, which hears nothing once its view is gone
    this.places = new Set();
    this.kept = null;
  }

  add(root) {
    clearTimeout(this.end);
    const place = { root, panel: this.kept ?? new Panel(this.model) };
    this.kept = null;
    this.places.add(place);
    root.append(place.panel.panel);
    return () => this.remove(place);
  }

  remove(place) {
    this.places.delete(place);
    const { panel } = place;
    const [next] = this.places;
    if (!panel.isTalking) panel.close();
    else if (next) {
      next.panel.close();
      next.panel = panel;
      next.root.append(panel.panel);
    } else {
      this.kept = panel;
      this.end = setTimeout(() => this.close(), KEPT_MS);
    }
  }

  close() {
    clearTimeout(this.end);
    this.kept?.close();
    this.kept = null;
  }
}

function mount(root, model) {
  return new Views(model).add(root);
}

export { Carrier, Engine, Panel, mount };
export default () => {
  let views;
  return {
    initialize({ model }) {
      views = new Views(model);
      return () => views.close();
    },
    render: ({ el }) => views.add(el),
  };
};
