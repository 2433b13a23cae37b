// The bar's words on the store, renewed while a page stays open: at once where changes are told as they come, else now and then.
const EACH_MS = 15_000;
const byId = (id) => document.getElementById(id);
let asking = false;

document.addEventListener("overlay:store", renew);
if (!("live" in document.body.dataset)) setInterval(renew, EACH_MS);

async function renew() {
  if (asking || document.hidden || document.body.classList.contains("is-locked")) return;
  asking = true;
  try {
    const reply = await fetch("/store-state", { headers: { "HX-Request": "true" }, redirect: "error", signal: AbortSignal.timeout(4000) });
    if (reply.ok) show(await reply.text());
  } catch {
    // Not reached: the page says elsewhere that it hears nothing, and the next check says so itself.
  } finally {
    asking = false;
  }
}

function show(html) {
  const fresh = new DOMParser().parseFromString(html, "text/html").getElementById("store-state");
  const old = byId("store-state");
  if (!fresh || !old || fresh.className === old.className) return;
  // An answer from an old copy stays on the screen as what it is: nothing says "current" over it.
  if (fresh.classList.contains("store-state--current") && document.querySelector(".head__last-known, .elsewhere__last-known")) return;
  old.replaceWith(document.importNode(fresh, true));
}
