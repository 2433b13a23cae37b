// What changed, as the server tells it: passed on to the page, which asks again for what it shows.
// Says when nothing was heard for five seconds, comes back by itself and asks for what was missed.
const SILENT_MS = 5000;
const JITTER_MS = 300; // so that a room full of screens does not ask in the same moment
const byId = (id) => document.getElementById(id);
const words = (id) => byId(id).content.cloneNode(true);
const band = byId("live");

let last = document.body.dataset.live; // the id to go on from
let stream = null;
let heard = Date.now();
let begun = 0; // when this stream was asked for, or last heard of
let retryAt = 0;
let tries = 0;
let asking = false;
let why = "lost";
let told = false;
let state = "";
let waiting = null; // what is passed on when its moment has come

setInterval(look, 500);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) heard = Date.now();
  look();
});
look();

function look() {
  const now = Date.now();
  // A page nobody can see takes no place from one that somebody looks at; it catches up when it is seen.
  if (document.hidden || document.body.classList.contains("is-locked")) {
    rest();
    heard = now;
    tries = retryAt = 0;
  } else if (stream && now - begun > SILENT_MS) {
    lose();
  } else if (!stream && !asking && now >= retryAt) {
    if (tries === 0) open();
    else ask();
  }
  show(now);
}

function open() {
  begun = Date.now();
  stream = new EventSource(`/events?after=${encodeURIComponent(last)}`);
  for (const kind of ["incidents", "markers", "reload", "store", "ended"]) stream.addEventListener(kind, take);
  stream.addEventListener("error", ({ target }) => target === stream && lose());
}

function rest() {
  stream?.close();
  stream = null;
}

function lose() {
  rest();
  tries += 1;
  retryAt = Date.now() + Math.min(5000, 1000 * tries * (1 + Math.random() / 2));
}

// An event stream can't say why it was refused; a plain request can.
async function ask() {
  asking = true;
  try {
    const { status } = await fetch("/events", {
      method: "HEAD",
      headers: { "HX-Request": "true" },
      redirect: "error",
      signal: AbortSignal.timeout(4000),
    });
    why = status === 503 ? "full" : status === 401 || status === 403 ? "over" : "lost";
    if (status === 423) document.dispatchEvent(new CustomEvent("overlay:locked"));
    else if (status === 200 && !stream) return open();
  } catch {
    why = "lost";
  } finally {
    asking = false;
  }
  if (!stream) lose();
}

function take(event) {
  if (event.target !== stream) return;
  heard = begun = Date.now();
  last = event.lastEventId || last;
  const data = JSON.parse(event.data);
  if (event.type === "ended") return lose();
  tries = 0;
  why = "lost";
  if (event.type === "store") {
    if (state && state !== data.state) document.dispatchEvent(new CustomEvent("overlay:store", { detail: data }));
    state = data.state;
    return;
  }
  if (!waiting) {
    waiting = { ids: new Set(), markers: false, reload: false };
    setTimeout(pass, Math.random() * JITTER_MS);
  }
  if (event.type === "incidents") for (const id of data.ids) waiting.ids.add(id);
  else waiting[event.type] = true;
}

function pass() {
  const { ids, markers, reload } = waiting;
  waiting = null;
  if (reload) return document.dispatchEvent(new CustomEvent("overlay:reload"));
  if (ids.size) document.dispatchEvent(new CustomEvent("overlay:incidents", { detail: { ids: [...ids] } }));
  if (markers) document.dispatchEvent(new CustomEvent("overlay:markers"));
}

function show(now) {
  const lost = now - heard > SILENT_MS - 500;
  if (lost) {
    byId("live-for").textContent = `${Math.round((now - heard) / 1000)} s`;
    if (band.dataset.why !== why) byId("live-why").replaceChildren(words(`live-${why}`));
    band.dataset.why = why;
  }
  if (lost === told) return;
  told = lost;
  band.hidden = !lost;
  byId("live-says").replaceChildren(words(lost ? "live-gone" : "live-back"));
}
