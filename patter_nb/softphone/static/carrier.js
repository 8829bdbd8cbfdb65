// The carrier's end of one call: Twilio's Media Streams messages, as Twilio documents them for a bidirectional stream.

const hex = (count) => Array.from(crypto.getRandomValues(new Uint8Array(count)), (byte) => byte.toString(16).padStart(2, "0")).join("");

class Carrier {
  constructor(send, engine) {
    this.send = send;
    this.engine = engine;
    this.stream = "";
    this.lost = 0; // frames that were not sent, because too many were waiting already
  }

  get open() {
    return this.stream !== "";
  }

  start(parameters) {
    Object.assign(this, { stream: `MZ${hex(16)}`, call: `CA${hex(16)}`, account: `AC${hex(16)}`, number: 0, chunk: 0, lost: 0 });
    this.send(JSON.stringify({ event: "connected", protocol: "Call", version: "1.0.0" }));
    this.message("start", {
      accountSid: this.account,
      streamSid: this.stream,
      callSid: this.call,
      tracks: ["inbound"],
      mediaFormat: { encoding: "audio/x-mulaw", sampleRate: 8000, channels: 1 },
      customParameters: parameters,
    });
    this.engine.order({ clear: true, speaking: true });
  }

  frame(bytes) {
    if (!this.open) return;
    this.chunk += 1;
    const timestamp = String((this.chunk - 1) * 20); // its first sample stands there, sent or not
    const media = { track: "inbound", chunk: String(this.chunk), timestamp, payload: b64(bytes) };
    if (!this.message("media", media)) this.lost += 1;
  }

  mark(name) {
    if (this.open) this.message("mark", { name });
  }

  press(digit) {
    if (this.open) this.message("dtmf", { track: "inbound_track", digit });
  }

  take(message) {
    // What the agent's side ordered.
    if (!this.open || message.streamSid !== this.stream) return;
    if (message.event === "media") this.engine.order({ play: unb64(message.media.payload) });
    else if (message.event === "mark") this.engine.order({ mark: message.mark.name });
    else if (message.event === "clear") this.engine.order({ clear: true });
  }

  stop() {
    // Hang up.
    if (this.open) this.message("stop", { accountSid: this.account, callSid: this.call });
    this.end();
  }

  end() {
    // The other side hung up, or is gone.
    this.stream = "";
    this.engine.order({ clear: true, speaking: false });
  }

  message(event, body) {
    const text = JSON.stringify({ event, sequenceNumber: String(this.number + 1), [event]: body, streamSid: this.stream });
    const sent = this.send(text) !== false;
    if (sent) this.number += 1;
    return sent;
  }
}
