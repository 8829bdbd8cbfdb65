// The ways from a page to the kernel. A way is a socket straight to our server, a socket through the notebook's own server, or the
// widget's comm, in this order; a page of our own server has the first one only.

const BATCH = 3; // frames in one message over a comm
const BATCH_MS = 100; // how long one of them waits at most
const MOST_WAITING = 1_000_000; // bytes that a socket may have unsent, a minute of frames; more are dropped
const BEAT_MS = 1000;
const BUSY_MS = 2500;
const PATIENCE_MS = 4000; // for a socket, once the kernel has shown on the comm that it is not busy

const canWait = (text) => /^{"event":"(media|mark)"/.test(text); // a mark is dated by the frame before it
const isMedia = (text) => text.startsWith('{"event":"media"');
const LOOPBACK = /^(localhost|.*\.localhost|127(\.\d+){3}|\[::1\])$/;

function baseUrl() {
  // Where the notebook's server has its root, under a prefix or not; as its page says it.
  const given = document.getElementById("jupyter-config-data")?.textContent;
  let base = document.body.dataset.baseUrl;
  try {
    base = (given && JSON.parse(given).baseUrl) || base;
  } catch {
    // A page that says it otherwise.
  }
  return base ? new URL(base.endsWith("/") ? base : `${base}/`, location.href) : null;
}

function socketWays({ port, phone }) {
  // The addresses to try, best first.
  const ways = [];
  const query = `softphone/line?phone=${encodeURIComponent(phone)}`;
  if (LOOPBACK.test(location.hostname)) ways.push({ name: "direct", url: `ws://127.0.0.1:${port}/${query}` });
  const base = baseUrl();
  if (base && /^https?:$/.test(base.protocol)) {
    const url = new URL(`proxy/${port}/${query}`, base);
    url.protocol = url.protocol.replace("http", "ws");
    ways.push({ name: "proxy", url: url.href });
  }
  return ways;
}

class Socket {
  // `ready` comes when the kernel has let us in, and fails when it has not. `on.text(text)`, `on.lost(code)` after that.
  constructor(url, hello, on) {
    this.socket = new WebSocket(url);
    this.ready = new Promise((resolve, reject) => {
      let welcome = false;
      this.socket.onopen = () => this.socket.send(JSON.stringify({ event: "hello", ...hello }));
      this.socket.onmessage = ({ data }) => {
        if (welcome) return on.text(data);
        welcome = data === '{"event":"welcome"}';
        if (welcome) resolve(this);
      };
      this.socket.onclose = ({ code }) => (welcome ? on.lost(code) : reject(new Error(String(code))));
    });
  }

  send(text) {
    if (this.socket.readyState !== WebSocket.OPEN) return false;
    if (this.socket.bufferedAmount > MOST_WAITING && isMedia(text)) return false;
    this.socket.send(text);
    return true;
  }

  close() {
    this.socket.onclose = null;
    this.socket.close(1000);
  }
}

class Comm {
  // The widget's comm: all views of one widget hear all of it, so messages say whom they are for.
  constructor(model, page, on) {
    this.model = model;
    this.page = page;
    this.on = on;
    this.texts = [];
    this.timer = null;
    this.dead = false;
    this.came = (content) => {
      if (content?.to === page) for (const text of content.texts) on.text(text);
    };
    model.on("msg:custom", this.came);
  }

  send(text) {
    this.texts.push(text);
    // Frames are the clock: timers of a page that is out of sight are late.
    if (!canWait(text) || this.texts.length >= BATCH) this.flush();
    else this.timer ??= setTimeout(() => this.flush(), BATCH_MS);
    return true;
  }

  flush() {
    clearTimeout(this.timer);
    this.timer = null;
    const texts = this.texts.splice(0);
    if (this.dead) return;
    try {
      this.model.send({ page: this.page, texts });
    } catch {
      this.dead = true; // the kernel that it led to is no more
      this.on.lost();
    }
  }

  close() {
    this.send('{"event":"bye"}');
    this.model.off("msg:custom", this.came);
  }
}

class Link {
  // `on.message(message)` for what comes; `on.changed()` when `name` or `health` are other ones; `on.lost()` when the way of the
  // audio is gone. `health` is "connecting", "well", "busy", "refused" or "gone".
  constructor(model, on) {
    this.on = on;
    this.page = hex(8);
    this.name = "";
    this.health = "connecting";
    this.socket = null;
    this.closed = false;
    this.over = false;
    this.tries = 0;
    this.answered = performance.now();
    this.lostAt = 0;
    this.comm = model ? new Comm(model, this.page, { text: (text) => this.text(text), lost: () => this.gone() }) : null;
    this.beats = setInterval(() => this.beat(), BEAT_MS);
    this.greetings = 0;
    if (this.comm) this.greet();
    else this.connect([this.ownWay()], { token: location.hash.slice(1), control: true });
  }

  ownWay() {
    const url = new URL("softphone/line", location.href);
    url.protocol = url.protocol.replace("http", "ws");
    url.search = new URLSearchParams({ phone: new URLSearchParams(location.search).get("phone") ?? "" });
    return { name: "page", url: url.href };
  }

  say(event, data) {
    // About the softphone: over the comm where there is one.
    (this.comm ?? this.socket)?.send(JSON.stringify({ event, ...data }));
  }

  stream(text) {
    // Of the media stream. False when it could not be sent.
    return (this.socket ?? (this.name === "comm" ? this.comm : null))?.send(text) ?? false;
  }

  text(text) {
    let message;
    try {
      message = JSON.parse(text);
    } catch {
      return; // no message of ours
    }
    if (message.event === "pong") return this.beaten();
    if (message.event === "here") return this.here(message);
    if (message.event === "state") this.over = message.state === "closed"; // nobody is there any more
    this.on.message(message);
  }

  here(message) {
    this.beaten();
    if (this.at) return;
    this.at = message;
    this.connect(socketWays(message), { token: message.token, control: false });
  }

  async connect(ways, hello) {
    for (const way of ways) {
      const on = { text: (text) => this.text(text), lost: (code) => this.lost(code, ways, hello) };
      const socket = new Socket(way.url, { ...hello, page: this.page }, on);
      try {
        await (this.comm ? Promise.race([socket.ready, this.patience()]) : socket.ready);
      } catch (error) {
        socket.close();
        if (error.message === "4401" && !this.comm) return this.become("", "refused");
        continue;
      }
      if (this.closed) return socket.close();
      this.socket = socket;
      this.tries = 0;
      this.beaten();
      return this.become(way.name, "well");
    }
    if (this.closed || this.comm?.dead) return;
    // A kernel that closed a socket and says nothing on the comm either may be another one by now.
    if (this.comm && this.answered > this.lostAt) return this.become("comm", "well");
    this.again(ways, hello);
  }

  async patience() {
    // Fails when the kernel answers on the comm, and no socket has come of it.
    for (;;) {
      const asked = performance.now();
      await new Promise((done) => setTimeout(done, PATIENCE_MS));
      this.comm.send('{"event":"ping"}');
      await new Promise((done) => setTimeout(done, BEAT_MS));
      if (this.answered > asked) throw new Error("late");
    }
  }

  gone() {
    if (this.closed) return;
    this.become("", "gone");
    this.on.lost();
  }

  lost(code, ways, hello) {
    this.socket = null;
    this.lostAt = performance.now();
    if (this.closed) return;
    this.become("", "connecting");
    this.on.lost();
    if (code === 4401) return this.become("", "refused");
    this.again(ways, hello);
  }

  again(ways, hello) {
    this.tries += 1;
    if (this.tries > 2) this.become("", "gone");
    setTimeout(() => this.retry(ways, hello), Math.min(10_000, 500 * 2 ** this.tries));
  }

  retry(ways, hello) {
    if (this.over) return this.become("", "refused");
    if (!this.closed && !this.comm?.dead) this.connect(ways, hello);
  }

  beat() {
    if (performance.now() - this.answered > BUSY_MS && (this.health === "well" || this.health === "connecting")) {
      this.become(this.name, "busy");
    }
    if (this.socket) this.socket.send('{"event":"ping"}');
    else if (this.comm && !this.at) this.greet();
    else if (this.comm && (this.busyComm || this.health !== "well")) this.comm.send('{"event":"ping"}');
    else if (this.name === "comm") this.answered = performance.now(); // nothing is asked while no call is on
  }

  greet() {
    // A kernel that is busy answers all of them when it is done, so there are few.
    if (this.greetings++ % 5 === 0) this.comm.send('{"event":"hello"}');
  }

  beaten() {
    this.answered = performance.now();
    if (this.health === "busy") this.become(this.name, this.name ? "well" : "connecting");
  }

  become(name, health) {
    if (this.comm?.dead) [name, health] = ["", "gone"];
    if (this.name === name && this.health === health) return;
    Object.assign(this, { name, health });
    this.on.changed();
  }

  close() {
    this.closed = true;
    clearInterval(this.beats);
    this.socket?.close();
    this.comm?.close();
  }
}
