
const place = `bench-votes-${data.digest}`;
let kept = {};
try { kept = JSON.parse(remember(place) || "{}") || {}; } catch (broken) { kept = {}; } // another program's entry under our name
const votes = kept.votes || {};
// a sitting has one order: it is drawn once and kept with the votes
const turn = (a, b) => a + (crypto.getRandomValues(new Uint32Array(1))[0] % b);
function drawn() {
  const order = data.trials.map((_, i) => [i, turn(0, 2)]);
  for (let i = order.length - 1; i > 0; i--) { const j = turn(0, i + 1); [order[i], order[j]] = [order[j], order[i]]; }
  return order;
}
let order = Array.isArray(kept.order) && kept.order.length === data.trials.length ? kept.order : drawn();
const save = () => remember(place, JSON.stringify({ order, votes }));
save();
let at = order.findIndex(([i]) => !(data.trials[i].id in votes));
if (at < 0) at = order.length;

const sounds = document.getElementById("sounds"), count = document.getElementById("count"), done = document.getElementById("done");
function trial() {
  const given = Object.keys(votes).length;
  done.max = order.length;
  done.value = given;
  count.textContent = at < order.length ? `${at + 1} of ${order.length}` : `${given} votes given: export them, thank you`;
  sounds.replaceChildren();
  for (const vote of document.querySelectorAll("[data-vote]")) vote.disabled = at >= order.length;
  document.getElementById("back").disabled = at === 0;
  if (at >= order.length) return;
  const [i, flip] = order[at], of = data.trials[i];
  [0, 1].forEach((side) => {
    const told = of.sounds[side ^ flip], name = "AB"[side];
    sounds.append(make("figure", { class: "player" }, make("figcaption", {}, name), sound(told, name)));
  });
}
function vote(choice) {
  if (at >= order.length) return;
  const [i, flip] = order[at], of = data.trials[i];
  votes[of.id] = choice === "same" ? "same" : (Number(choice) ^ flip) === 0 ? "first" : "second";
  at += 1;
  save();
  trial();
}
for (const press of document.querySelectorAll("[data-vote]")) press.addEventListener("click", () => vote(press.dataset.vote));
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.target.closest("video, audio")) return;
  const choice = { 1: "0", 2: "1", 3: "same" }[event.key];
  if (choice) vote(choice);
});
document.getElementById("back").addEventListener("click", () => { at = Math.max(0, at - 1); trial(); });
document.getElementById("clear").addEventListener("click", () => {
  for (const id of Object.keys(votes)) delete votes[id];
  order = drawn();
  at = 0;
  save();
  trial();
});
function exported() {
  const given = data.trials.filter((t) => t.id in votes);
  return { report: data.report, trials: data.digest, votes: given.map((t) => ({ first: t.records[0], second: t.records[1], clip: t.clip, choice: votes[t.id] })) };
}
document.getElementById("export").addEventListener("click", () => {
  const link = make("a", { download: `${data.report}-votes.json`, href: URL.createObjectURL(new Blob([JSON.stringify(exported(), null, 1)], { type: "application/json" })) });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
});
trial();
