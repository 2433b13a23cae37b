// A long form is sent only once the server says that its writer is still signed in: what was typed is lost to no
// sign-out and no time-out. The sentences are in the template beside the form.
const person = document.body.dataset.person;
const byId = (id) => document.getElementById(id);
let asking = false;

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("form[data-hold]")) return;
  event.preventDefault();
  if (!asking) hold(form, event.submitter);
});

async function hold(form, button) {
  asking = true;
  try {
    const answer = await ask("/active", { method: "POST", body: new URLSearchParams({ csrf_token: form.elements.csrf_token.value }) });
    if (answer?.status === 204 && answer.headers.get("X-Overlay-Person") === person) return send(form, button);
    if (answer?.status === 423) return document.dispatchEvent(new CustomEvent("overlay:locked"));
    if (!answer) return say(form, "hold-silent");
    if (await renewed()) return send(form, button);
    say(form, "hold-over");
  } finally {
    asking = false;
  }
}

// Somebody signed in again in another window: if it is the same person, the page's forms get the new mark of the site.
async function renewed() {
  const answer = await ask("/", { headers: { Accept: "text/html" } });
  if (!answer?.ok) return false;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  const token = fresh.querySelector("[name=csrf_token]")?.value;
  if (fresh.body.dataset.person !== person || !token) return false;
  for (const box of document.querySelectorAll("[name=csrf_token]")) box.value = token;
  return true;
}

async function ask(address, how) {
  try {
    return await fetch(address, { ...how, redirect: "manual", signal: AbortSignal.timeout(8000) });
  } catch {
    return null;
  }
}

function send(form, button) {
  if (button?.name) form.append(Object.assign(document.createElement("input"), { type: "hidden", name: button.name, value: button.value }));
  if (button?.hasAttribute("formaction")) form.action = button.getAttribute("formaction");
  form.submit();
}

function say(form, id) {
  form.querySelector(".hold")?.remove();
  const box = Object.assign(document.createElement("p"), { className: "warn hold", tabIndex: -1 });
  box.setAttribute("role", "alert");
  box.append(byId(id).content.cloneNode(true));
  form.append(box);
  box.focus();
}
