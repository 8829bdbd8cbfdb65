// The sound of a softphone in a page: the microphone, the ear, and what to tell a person when one of them is not to be had.

const b64 = (bytes) => btoa(String.fromCharCode(...bytes));
const unb64 = (text) => Uint8Array.from(atob(text), (char) => char.charCodeAt(0));

const WISHES = { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 };

function trouble(error) {
  // Why there is no microphone: one of the states that the panel explains.
  if (error.name === "NotAllowedError" || error.name === "SecurityError") return "refused";
  if (error.name === "NotFoundError" || error.name === "OverconstrainedError") return "no device";
  return "in use";
}

class Engine {
  // `on.frame(bytes, speaking)`, `on.mark(name)`, `on.levels(microphone, [left, right])`, `on.lost()` when the microphone is gone.
  constructor(on) {
    this.on = on;
    this.context = null;
    this.node = null;
    this.stream = null;
    this.volume = 1;
  }

  async open({ microphone }) {
    // Throws an Error whose message is "insecure", "refused", "no device", "in use", "silent" or "closed".
    if (microphone) await this.listen();
    if (!this.context) {
      try {
        await this.build();
      } catch (error) {
        if (error.message === "closed") throw error;
        this.close();
        throw new Error("silent", { cause: error });
      }
    }
    await Promise.race([this.context.resume(), new Promise((done) => setTimeout(done, 1500))]);
    if (!this.context) throw new Error("closed");
    if (this.context.state !== "running") throw new Error("silent");
    if (this.stream && !this.source) {
      this.source = this.context.createMediaStreamSource(this.stream);
      this.source.connect(this.node);
    }
  }

  async listen() {
    if (this.stream) return;
    if (!globalThis.isSecureContext || !navigator.mediaDevices?.getUserMedia) throw new Error("insecure");
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({ audio: WISHES });
    } catch (error) {
      throw new Error(trouble(error), { cause: error });
    }
    for (const track of this.stream.getTracks()) track.onended = () => this.on.lost();
  }

  async build() {
    const context = new AudioContext({ latencyHint: "interactive" });
    this.context = context;
    const script = URL.createObjectURL(new Blob([WORKLET], { type: "text/javascript" }));
    try {
      await context.audioWorklet.addModule(script);
    } finally {
      URL.revokeObjectURL(script);
    }
    if (this.context !== context) throw new Error("closed");
    this.node = new AudioWorkletNode(this.context, "patter-phone", { outputChannelCount: [2] });
    this.gain = this.context.createGain();
    this.gain.gain.value = this.volume;
    this.node.connect(this.gain).connect(this.context.destination);
    this.node.port.onmessage = ({ data }) => this.take(data);
    this.timer = setInterval(() => this.order({ latency: this.context.outputLatency || this.context.baseLatency || 0 }), 1000);
  }

  take(data) {
    if (data.mark !== undefined) this.on.mark(data.mark);
    if (data.gaps !== undefined) this.on.counted?.(data);
    if (!data.frame) return;
    this.on.levels(data.level, data.ears);
    if (data.speaking) this.on.frame(data.frame);
  }

  order(data) {
    this.node?.port.postMessage(data);
  }

  setVolume(volume) {
    this.volume = volume;
    if (this.gain) this.gain.gain.setTargetAtTime(volume, this.context.currentTime, 0.02);
  }

  beep(pair) {
    // The sound of a key, for the one who presses it.
    if (!this.context) return;
    const now = this.context.currentTime;
    const quiet = this.context.createGain();
    quiet.gain.value = 0.04 * this.volume;
    quiet.connect(this.context.destination);
    for (const hz of pair) {
      const tone = this.context.createOscillator();
      tone.frequency.value = hz;
      tone.connect(quiet);
      tone.start(now);
      tone.stop(now + 0.12);
    }
  }

  close() {
    clearInterval(this.timer);
    this.order({ stop: true });
    for (const track of this.stream?.getTracks() ?? []) {
      track.onended = null;
      track.stop();
    }
    this.context?.close().catch(() => {});
    Object.assign(this, { context: null, node: null, stream: null, source: null });
  }
}
