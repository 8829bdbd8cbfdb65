// Orders to the kernel. Each is numbered, sent again until it is answered, and carried out once.

const WAITING_AFTER_MS = 1000;
const AGAIN_AFTER_MS = [3000, 6000, 12000, 24000, 48000];

class Channel {
  /** `changed()` is called when an order was sent, waits, or was answered, and when the kernel has gone. */
  constructor(model, changed) {
    this.model = model;
    this.changed = changed;
    this.page = crypto.randomUUID ? crypto.randomUUID() : `${Math.random()}${performance.now()}`;
    this.last = 0;
    this.open = new Map();
    this.gone = false;
    this.cut = false; // whether the kernel that the model led to is no more
    this.listeners = new Map();
    model.on("msg:custom", (message) => this.receive(message));
    model.on("comm_live_update", () => setTimeout(() => this.check(), 0));
  }

  /** Order something. Resolves with the answer, `{ok, error?, ...}`; `told(message)` hears of its effects, as they come.
   *  `quiet`: nothing that somebody waits for. */
  order(order, content = {}, told = () => {}, quiet = false) {
    const number = (this.last += 1);
    return new Promise((resolve) => {
      const entry = { number, order, content, resolve, told, sentAt: performance.now(), waits: false, tries: 0, timer: 0, quiet };
      this.open.set(number, entry);
      this.listeners.set(number, told);
      if (this.listeners.size > 100) this.listeners.delete(this.listeners.keys().next().value);
      this.send(entry);
      setTimeout(() => {
        entry.waits = this.open.has(number);
        if (entry.waits) this.changed();
      }, WAITING_AFTER_MS);
      this.changed();
    });
  }

  /** Whether an order is on its way, and whether it is slow to be answered. */
  get pending() { return [...this.open.values()].some((entry) => !entry.quiet); }
  get waits() { return [...this.open.values()].some((entry) => entry.waits && !entry.quiet); }

  send(entry) {
    if (this.gone) return;
    const { number, order, content } = entry;
    try {
      this.model.send({ page: this.page, number, order, content });
    } catch {
      this.cut = true;
      this.check();
      return;
    }
    const pause = AGAIN_AFTER_MS[Math.min(entry.tries, AGAIN_AFTER_MS.length - 1)];
    entry.tries += 1;
    entry.timer = setTimeout(() => this.open.has(number) && this.send(entry), pause);
  }

  receive(message) {
    if (message.page !== this.page) return;
    if (message.kind !== "answer") {
      this.listeners.get(message.number)?.(message);
      return;
    }
    const entry = this.open.get(message.number);
    if (!entry) return;
    this.open.delete(message.number);
    clearTimeout(entry.timer);
    entry.resolve(message);
    this.changed();
  }

  /** Whether the kernel's side is there: the page's own word, and that of the studio's softphone, which has a socket to it. */
  check(element = this.element) {
    this.element = element;
    const phone = element?.closest(".pnb-studio")?.querySelector(".pnb-phone.pnb-kernel-gone");
    const gone = this.cut || Boolean(phone || element?.closest(".jupyter-widgets-disconnected"));
    if (gone === this.gone) return;
    this.gone = gone;
    if (!gone) for (const entry of this.open.values()) this.send(entry);
    this.changed();
  }

  /** What stands beside the buttons while an order is on its way; empty when none is. */
  get words() {
    if (this.gone) return "";
    if (this.waits) return "Sent, waiting for the kernel: it is busy with a cell.";
    return this.pending ? "Sent …" : "";
  }
}

/** What stands over a front end whose kernel has gone. */
function goneNote(lost = "") {
  return h("div", { class: "pnb-error", role: "alert" },
    `The kernel has restarted, and this studio went with it. Run its cells again. ${lost}`.trim());
}

/** A view of a panel in its element; keys pressed in it are its own, and not the notebook's. */
function panelView(el, channel, view) {
  el.classList.add("pnb-ui");
  el.dataset.lmSuppressShortcuts = "true";
  const end = view();
  const observer = new MutationObserver(() => channel.check(el));
  observer.observe(el, { attributes: true, attributeFilter: ["class"] });
  const look = () => channel.check(el);
  document.addEventListener("pnb-kernel", look);
  channel.check(el);
  return () => {
    document.removeEventListener("pnb-kernel", look);
    observer.disconnect();
    end?.();
  };
}
