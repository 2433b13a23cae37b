// The lock: after a while without a key or the mouse the page goes behind a dialog, and stays as it was.
// The server locks by itself too; this script only hides sooner, and never opens without the server's word.
const lock = document.getElementById("lock");
const form = document.getElementById("lock-form");
const password = document.getElementById("lock-password");
const problem = document.getElementById("lock-problem");
const { person } = document.body.dataset;
const idleMs = Number(document.body.dataset.idleS) * 1000;
const reportMs = Math.min(60_000, idleMs / 3);
const others = new BroadcastChannel("overlay-lock"); // the other windows of this browser

let active = Date.now();
let reported = Date.now();
let locked = false;

for (const kind of ["keydown", "pointerdown", "pointermove", "wheel"]) {
  window.addEventListener(kind, somebodyIsThere, { capture: true, passive: true });
}

// Keys meant for the page under the dialog must not reach it: Esc would clear a call.
window.addEventListener("keydown", (event) => {
  if (locked) {
    event.stopImmediatePropagation();
    if (event.key === "Escape") event.preventDefault();
  } else if (event.altKey && !event.ctrlKey && !event.metaKey && event.code === "KeyL") {
    event.preventDefault();
    lockNow();
  }
}, true);

document.querySelector("[data-lock-now]").addEventListener("submit", (event) => {
  event.preventDefault();
  lockNow();
});

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (password) unlock();
});

lock.addEventListener("cancel", (event) => event.preventDefault());
lock.addEventListener("close", () => locked && lock.showModal());

document.addEventListener("htmx:after:request", ({ detail }) => {
  if (detail.ctx?.response?.status === 423) cover();
});

document.addEventListener("overlay:locked", cover); // live.js was told by the server

others.addEventListener("message", ({ data }) => {
  if (data.kind === "active") active = Math.max(active, data.at);
  else if (data.kind === "locked") cover();
  else if (data.kind === "open" && locked) openFor(data.person);
});

document.addEventListener("visibilitychange", lookAtTheClock);
window.addEventListener("pageshow", (event) => event.persisted && report());
setInterval(lookAtTheClock, 1000);
others.postMessage({ kind: "open", person });

function somebodyIsThere() {
  const now = Date.now();
  if (locked || now - active >= idleMs) return lookAtTheClock();
  active = now;
  if (now - reported >= reportMs) report();
}

async function report() {
  reported = Date.now();
  others.postMessage({ kind: "active", at: reported });
  const answer = await ask("/active");
  if (answer?.status === 423) cover();
}

function lookAtTheClock() {
  if (!locked && Date.now() - active >= idleMs) lockNow();
}

function lockNow() {
  cover();
  others.postMessage({ kind: "locked" });
  ask("/lock");
}

function cover() {
  if (locked) return;
  locked = true;
  document.getElementById("keys").hidePopover();
  if (problem) problem.textContent = "";
  lock.showModal(); // everything else is inert from here on
  document.body.classList.add("is-locked");
  password?.focus();
}

function uncover() {
  locked = false;
  active = reported = Date.now();
  document.body.classList.remove("is-locked");
  lock.close(); // the focus goes back to where it was
}

async function unlock() {
  const answer = await ask("/unlock");
  password.value = "";
  if (answer?.status === 204) {
    others.postMessage({ kind: "open", person: answer.headers.get("X-Overlay-Person") });
    return openFor(answer.headers.get("X-Overlay-Person"));
  }
  if (!answer) problem.replaceChildren(document.getElementById("lock-silent").content.cloneNode(true));
  else if (answer.status === 410) problem.replaceChildren(document.getElementById("lock-ended").content.cloneNode(true));
  else if (answer.headers.get("Content-Type")?.startsWith("text/plain")) problem.textContent = await answer.text();
  else problem.replaceChildren(document.getElementById("lock-silent").content.cloneNode(true));
  password.focus();
}

// What one person had on the screen is never shown to another who signed in here meanwhile.
function openFor(whom) {
  if (whom === person) uncover();
  else window.location.replace("/");
}

async function ask(path) {
  try {
    return await fetch(path, {
      method: "POST",
      body: new URLSearchParams(new FormData(form)),
      headers: { "HX-Request": "true" },
      redirect: "error",
      signal: AbortSignal.timeout(8000),
    });
  } catch {
    return null;
  }
}
