
// ---- what a number says on hover and focus
const tip = document.getElementById("tip");
function tell(event) {
  const of = event.target.closest?.("[data-tip]");
  tip.hidden = !of;
  if (!of) return;
  tip.textContent = of.dataset.tip;
  const box = of.getBoundingClientRect(), own = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(box.left, innerWidth - own.width - 4))}px`;
  tip.style.top = `${box.bottom + own.height + 8 > innerHeight ? box.top - own.height - 6 : box.bottom + 6}px`;
}
for (const kind of ["mouseover", "focusin"]) document.addEventListener(kind, tell);
document.addEventListener("focusout", () => { tip.hidden = true; });
// focus scrolls its cell into view: what it says must stay
document.addEventListener("scroll", () => { if (!tip.hidden) tell({ target: document.activeElement }); }, true);
document.addEventListener("keydown", (event) => { if (event.key === "Escape") tip.hidden = true; });

// ---- sorting: best first, worst first, as written
for (const sort of document.querySelectorAll(".sort")) sort.addEventListener("click", () => {
  const table = sort.closest("table"), head = sort.closest("th"), column = Number(sort.dataset.column);
  const better = sort.dataset.better || "lower", best = better === "lower" ? "ascending" : "descending", worst = better === "lower" ? "descending" : "ascending";
  const now = head.getAttribute("aria-sort"), next = now === best ? worst : now === worst ? null : best;
  for (const other of table.querySelectorAll("th")) other.removeAttribute("aria-sort");
  if (next) head.setAttribute("aria-sort", next);
  const sign = next === "descending" ? -1 : 1;
  const key = (row) => column < 0 ? row.cells[0].textContent : row.cells[column + 1].dataset.value;
  for (const body of table.tBodies) {
    const rows = [...body.rows];
    rows.sort((a, b) => {
      if (!next) return a.dataset.place - b.dataset.place;
      const [x, y] = [key(a), key(b)];
      if (column < 0) return sign * x.localeCompare(y);
      if (x === "" || y === "") return (x === "") - (y === "");
      return sign * (Number(x) - Number(y));
    });
    body.append(...rows);
  }
});

// ---- players
function mel(told, player, name) {
  const box = make("div", { class: "mel", role: "button", tabindex: "0", "aria-label": `play or stop: ${name}` });
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    if (player.paused) player.play(); else player.pause();
  });
  if (!told.mel) return box;
  const shown = told.shown || told.seconds;
  box.append(make("img", { src: `${data.files}/${told.mel}`, alt: "mel spectrogram", loading: "lazy" }));
  if (told.hint) box.append(make("img", { src: `${data.files}/${told.hint}`, alt: "hint over it", class: "hint", loading: "lazy" }));
  const lines = make("svg", { viewBox: `0 0 ${shown} 1`, preserveAspectRatio: "none", "aria-hidden": "true" });
  for (const at of told.onsets || []) lines.append(make("line", { class: "onset", x1: at, x2: at, y1: 0, y2: 1 }));
  const now = make("line", { class: "now", x1: -1, x2: -1, y1: 0, y2: 1 });
  lines.append(now);
  box.append(lines);
  const draw = () => { now.setAttribute("x1", player.currentTime); now.setAttribute("x2", player.currentTime); if (!player.paused) requestAnimationFrame(draw); };
  player.addEventListener("play", draw);
  player.addEventListener("seeked", draw);
  box.addEventListener("click", (event) => {
    const from = box.getBoundingClientRect();
    player.currentTime = (event.clientX - from.left) / from.width * shown;
    player.play();
  });
  return box;
}

function figure(told, name, plain) {
  const box = make("figure", { class: plain ? "player plain" : "player" });
  if (!told) { box.append(make("figcaption", {}, `${name}: no sound here`)); return box; }
  const player = sound(told, name);
  if (plain && told.kind === "video") {
    player.removeAttribute("controls");
    player.addEventListener("click", () => { if (player.paused) player.play(); else player.pause(); });
  }
  box.append(make("figcaption", {}, name), player, mel(told, player, name));
  return box;
}

const say = (metric, value) => value == null ? "–" : (value * metric.scale).toFixed(metric.digits);

function scores(group, system, clip) {
  const at = group.drawn.indexOf(clip), list = make("ul", { class: "scores" });
  for (const metric of group.metrics) {
    const value = group.values[metric.id][system]?.[at];
    if (value == null) continue;
    list.append(make("li", {}, metric.kind === "set" ? `adds to ${metric.label} ` : `${metric.label} `, make("b", {}, say(metric, value)), metric.unit ? ` ${metric.unit}` : ""));
  }
  return list;
}

function clipCard(group, systems, clip, role) {
  const [id, label] = group.clips[clip];
  const box = make("section", { class: "clip" }, make("h3", {}, `${role ? `${role}: ` : ""}${label ? `${label}, ` : ""}${id}`));
  const sides = make("div", { class: "sides" });
  for (const s of systems) sides.append(figure(group.systems[s].made[clip], `${group.systems[s].name} (generated)`));
  sides.append(figure(group.real[clip], "real"));
  box.append(sides);
  for (const s of systems) {
    if (systems.length > 1) box.append(make("p", { class: "above" }, group.systems[s].name));
    box.append(scores(group, s, clip));
  }
  return box;
}

// ---- the clips behind a number
const dialog = document.getElementById("clips"), body = document.getElementById("clips-body"), title = document.getElementById("clips-title");
function open(heading, ...parts) {
  title.textContent = heading;
  body.replaceChildren(...parts);
  dialog.showModal();
  dialog.scrollTop = 0;
}
dialog.querySelector(".close").addEventListener("click", () => dialog.close());
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
dialog.addEventListener("close", () => { for (const player of body.querySelectorAll("audio, video")) player.pause(); body.replaceChildren(); });

function command(text) {
  const copy = make("button", { type: "button", class: "do" }, "copy");
  copy.addEventListener("click", () => {
    const chosen = getSelection();
    chosen.selectAllChildren(copy.previousSibling);
    copy.textContent = document.execCommand("copy") ? "copied" : "selected";
  });
  return make("div", { class: "command" }, make("code", { tabindex: "0" }, text), copy);
}

document.getElementById("tables").addEventListener("click", (event) => {
  const cell = event.target.closest("button.cell");
  if (!cell) return;
  tip.hidden = true;
  const [g, n] = cell.dataset.opens.split("-").map(Number);
  const group = data.groups[g], shown = group.shown[n], system = group.systems[shown.system], metric = group.metrics.find((m) => m.id === shown.metric);
  const facts = make("dl", { class: "facts" }, ...shown.facts.map(([what, text]) => make("div", {}, make("dt", {}, what), make("dd", {}, text))));
  const parts = [facts, command(system.command)];
  if (system.why) parts.push(make("p", { class: "above" }, system.why));
  if (!shown.clips.length) parts.push(make("p", { class: "above" }, "No per-clip values are kept of this number."));
  open(`${system.name}: ${metric.label}`, ...parts, ...shown.clips.map(([role, clip]) => clipCard(group, [shown.system], clip, role)));
});

// ---- two systems clip by clip
const form = document.querySelector("#compare form");
function options(select, names, chosen) {
  select.replaceChildren(...names.map((name, i) => make("option", { value: i }, name)));
  select.value = String(Math.min(chosen, names.length - 1));
}
function setGroup() {
  const group = data.groups[form.group.value], names = group.systems.map((s) => s.name);
  options(form.a, names, 0);
  options(form.b, names, 1);
  const order = group.metrics.findIndex((m) => m.label.startsWith("Onset"));
  options(form.metric, group.metrics.map((m) => m.label), Math.max(0, order));
  compare();
}
function compare() {
  const group = data.groups[form.group.value], [a, b] = [Number(form.a.value), Number(form.b.value)], metric = group.metrics[form.metric.value];
  const out = document.getElementById("scatter"), told = document.getElementById("difference");
  out.replaceChildren();
  if (!metric || group.systems.length < 2) { told.textContent = "There are no two systems to compare."; return; }
  const pair = group.pairs.find((p) => p.metric === metric.id && ((p.a === a && p.b === b) || (p.a === b && p.b === a)));
  const sign = pair && pair.a === a ? 1 : -1, names = [group.systems[a].name, group.systems[b].name];
  if (a === b) told.textContent = "Choose two different systems.";
  else if (!pair) told.textContent = `No test of ${names[0]} against ${names[1]} was made in this page.`;
  else {
    const [low, high] = sign > 0 ? [pair.low, pair.high] : [pair.high == null ? null : -pair.high, pair.low == null ? null : -pair.low];
    const said = low == null ? "" : ` (95 %: ${say(metric, low)} to ${say(metric, high)})`;
    const p = pair.p == null ? "" : pair.p < 0.001 ? ", p < 0.001" : `, p = ${pair.p.toFixed(3)}`;
    told.textContent = `${metric.label}: ${names[0]} minus ${names[1]} = ${say(metric, sign * pair.value)}${metric.unit ? ` ${metric.unit}` : ""}${said}${p}, paired on ${pair.n} clips; ${metric.better} is better. p is of this pair alone, uncorrected.`;
  }
  const x = group.values[metric.id][a], y = group.values[metric.id][b];
  if (a === b || !x?.length || !y?.length) return;
  const points = group.drawn.map((clip, i) => [clip, x[i], y[i]]).filter((p) => p[1] != null && p[2] != null);
  out.append(scatter(group, metric, points, names, [a, b]), bins(metric, points.map((p) => p[1] - p[2])));
}
// the whole name stands in the sentence above
const short = (name) => (name.length > 48 ? `${name.slice(0, 47)}…` : name);
function scatter(group, metric, points, names, systems) {
  const every = points.flatMap((p) => [p[1], p[2]]), low = Math.min(...every), high = Math.max(...every), span = high - low || 1;
  const at = (v) => 46 + 300 * (v - low) / span, up = (v) => 350 - at(v) + 4;
  const svg = make("svg", { viewBox: "-14 -12 386 362", role: "group", "aria-label": `${metric.label} of every clip, ${names[0]} across, ${names[1]} up` });
  svg.append(make("line", { class: "axis", x1: 46, x2: 346, y1: up(low), y2: up(low) }), make("line", { class: "axis", x1: 46, x2: 46, y1: up(low), y2: up(high) }), make("line", { class: "same", x1: at(low), y1: up(low), x2: at(high), y2: up(high) }));
  for (const v of [low, low + span / 2, high]) svg.append(make("text", { x: at(v), y: 326, "text-anchor": v === high ? "end" : "middle" }, say(metric, v)), make("text", { x: 40, y: up(v) + 4, "text-anchor": "end" }, say(metric, v)));
  svg.append(make("text", { x: 196, y: 343, "text-anchor": "middle" }, `${short(names[0])} →`), make("text", { x: -4, y: 180, "text-anchor": "middle", transform: "rotate(-90 -4 180)" }, `${short(names[1])} →`));
  const many = new Map();
  for (const [clip, a, b] of points) {
    const key = `${a} ${b}`, n = many.get(key) || 0;
    many.set(key, n + 1);
    const turn = n * 2.4, out = n ? 1.3 * Math.sqrt(n) : 0; // clips of one value lie around it
    const dot = make("circle", { class: "dot", cx: at(a) + out * Math.cos(turn), cy: up(b) + out * Math.sin(turn), r: 3.6, tabindex: many.size === 1 && n === 0 ? 0 : -1, role: "button" }, make("title", {}, `${group.clips[clip].join(", ")}: ${say(metric, a)}, ${say(metric, b)}`));
    dot.addEventListener("click", () => open(`${names[0]} beside ${names[1]}`, clipCard(group, systems, clip, "")));
    svg.append(dot);
  }
  // one stop of the tab key for all clips: arrows go from clip to clip, Enter opens
  svg.addEventListener("keydown", (event) => {
    const dots = [...svg.querySelectorAll(".dot")], step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (event.key === "Enter" || event.key === " ") event.target.dispatchEvent(new MouseEvent("click"));
    else if (step) dots[(dots.indexOf(event.target) + step + dots.length) % dots.length].focus();
    else return;
    event.preventDefault();
  });
  return svg;
}
function bins(metric, apart) {
  const low = Math.min(...apart, 0), high = Math.max(...apart, 0), span = high - low || 1, n = 21, counts = Array(n).fill(0);
  for (const d of apart) counts[Math.min(n - 1, Math.floor((d - low) / span * n))] += 1;
  const most = Math.max(...counts), at = (v) => 30 + 300 * (v - low) / span;
  const svg = make("svg", { viewBox: "0 0 360 350", role: "img", "aria-label": `how many clips differ by how much in ${metric.label}` });
  counts.forEach((c, i) => svg.append(make("rect", { class: "bin", x: 30 + 300 * i / n + 1, width: 300 / n - 2, y: 304 - 270 * c / most, height: 270 * c / most }, make("title", {}, `${c} clips`))));
  svg.append(make("line", { class: "axis", x1: 30, x2: 330, y1: 304, y2: 304 }), make("line", { class: "same", x1: at(0), x2: at(0), y1: 26, y2: 304 }));
  for (const v of [low, 0, high]) svg.append(make("text", { x: at(v), y: 320, "text-anchor": "middle" }, say(metric, v)));
  svg.append(make("text", { x: 180, y: 343, "text-anchor": "middle" }, `difference in ${metric.label}, clip by clip`));
  return svg;
}
options(form.group, data.groups.map((g, i) => document.querySelectorAll("#tables article > h2")[i].textContent), 0);
document.getElementById("of-group").hidden = data.groups.length < 2;
form.group.addEventListener("change", setGroup);
for (const select of [form.a, form.b, form.metric]) select.addEventListener("change", compare);
setGroup();

// ---- mels of the truth and all systems
const gallery = document.getElementById("gallery"), hint = document.getElementById("hint");
hint.addEventListener("input", () => document.documentElement.style.setProperty("--hint", hint.value / 100));
data.groups.forEach((group, g) => {
  const clips = group.gallery;
  if (!clips.length) return;
  if (data.groups.length > 1) gallery.append(make("h3", {}, form.group.options[g].textContent));
  const row = (name, players) => {
    const box = make("div", { class: "row" }, make("b", {}, name), ...clips.map((clip) => figure(players(clip), `${group.clips[clip][1] || group.clips[clip][0]}`, true)));
    box.style.setProperty("--clips", clips.length);
    gallery.append(box);
  };
  row("truth", (clip) => group.real[clip]);
  for (const system of group.systems) if (Object.keys(system.made).length) row(system.name, (clip) => system.made[clip]);
});
if (!gallery.childElementCount) gallery.append(make("p", { class: "above" }, "No sound of these records is on this machine."));
