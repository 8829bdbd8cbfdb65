// One turn with all that is known of it: its sound, where the wait went, what was said, what it cost.

const known = (value) => value !== null && value !== undefined;
const badge = (text, kind = "", title = undefined) => h("span", { class: `pnb-mark ${kind}`, text, title });

/** The words of a reply: what the ear got, and struck through what it did not. */
function replyWords({ heard, unheard }) {
  return [heard || null, unheard ? [" ", h("del", { text: unheard, title: "generated, and never heard" })] : null].flat();
}

/** Both sides of a clip, and between them the spans of the wait where they lie. */
function waveDrawing(clip, turn, legend, seek) {
  const width = 480, lane = 26, strip = 10, height = 2 * lane + strip + 8;
  const x = (seconds) => (seconds / clip.seconds) * width;
  const drawing = svg("svg", { viewBox: `0 0 ${width} ${height}`, width: "100%", height: 78, preserveAspectRatio: "none", class: "pnb-wave", role: "img",
    "aria-label": "Above the caller's voice, below the agent's as it was heard, between them what the wait went to" });
  const side = (levels, middle, role) => {
    const step = width / Math.max(1, levels.length);
    const path = levels.map((level, index) => { const high = Math.max(0.6, Math.sqrt(level) * (lane / 2)); return `M${(index * step).toFixed(1)} ${(middle - high).toFixed(1)}V${(middle + high).toFixed(1)}`; }).join("");
    return svg("path", { d: path, style: `stroke:var(--pnb-${role});stroke-width:${Math.max(0.8, step * 0.7)};fill:none`, "vector-effect": "none" });
  };
  drawing.append(side(clip.caller, lane / 2, "caller"), side(clip.agent, height - lane / 2, "agent"));
  if (known(turn.spoken_at) && turn.bar) {
    const id = uid("hatch"), zero = turn.spoken_at - clip.started_at;
    drawing.append(svg("defs", {}, hatches(id)));
    for (const [column, start, end] of turn.bar.pieces) {
      const from = x(zero + start / 1000), title = svg("title", {});
      title.textContent = `${legend[column]?.name ?? column}: ${waitText(end - start)}`;
      drawing.append(svg("rect", { x: from, y: lane + 4, width: Math.max(0.4, x(zero + end / 1000) - from), height: strip,
        style: column === "unexplained_ms" ? `fill:url(#${id})` : `fill:${colourOf(legend, column)}` }, title));
    }
  }
  const head = svg("line", { x1: 0, x2: 0, y1: 0, y2: height, style: "stroke:var(--pnb-accent);stroke-width:1.5;vector-effect:non-scaling-stroke" });
  drawing.append(head);
  drawing.addEventListener("click", (event) => {
    const box = drawing.getBoundingClientRect();
    seek(((event.clientX - box.left) / box.width) * clip.seconds);
  });
  return { element: drawing, at: (seconds) => { head.setAttribute("x1", x(seconds)); head.setAttribute("x2", x(seconds)); } };
}

/** The player of one turn: it asks for the sound when the turn is chosen. */
function player(shared, turn) {
  const place = h("div", { class: "pnb-stack pnb-tight pnb-player" });
  const wait = (text) => fill(place, h("div", { class: "pnb-muted pnb-small pnb-no-sound", text }));
  let audio = null, frame = 0;
  function show(clip) {
    audio = h("audio", { controls: true, preload: "auto", src: clip.url, "aria-label": `Turn ${turn.turn}, ${clip.seconds.toFixed(1)} seconds` });
    const wave = waveDrawing(clip, turn, shared.legend, (seconds) => { audio.currentTime = seconds; audio.play(); });
    const follow = () => { wave.at(audio.currentTime); if (!audio.paused && !audio.ended) frame = requestAnimationFrame(follow); };
    for (const event of ["play", "seeked", "pause", "ended"]) audio.addEventListener(event, follow);
    fill(place, wave.element, audio, h("div", { class: "pnb-muted pnb-small", text: "above and left: the caller · below and right: the agent, as it was heard" }));
    if (shared.plays) audio.play().catch(() => {});
    shared.plays = false;
  }
  wait("Looking for its sound …");
  shared.channel.order("audio", { call: shared.callId, index: shared.index }, ({ kind, clip }) => kind === "clip" && show(clip), true).then((answer) => {
    place.classList.toggle("pnb-no-player", answer.state !== "here");
    if (!answer.ok) wait(answer.error);
    else if (answer.state !== "here") fill(place, h("div", { class: answer.state === "not recorded" ? "pnb-note" : "pnb-warning", text: answer.reason }));
  });
  return { element: place, toggle: () => { if (!audio) shared.plays = true; else if (audio.paused) audio.play(); else audio.pause(); }, stop: () => { audio?.pause(); cancelAnimationFrame(frame); } };
}

const section = (title, ...children) => h("section", { class: "pnb-stack pnb-tight" }, title ? h("h4", { text: title }) : null, ...children);

/** The parts of the wait as a table beside their bar. */
function spansTable(shared, turn) {
  if (!turn.spans.length) return section("Reply gap", h("p", { class: "pnb-muted pnb-small", text: turn.kind === "caller" ? `Not measured: ${turn.gap_reason}.` : `None: ${turn.gap_reason}.` }));
  const row = ({ column, name, owner, ms, why }) => h("tr", {},
    h("th", { class: "pnb-left", scope: "row" }, swatch(shared.legend, column), name),
    h("td", { class: "pnb-left pnb-muted", text: why ? `not measured: ${why}` : owner }), h("td", { text: ms }));
  return section("Reply gap", barDrawing(turn.bar, turn.bar.length, shared.legend),
    h("table", { class: "pnb-table" }, h("thead", { class: "pnb-unseen" }, h("tr", {}, ["span", "whose time it is", "ms"].map((text) => h("th", { text })))),
      h("tbody", {}, turn.spans.map(row), h("tr", { class: "pnb-sum" }, h("th", { class: "pnb-left", scope: "row", text: "reply gap" }),
        h("td", { class: "pnb-left pnb-muted", text: turn.perceived ? `${turn.perceived} by the far end's own clock` : "last word to first sound" }), h("td", { text: wholeText(turn.gap_ms) })))));
}

function toolsSection(turn) {
  if (!turn.runs.length) return null;
  return section("Tools", turn.runs.map(({ name, arguments: given, result, state, ms, attempts, late }) => h("div", { class: "pnb-small" },
    h("code", { text: `${name}(${given})` }), badge(ms ? `${state}, ${ms}` : state, state === "returned" ? "" : "pnb-bad"),
    attempts > 1 ? badge(`${attempts} attempts`) : null, late ? badge("after the turn was over") : null,
    result ? h("div", { class: state === "failed" ? "pnb-bad" : "pnb-muted", text: `→ ${result}` }) : null)));
}

/** What is said of the chosen turn. */
function turnDetail(shared, turn) {
  const sound = player(shared, turn);
  const name = turn.kind === "caller" ? `Turn ${turn.turn}` : `Turn ${turn.turn}, ${turn.kind}`;
  const said = (who, kind, ...words) => h("div", { class: `pnb-told pnb-told-${kind}` }, h("span", { class: "pnb-muted pnb-small", text: who }), h("div", {}, ...words.flat()));
  const reply = replyWords(turn).filter(Boolean);
  const guards = turn.hits.map(({ name: guard, matched, held }) => h("div", { class: "pnb-small" }, h("span", { class: "pnb-accent", text: `${guard} stopped the reply` }), ` at “${matched}”`, held ? badge(`held ${held}`) : null));
  const cost = h("div", { class: "pnb-row pnb-small pnb-costs" }, turn.costs.map(({ part, usd, unknown }) => h("span", { title: unknown.join("\n") || undefined, class: part === "total" ? "pnb-strong" : "" }, h("span", { class: "pnb-muted", text: `${part} ` }), usd)));
  const reasons = [...new Set(turn.costs.flatMap(({ unknown }) => unknown))];
  const made = turn.configured;
  const element = h("div", { class: "pnb-stack pnb-detail" },
    h("div", { class: "pnb-row pnb-baseline" }, h("h3", { text: name }), known(turn.revision) ? badge(`revision ${turn.revision}`) : null,
      turn.marks.map((text) => badge(text, text === "interrupted" ? "pnb-accent" : "")), known(turn.at) ? h("span", { class: "pnb-muted pnb-small pnb-push", text: `at ${clockText(turn.at)}` }) : null),
    turn.errors.map((text) => h("div", { class: "pnb-error", text })),
    sound.element,
    section("", turn.said || turn.kind === "caller" ? said("caller", "caller", turn.said || h("span", { class: "pnb-muted", text: "(no words)" })) : null,
      said("agent", "agent", reply.length ? reply : h("span", { class: "pnb-muted", text: "(no reply)" })),
      turn.overlap ? said("caller", "caller", turn.overlap, badge("over the agent")) : null,
      turn.unheard ? h("p", { class: "pnb-muted pnb-small", text: `Struck through: generated, not heard.${turn.estimated ? " Where it was cut is estimated from the time it played." : ""}` }) : null),
    spansTable(shared, turn), toolsSection(turn), guards.length ? section("Guardrails", guards) : null,
    turn.stalls.length ? section("Stalls", turn.stalls.map(({ ms, cell }) => h("div", { class: "pnb-small pnb-stalled", text: `${known(cell) ? `cell [${cell}]` : "the notebook"} was busy for ${ms} ms` }))) : null,
    section("Cost", cost, reasons.length ? h("p", { class: "pnb-muted pnb-small", text: reasons.join("; ") }) : null),
    made ? h("details", {}, h("summary", { text: `Prompt of revision ${made.number}${made.note ? `: ${made.note}` : ""}` }), h("pre", { class: "pnb-pre pnb-code", text: made.prompt || "(empty)" }),
      made.first_message ? h("p", { class: "pnb-muted pnb-small", text: `First message: ${made.first_message}` }) : null)
      : known(turn.revision) ? h("p", { class: "pnb-muted pnb-small", text: `Revision ${turn.revision} is not in the store any more.` }) : null,
    h("details", {}, h("summary", { text: "Patter's own fields, and why one is missing" }),
      h("table", { class: "pnb-table" }, h("tbody", {}, turn.patter.map(({ name: field, ms, why }) => h("tr", {}, h("th", { class: "pnb-left", scope: "row" }, h("code", { text: field })), h("td", { class: "pnb-left pnb-muted", text: ms === "–" ? why : "" }), h("td", { text: ms })))))));
  return { element, toggle: sound.toggle, stop: sound.stop };
}
