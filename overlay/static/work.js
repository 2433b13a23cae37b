// Incidents and the board: what changed is put in its place, what somebody is typing is left alone.
// Every sentence is in the templates or the server's; without this script the forms work as plain forms.
const byId = (id) => document.getElementById(id);
const root = () => byId("work") ?? byId("rows");
const says = byId("work-says");
const typingIn = (element) => element?.matches("input:not([type=radio], [type=checkbox], [type=submit]), textarea, select") ?? false;

document.addEventListener("keydown", (event) => {
  if (event.altKey && event.key.toLowerCase() === "o") {
    const opens = document.querySelector("form[data-opens]");
    if (opens) {
      event.preventDefault();
      const reference = opens.elements.incident;
      const typed = byId("incident")?.value.trim();
      if (typed) reference.value = typed;
      if (reference.value.trim()) opens.requestSubmit();
      else reference.focus();
    }
  }
});

if (root()) workPage();

function workPage() {
  let skew = Date.parse(root().dataset.now) - Date.now();
  let lastAnswer = Date.now();
  setInterval(tick, 1000);
  tick();

  document.addEventListener("htmx:after:request", (event) => {
    const form = event.target;
    if (!form.matches?.("form[data-work]")) return;
    event.preventDefault();
    const { ctx } = event.detail;
    const { status } = ctx.response;
    if (!/id="(work|desk-)/.test(ctx.text)) return say(says.dataset[`on${status}`] ?? says.dataset.refused);
    say("");
    merge(ctx.text, form);
    if (status === 200) goOn(form);
    if (byId("rows")) renew();
  });
  document.addEventListener("htmx:error", ({ target }) => {
    if (target.matches?.("form[data-work]")) say(says.dataset.noAnswer);
  });

  document.addEventListener("overlay:incidents", ({ detail }) => {
    const own = root().dataset.incident;
    if (!own || detail.ids.includes(own)) renew();
    for (const id of detail.ids) if (byId(`desk-${id}`)?.hidden === false) askFor(`/incidents/${id}?in=board`);
  });

  // A row of the board opens in place; a second time closes it.
  document.addEventListener("click", async (event) => {
    const row = event.target.closest?.("a[data-row]");
    if (!row || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    const desk = byId(`desk-${row.dataset.row}`);
    if (!desk.hidden) {
      const empty = document.createElement("div");
      Object.assign(empty, { id: desk.id, hidden: true });
      empty.dataset.keep = "";
      desk.replaceWith(empty);
      row.setAttribute("aria-expanded", "false");
    } else if (!(await askFor(`${row.getAttribute("href")}?in=board`))) {
      location.href = row.href;
    } else {
      row.setAttribute("aria-expanded", "true");
    }
  });
  document.addEventListener("overlay:markers", renew);
  document.addEventListener("overlay:reload", renew);
  document.addEventListener("overlay:store", renew);
  // What is due passes without anybody doing anything.
  setInterval(() => Date.now() - lastAnswer > 20_000 && renew(), 5_000);

  function renew() {
    return askFor(location.href);
  }

  async function askFor(address) {
    try {
      const reply = await fetch(address, { headers: { "HX-Request": "true" }, signal: AbortSignal.timeout(5000) });
      if (reply.ok) merge(await reply.text(), null);
      return reply.ok;
    } catch {
      return false; // the top bar says that live updates are lost; this page is renewed when they are back
    }
  }

  function merge(html, sent) {
    const fresh = new DOMParser().parseFromString(html, "text/html");
    const next = fresh.querySelector("#work, #rows, [id^=desk-]");
    const old = next && byId(next.id);
    if (!old) return;
    lastAnswer = Date.now();
    skew = Date.parse(next.dataset.now) - Date.now();
    const state = fresh.getElementById("store-state");
    if (state && state.outerHTML !== byId("store-state").outerHTML) byId("store-state").replaceWith(document.importNode(state, true));
    const own = sent?.closest("[data-part]");
    const busy = [...old.querySelectorAll("[data-part]")].filter((part) => part !== own && isBusy(part));
    if (busy.length === 0) swap(old, next);
    else {
      for (const part of next.querySelectorAll("[data-part]")) {
        const before = byId(part.id);
        if (before && !busy.includes(before) && before.dataset.mark !== part.dataset.mark) swap(before, part);
      }
    }
    tick();
  }

  // Rows of the board move only while nobody is in one.
  function isBusy(part) {
    if (part.contains(document.activeElement) && (typingIn(document.activeElement) || document.activeElement.closest("[data-keep]"))) return true;
    return [...part.querySelectorAll("input:not([type=hidden]), textarea, select")].some(isChanged);
  }

  function isChanged(box) {
    if (box.matches("[type=radio], [type=checkbox]")) return box.checked !== box.defaultChecked;
    if (box.matches("select")) return [...box.options].some((option) => option.selected !== option.defaultSelected && (option.selected ? option.index > 0 : true));
    return box.value !== box.defaultValue;
  }

  function swap(old, part) {
    const open = new Set([...old.querySelectorAll("details[open][data-fold]")].map((fold) => fold.dataset.fold));
    const focused = old.contains(document.activeElement) ? placeOf(document.activeElement) : null;
    const fresh = document.importNode(part, true);
    for (const fold of fresh.querySelectorAll("details[data-fold]")) if (open.has(fold.dataset.fold)) fold.open = true;
    for (const kept of old.querySelectorAll("[data-keep]:not([hidden])")) fresh.querySelector(`#${CSS.escape(kept.id)}`)?.replaceWith(kept);
    const selected = selectedIn(old);
    old.replaceWith(fresh);
    window.htmx?.process(fresh);
    if (focused) find(focused)?.focus();
    if (selected) selectAgain(fresh, selected);
  }

  // Words that are selected to be copied stay selected while they are the same words.
  function selectedIn(part) {
    const selection = document.getSelection();
    if (!selection || selection.isCollapsed || !part.contains(selection.anchorNode) || !part.contains(selection.focusNode)) return null;
    const { anchorNode, anchorOffset, focusNode, focusOffset } = selection;
    return { words: selection.toString(), ends: [pathTo(anchorNode, part), anchorOffset, pathTo(focusNode, part), focusOffset] };
  }

  function selectAgain(part, { words, ends: [anchor, anchorOffset, focus, focusOffset] }) {
    const selection = document.getSelection();
    const nodes = [nodeAt(anchor, part), nodeAt(focus, part)];
    if (nodes.includes(undefined)) return;
    try {
      selection.setBaseAndExtent(nodes[0], anchorOffset, nodes[1], focusOffset);
    } catch {
      return; // there is less text now
    }
    if (selection.toString() !== words) selection.removeAllRanges();
  }

  function pathTo(node, part) {
    const path = [];
    for (; node !== part; node = node.parentNode) path.unshift([...node.parentNode.childNodes].indexOf(node));
    return path;
  }

  function nodeAt(path, part) {
    return path.reduce((node, index) => node?.childNodes[index], part);
  }

  function placeOf(element) {
    const part = element.closest("[data-part]");
    return { part: part?.id, what: element.tagName, name: element.getAttribute("name"), value: element.getAttribute("value"), href: element.getAttribute("href") };
  }

  function find({ part, what, name, value, href }) {
    return [...(byId(part)?.querySelectorAll(what) ?? [])].find(
      (element) => element.getAttribute("name") === name && element.getAttribute("value") === value && element.getAttribute("href") === href,
    ) ?? byId(part)?.querySelector("summary, a, button");
  }

  // After an answer the next open point is asked.
  function goOn(form) {
    const id = form.elements.part?.value;
    if (!id || !byId(id)?.matches(".point")) return;
    byId(id).querySelector("details").open = false;
    const points = [...byId(id).closest(".work").querySelectorAll(".point")];
    const next = points.slice(points.indexOf(byId(id)) + 1).find((point) => point.matches(".point--open"));
    if (next) ask(next);
    else byId(id).querySelector("summary").focus();
  }

  function ask(point) {
    point.querySelector("details").open = true;
    (point.querySelector("form input:not([type=hidden]), form textarea, form select") ?? point.querySelector("summary")).focus();
    point.scrollIntoView({ block: "nearest" });
  }

  function tick() {
    const now = Date.now() + skew;
    for (const due of document.querySelectorAll("[data-due]")) {
      const left = Math.round((Date.parse(due.dataset.due) - now) / 1000);
      const words = `${left < 0 ? "overdue" : "due"} ${span(Math.abs(left))}`;
      if (due.textContent !== words) due.textContent = words;
      due.classList.toggle("is-overdue", left < 0);
    }
    for (const age of document.querySelectorAll("[data-since]")) {
      const words = span(Math.max(0, Math.round((now - Date.parse(age.dataset.since)) / 1000)));
      if (age.textContent !== words) age.textContent = words;
    }
  }

  function span(seconds) {
    const minutes = Math.floor(seconds / 60);
    if (minutes >= 60) return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")}`;
    return `${minutes}:${String(seconds % 60).padStart(2, "0")}`;
  }

  function say(words) {
    if (says.textContent !== words) says.textContent = words;
  }

  // A brief that is copied goes to somebody: recorded as passed to the units present.
  document.addEventListener("copy", () => {
    const brief = document.getSelection()?.anchorNode?.parentElement?.closest("[data-brief]");
    const form = brief?.querySelector("form[data-copied]");
    if (form) form.requestSubmit();
  });

  const shortcuts = { n: "not_known", a: "not_asked", s: "not_safe", x: "not_applicable" };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || byId("keys").matches(":popover-open")) return;
    const typing = typingIn(event.target);
    const point = event.target.closest?.(".point");
    if (event.key === "Escape" && typing) return event.target.blur();
    if (typing) return;
    const key = event.key.toLowerCase();
    if (point && point.querySelector("details").open) {
      const form = point.querySelector("form");
      if (form && shortcuts[key]) {
        const button = form.querySelector(`button[value="${shortcuts[key]}"]`);
        if (button) return event.preventDefault(), form.requestSubmit(button);
      }
      if (form && /^[1-9]$/.test(event.key)) {
        const box = form.querySelectorAll(".pick input")[Number(event.key) - 1];
        if (box) return event.preventDefault(), box.focus(), box.click();
      }
      if (form && event.key === "Enter" && event.target.matches("input")) return event.preventDefault(), form.requestSubmit();
    }
    if (key === "arrowdown" || key === "arrowup" || key === "j" || key === "k") {
      if (event.target.matches?.("[type=radio]") && key.startsWith("arrow")) return;
      const stops = [...document.querySelectorAll(".point > details > summary, a[data-row]")];
      const here = stops.findIndex((stop) => stop === event.target || stop.closest("[data-part]").contains(event.target));
      const next = stops[here + (key === "arrowdown" || key === "j" ? 1 : -1)];
      if (next) return event.preventDefault(), next.focus();
    }
    const box = key === "v" ? nextPoint("video") : key === "t" ? nextPoint("supervisor") : key === "c" ? nextPoint("caller") : null;
    if (box) return event.preventDefault(), ask(box);
    const target = document.querySelector(`[data-key="${CSS.escape(key)}"]`);
    if (target) {
      event.preventDefault();
      if (target.matches("button")) target.click();
      else target.focus();
    }
  });

  function nextPoint(kind) {
    return document.querySelector(`.point--open[data-kind="${kind}"]`) ?? document.querySelector(`.point[data-kind="${kind}"]`);
  }
}
