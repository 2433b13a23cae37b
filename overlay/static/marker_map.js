// Markers on the map: a number where there are many, each by itself where there are few. Every one can be reached by Tab.
import { groundMap } from "./ground.js";

const L = window.L;
const says = document.getElementById("map-says");
const form = document.getElementById("marker-search");
const element = document.getElementById("markers-map");
const sent = (fields) => {
  const body = new URLSearchParams(fields);
  for (const [name, value] of new FormData(form)) body.set(name, value);
  return body;
};
const { map, ground } = groundMap(element, sent);
const layer = L.layerGroup().addTo(map);
let asked = null;
let waiting = 0;

ground();
view();
map.on("moveend", () => {
  clearTimeout(waiting);
  waiting = setTimeout(view, 150);
});

async function view() {
  asked?.abort();
  asked = new AbortController();
  const box = map.getBounds();
  const part = { west: box.getWest(), south: box.getSouth(), east: box.getEast(), north: box.getNorth() };
  try {
    const reply = await fetch(element.dataset.view, { method: "POST", body: sent(part), signal: asked.signal });
    if (!reply.ok) throw new Error(String(reply.status));
    show(await reply.json());
  } catch (error) {
    if (error.name !== "AbortError") says.textContent = says.dataset.away;
  }
}

function show({ clusters, markers = [], here, nowhere }) {
  layer.clearLayers();
  for (const { east, north, count } of clusters) number(east, north, count);
  for (const one of markers) put(one);
  if (here === undefined) return;
  const words = here === 0 ? says.dataset.none : `${here.toLocaleString("en-GB")} ${clusters.length ? says.dataset.many : says.dataset.few}`;
  says.textContent = nowhere ? `${words}. ${nowhere.toLocaleString("en-GB")} ${says.dataset.nowhere}.` : `${words}.`;
}

function number(east, north, count) {
  const words = count === null ? "<5" : count.toLocaleString("en-GB");
  const size = 26 + 8 * String(words).length;
  const icon = L.divIcon({ className: "map__count", html: words.replace("<", "&lt;"), iconSize: [size, size] });
  const marker = L.marker([north, east], { icon, alt: words, title: words }).addTo(layer);
  marker.on("click keypress", (event) => event.type === "click" || event.originalEvent.key === "Enter" ? map.setView([north, east], map.getZoom() + 2) : null);
}

function put({ at, east, north, radius, rings, reference, kind, where, state }) {
  const link = document.createElement("a");
  link.href = at;
  link.textContent = reference;
  const box = document.createElement("div");
  box.append(link, ` ${kind}`, document.createElement("br"), where, document.createElement("br"), state);
  for (const ring of rings) L.polygon(ring.map(([x, y]) => [y, x]), { className: "map__zone" }).bindPopup(box).addTo(layer);
  if (radius) L.circle([north, east], { radius, className: "map__zone" }).bindPopup(box).addTo(layer);
  const icon = L.divIcon({ className: "map__dot", iconSize: [18, 18] });
  const words = `${reference}, ${kind}, ${where}`;
  L.marker([north, east], { icon, alt: words, title: words }).bindPopup(box).addTo(layer);
}
