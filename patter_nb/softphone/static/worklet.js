// The softphone's side of the line, on the browser's audio thread: the microphone becomes frames of 20 ms of µ-law at 8 kHz, and
// what is sent to the ear is played from a queue. One processor does both, so frames and marks leave it in the order of its clock.

const HZ = 8000;
const FRAME = 160;
const BUFFER = 3 * FRAME; // what is waited for after a silence, so that a late frame is not heard as a gap
const PAUSE = 0.4 * HZ; // a silence as long as this is meant, and no gap

class Resampler {
  // From one rate to another by a windowed sinc, one set of weights for each phase. Holds back `delay` samples of its input.
  constructor(from, to) {
    const common = (a, b) => (b ? common(b, a % b) : a);
    const divisor = common(from, to);
    this.up = to / divisor;
    this.down = from / divisor;
    const low = Math.min(from, to);
    this.half = Math.ceil((16 * from) / low);
    this.delay = this.half;
    const taps = 2 * this.half;
    const cutoff = (0.475 * low) / from;
    this.weights = Array.from({ length: this.up }, (_, phase) => {
      const row = new Float32Array(taps);
      let sum = 0;
      for (let k = 0; k < taps; k++) {
        const x = k - this.half + 1 - phase / this.up;
        const sinc = x === 0 ? 2 * cutoff : Math.sin(2 * Math.PI * cutoff * x) / (Math.PI * x);
        const w = x / this.half;
        row[k] = Math.abs(w) >= 1 ? 0 : sinc * (0.42 + 0.5 * Math.cos(Math.PI * w) + 0.08 * Math.cos(2 * Math.PI * w));
        sum += row[k];
      }
      return row.map((weight) => weight / sum);
    });
    this.kept = new Float32Array(taps - 1);
    this.at = 0; // of the next sample that comes out, in steps of 1 / up of an input sample
  }

  feed(samples) {
    const taps = 2 * this.half;
    const all = new Float32Array(this.kept.length + samples.length);
    all.set(this.kept);
    all.set(samples, this.kept.length);
    const out = [];
    let index = Math.floor(this.at / this.up);
    while (index + taps <= all.length) {
      const row = this.weights[this.at % this.up];
      let sum = 0;
      for (let k = 0; k < taps; k++) sum += row[k] * all[index + k];
      out.push(sum);
      this.at += this.down;
      index = Math.floor(this.at / this.up);
    }
    const used = all.length - (taps - 1);
    this.at -= used * this.up;
    this.kept = all.slice(used);
    return out;
  }
}

// G.711 µ-law.

function encode(sample) {
  let value = Math.max(-32768, Math.min(32767, Math.round(sample * 32768)));
  const sign = value < 0 ? 0x80 : 0;
  value = Math.min(32635, value < 0 ? ~value : value) + 132; // the intervals of both signs are equally wide
  const exponent = 31 - Math.clz32(value) - 7;
  return ~(sign | (exponent << 4) | ((value >> (exponent + 3)) & 15)) & 0xff;
}

const DECODED = Float32Array.from({ length: 256 }, (_, code) => {
  const bits = ~code & 0xff;
  const value = ((((bits & 15) << 3) + 132) << ((bits >> 4) & 7)) - 132;
  return (bits & 0x80 ? -value : value) / 32768;
});

const decode = (bytes) => Float32Array.from(bytes, (code) => DECODED[code]);

function level(samples) {
  let sum = 0;
  for (let i = 0; i < samples.length; i++) sum += samples[i] * samples[i];
  return samples.length ? Math.sqrt(sum / samples.length) : 0;
}

class Queue {
  // What waits to be played, as pairs of samples for the left and the right ear, and the marks between them.
  constructor() {
    this.pieces = [];
    this.size = 0;
    this.put = 0; // samples that were ever put
    this.got = 0; // and taken
    this.marks = [];
    this.waiting = true;
    this.since = 0; // how long it has been waiting with something in it, in samples
    this.dryFor = 0;
    this.marked = true;
    this.gaps = 0;
    this.lost = 0; // samples of silence in the middle of talk
  }

  play(left, right) {
    if (this.waiting && this.size === 0 && !this.marked && this.dryFor < PAUSE) {
      this.gaps += 1;
      this.lost += this.dryFor;
    }
    this.pieces.push({ left, right, from: 0 });
    this.size += left.length;
    this.put += left.length;
  }

  mark(name) {
    this.marks.push({ at: this.put, name });
    if (!this.size) this.marked = true;
  }

  clear() {
    const names = this.marks.map((mark) => mark.name);
    Object.assign(this, { pieces: [], size: 0, put: this.got, marks: [], waiting: true, marked: true });
    return names;
  }

  take(count) {
    // The next samples for both ears; silence where there are none. `names[i]` are due before sample `i`.
    const left = new Float32Array(count);
    const right = new Float32Array(count);
    const due = [];
    for (let i = 0; i < count; i++) {
      if (this.waiting && this.size) {
        this.since += 1;
        if (this.size >= BUFFER || this.since >= BUFFER) Object.assign(this, { waiting: false, since: 0 });
      }
      while (this.marks.length && this.marks[0].at <= this.got) {
        due.push({ name: this.marks.shift().name, at: i });
      }
      if (this.waiting || !this.size) {
        if (!this.waiting) Object.assign(this, { waiting: true, since: 0, dryFor: 0, marked: due.length > 0 && due.at(-1).at === i });
        this.dryFor += 1;
        continue;
      }
      const piece = this.pieces[0];
      left[i] = piece.left[piece.from];
      right[i] = piece.right[piece.from];
      piece.from += 1;
      if (piece.from === piece.left.length) this.pieces.shift();
      this.size -= 1;
      this.got += 1;
    }
    return { left, right, due };
  }
}

class PatterPhone extends (globalThis.AudioWorkletProcessor ?? Object) {
  constructor() {
    super();
    const rate = globalThis.sampleRate;
    this.toLine = new Resampler(rate, HZ);
    this.toLeft = new Resampler(HZ, rate);
    this.toRight = new Resampler(HZ, rate);
    this.ratio = rate / HZ;
    this.queue = new Queue();
    this.fed = 0; // samples of 8 kHz on their way to the ear
    this.played = 0; // samples of the context that were handed to it
    this.marks = []; // those whose audio is on its way
    this.ahead = { left: [], right: [] };
    this.frame = [];
    this.latency = 0;
    this.loudness = [0, 0]; // of both ears since the last frame, and of how many samples
    this.heard = 0;
    Object.assign(this, { speaking: false, muted: false, running: true });
    if (this.port) this.port.onmessage = ({ data }) => this.order(data);
  }

  order(data) {
    if (data.play) this.queue.play(decode(data.play), decode(data.right ?? data.play));
    if (data.mark !== undefined) this.queue.mark(data.mark);
    if (data.clear) {
      this.tell(this.marks.map((mark) => mark.name).concat(this.queue.clear()));
      this.marks = [];
    }
    if (data.latency !== undefined) this.latency = data.latency * globalThis.sampleRate;
    if (data.muted !== undefined) this.muted = data.muted;
    if (data.speaking !== undefined) Object.assign(this, { speaking: data.speaking, frame: [] });
    if (data.count) this.port.postMessage({ gaps: this.queue.gaps, lost: this.queue.lost / HZ });
    if (data.stop) this.running = false;
  }

  tell(names) {
    for (const mark of names) this.port.postMessage({ mark });
  }

  process([input], [output]) {
    const count = output[0].length;
    this.hear(input, count);
    this.play(output, count);
    return this.running;
  }

  hear(input, count) {
    const mono = new Float32Array(count);
    for (const channel of input) for (let i = 0; i < count; i++) mono[i] += channel[i] / input.length;
    if (this.muted) mono.fill(0);
    for (const sample of this.toLine.feed(mono)) {
      this.frame.push(sample);
      if (this.frame.length < FRAME) continue;
      const audio = Uint8Array.from(this.frame, encode);
      const ears = this.loudness.map((sum) => Math.sqrt(sum / Math.max(1, this.heard)));
      this.port.postMessage({ frame: audio, level: level(this.frame), ears, speaking: this.speaking });
      Object.assign(this, { frame: [], heard: 0, loudness: [0, 0] });
    }
  }

  play(output, count) {
    const { left, right } = this.ahead;
    while (left.length < count) {
      const taken = this.queue.take(Math.max(1, Math.ceil((count - left.length) / this.ratio)));
      for (const { name, at } of taken.due) {
        this.marks.push({ name, due: (this.fed + at + this.toLeft.delay) * this.ratio });
      }
      this.fed += taken.left.length;
      left.push(...this.toLeft.feed(taken.left));
      right.push(...this.toRight.feed(taken.right));
    }
    const ears = [left.splice(0, count), right.splice(0, count)];
    output.forEach((channel, number) => channel.set(ears[Math.min(number, 1)]));
    ears.forEach((ear, number) => (this.loudness[number] += count * level(ear) ** 2));
    this.heard += count;
    this.played += count;
    const due = this.marks.filter((mark) => mark.due + this.latency <= this.played);
    this.marks = this.marks.filter((mark) => mark.due + this.latency > this.played);
    this.tell(due.map((mark) => mark.name));
  }
}

if (globalThis.registerProcessor) registerProcessor("patter-phone", PatterPhone);
