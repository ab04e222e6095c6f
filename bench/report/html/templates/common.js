"use strict";
// Everything that a record says reaches the page as text (textContent, attributes); nothing is parsed as markup.
const data = JSON.parse(document.getElementById("data").textContent);

function make(tag, told = {}, ...children) {
  const svg = ["svg", "line", "circle", "rect", "text", "title", "g"].includes(tag);
  const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(told)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

function remember(name, value) {
  try { if (value === undefined) return localStorage.getItem(name); localStorage.setItem(name, value); } catch (refused) { return null; } // some browsers refuse storage to files
}

// One sound at a time.
document.addEventListener("play", (event) => {
  for (const other of document.querySelectorAll("audio, video")) if (other !== event.target) other.pause();
}, true);

const button = document.getElementById("theme");
const themes = ["system", "light", "dark"];
function show(theme) {
  if (theme === "system") delete document.documentElement.dataset.theme; else document.documentElement.dataset.theme = theme;
  button.textContent = `theme: ${theme}`;
}
let theme = themes.includes(remember("bench-theme")) ? remember("bench-theme") : "system";
show(theme);
button.addEventListener("click", () => { theme = themes[(themes.indexOf(theme) + 1) % 3]; show(theme); remember("bench-theme", theme); });

function sound(told, name) {
  const player = make(told.kind === "video" ? "video" : "audio", { controls: "", preload: "none", "aria-label": name, src: `${data.files}/${told.src}` });
  if (told.kind === "video") player.setAttribute("playsinline", "");
  if (told.poster) player.poster = `${data.files}/${told.poster}`;
  return player;
}
