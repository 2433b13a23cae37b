// A soft tone when something new needs a person, for those who switched it on. Off at first; kept by this browser alone.
// What needs somebody carries its names in data-sounds; what was there when the page came makes no sound.
const KEPT = "overlay-sound";
const LEAST_BETWEEN_MS = 5000;
const button = document.getElementById("sound");
let heard = names();
let context = null;
let last = 0;
let soon = 0; // a tone that waits for the one before it
let on = localStorage.getItem(KEPT) === "on";

show();
button.hidden = false;
button.addEventListener("click", () => {
  on = !on;
  localStorage.setItem(KEPT, on ? "on" : "off");
  if (on) wake().then(tone);
  show();
});
// A browser lets a page sound only after somebody has touched it.
for (const kind of ["keydown", "pointerdown"]) addEventListener(kind, () => on && wake(), { capture: true });
new MutationObserver(listen).observe(document.body, { subtree: true, childList: true, attributes: true, attributeFilter: ["data-sounds", "hidden"] });

function names() {
  const shown = [...document.querySelectorAll("[data-sounds]")].filter((element) => !element.hidden);
  return new Set(shown.flatMap((element) => element.dataset.sounds.split(" ").filter(Boolean)));
}

function listen() {
  const now = names();
  const fresh = [...now].some((name) => !heard.has(name));
  heard = now;
  if (fresh && on && !soon) soon = setTimeout(tone, Math.max(0, last + LEAST_BETWEEN_MS - Date.now()));
}

async function wake() {
  context ??= new AudioContext();
  if (context.state === "suspended") await context.resume();
  show();
}

function tone() {
  soon = 0;
  if (!on) return;
  if (context?.state !== "running") return show();
  last = Date.now();
  const from = context.currentTime;
  const gain = new GainNode(context, { gain: 0 });
  const note = new OscillatorNode(context, { frequency: 523 });
  gain.gain.linearRampToValueAtTime(0.15, from + 0.03);
  gain.gain.setValueAtTime(0.15, from + 0.25);
  gain.gain.linearRampToValueAtTime(0, from + 0.45);
  note.connect(gain).connect(context.destination);
  note.start(from);
  note.stop(from + 0.5);
}

function show() {
  button.setAttribute("aria-pressed", String(on));
  const words = !on ? button.dataset.off : context?.state === "running" ? button.dataset.on : button.dataset.waits;
  if (button.textContent !== words) button.textContent = words;
}
