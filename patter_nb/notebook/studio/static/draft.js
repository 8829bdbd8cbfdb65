// What somebody has written and not applied yet. It is kept beside the page (in its session storage), so that it outlives the
// widget, a cell that is run again, and the kernel.

const same = (one, other) => JSON.stringify(ordered(one)) === JSON.stringify(ordered(other));
const ordered = (value) =>
  value && typeof value === "object" && !Array.isArray(value)
    ? Object.fromEntries(Object.keys(value).sort().map((key) => [key, ordered(value[key])]))
    : value;

class Draft {
  /** `base(name)`: what a field holds without it. `place`: what tells this draft from those of other notebooks. */
  constructor(place, base) {
    this.key = `pnb-draft:${location.pathname.replace(/\/workspaces\/[^/]+/, "")}:${place}`;
    this.base = base;
    this.values = {};
    this.bases = {};
    this.note = "";
    this.restored = false;
    this.restore();
  }

  has(name) { return name in this.values; }
  get names() { return Object.keys(this.values); }
  get empty() { return this.names.length === 0; }
  value(name) { return this.has(name) ? this.values[name] : this.base(name); }

  /** Whether somebody else has changed the field since it was written here. */
  conflicts(name) { return this.has(name) && !same(this.bases[name], this.base(name)); }

  set(name, value) {
    if (!this.has(name)) this.bases[name] = this.base(name);
    this.values[name] = value;
    this.settle();
  }

  drop(...names) {
    for (const name of names) {
      delete this.values[name];
      delete this.bases[name];
    }
    if (this.empty) this.restored = false;
    this.keep();
  }

  /** These values were accepted: what differs from them now was written after them. */
  accepted(sent) {
    for (const name of Object.keys(sent)) if (this.has(name)) this.bases[name] = sent[name];
    this.settle();
  }

  /** Forget what is as it would be without this draft. */
  settle() { this.drop(...this.names.filter((name) => same(this.values[name], this.base(name)))); }

  keep() {
    try {
      if (this.empty && !this.note) sessionStorage.removeItem(this.key);
      else sessionStorage.setItem(this.key, JSON.stringify({ values: this.values, bases: this.bases, note: this.note }));
    } catch { /* a page without storage: the draft lives as long as the widget */ }
  }

  restore() {
    try {
      const kept = JSON.parse(sessionStorage.getItem(this.key) ?? "null");
      if (!kept) return;
      for (const [name, value] of Object.entries(kept.values)) {
        if (this.base(name) === undefined) continue;
        this.values[name] = value;
        this.bases[name] = kept.bases[name];
      }
      this.note = kept.note ?? "";
      this.settle();
      this.restored = !this.empty;
    } catch { /* nothing was kept, or it cannot be read */ }
  }
}
