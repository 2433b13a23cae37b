// The check page, made quick: keys, and a result that never looks more current than it is.
// Every sentence is in the templates; without this script the forms work as plain forms.
import { createAll, PasswordInput } from "./vendor/govuk-frontend.min.js";

document.body.classList.add("js-enabled", "govuk-frontend-supported");
createAll(PasswordInput);

const byId = (id) => document.getElementById(id);
const keys = byId("keys");
const typingIn = (element) => element?.matches("input:not([type=submit]), textarea, select") ?? false;

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const field = typingIn(event.target) ? event.target : null;
  const asksForKeys = event.key === "F1" || (event.key === "?" && (!field || (field.value === "" && !field.matches("[type=password]"))));
  if (asksForKeys) {
    event.preventDefault();
    keys.togglePopover();
  }
});

// The room's word on a match. With several on the page, on the one in focus; otherwise the first is put in focus.
const WORDS = { w: "wrong_place", m: "moved", r: "still_right" };
document.addEventListener("keydown", (event) => {
  const kind = event.altKey && !event.ctrlKey && !event.metaKey && WORDS[event.key.toLowerCase()];
  if (!kind) return;
  const forms = [...document.querySelectorAll("form[data-feedback]")];
  if (!forms.length) return;
  event.preventDefault();
  const mine = document.activeElement.closest("form[data-feedback]") ?? (forms.length === 1 ? forms[0] : null);
  const button = (mine ?? forms[0]).querySelector(`[value=${kind}]`);
  if (mine) button.click();
  else button.focus();
});

const form = byId("ask");
if (form) checkPage();

function checkPage() {
  const answer = byId("answer");
  const underWay = byId("under-way");
  const earlier = byId("earlier");
  const where = byId("location");
  const boxes = [...form.querySelectorAll("input:not([type=hidden]), select")];
  const typed = () => JSON.stringify(boxes.map((box) => box.value.trim()));

  let current = null; // the request whose answer is awaited; any other is ignored
  let asked = typed(); // what the result on the page answers
  let askedNow = null; // what the request under way asks

  // Browsers put edited text back into boxes after a reload; the result is the server's, for what the server was sent.
  asked = JSON.stringify(boxes.map((box) => (box.matches("select") ? defaultOf(box) : box.defaultValue).trim()));
  if (!hasResult()) asked = null;
  markEarlier();

  // The forms under an answer check what it was about once more, under other rights: not what is typed by now.
  const checks = (element) => element === form || element.matches?.("form[data-checks]");

  document.addEventListener("htmx:before:request", ({ target, detail }) => {
    if (!checks(target)) return;
    current = detail.ctx;
    askedNow = target === form ? typed() : asked;
    answer.setAttribute("aria-busy", "true");
    underWay.hidden = false;
    earlier.hidden = true;
  });

  document.addEventListener("htmx:after:request", (event) => {
    const { ctx } = event.detail;
    if (!checks(event.target)) return;
    if (ctx !== current) return event.preventDefault();
    const problem = whatIsWrongWith(ctx);
    if (!problem) return;
    event.preventDefault();
    showNoAnswer(problem);
  });

  document.addEventListener("htmx:after:swap", ({ detail }) => {
    if (detail.ctx === current && current) settle();
  });

  document.addEventListener("htmx:error", ({ detail }) => {
    if (detail.ctx && detail.ctx === current) showNoAnswer(detail.error === "timeout" ? "late" : "unreachable");
  });

  // Whatever else ends a request without an answer must not leave the result before it standing.
  document.addEventListener("htmx:finally:request", ({ detail }) => {
    if (detail.ctx && detail.ctx === current) showNoAnswer("fault");
  });

  form.addEventListener("input", markEarlier);
  form.addEventListener("change", markEarlier);

  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.matches("select")) {
      event.preventDefault();
      form.requestSubmit();
    }
  });

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === "Escape" && !keys.matches(":popover-open")) {
      event.preventDefault();
      nextCall();
    } else if (event.key === "/" && !typingIn(event.target)) {
      event.preventDefault();
      where.focus();
      where.select();
    }
  });

  byId("next-call").addEventListener("click", (event) => {
    event.preventDefault();
    nextCall();
  });

  // A page brought back by the browser's Back button shows an answer of some time ago.
  window.addEventListener("pageshow", (event) => {
    if (event.persisted && hasResult()) {
      asked = null;
      markEarlier();
    }
  });

  function hasResult() {
    return answer.firstElementChild?.dataset.result !== "none";
  }

  function defaultOf(select) {
    return [...select.options].find((option) => option.defaultSelected)?.value ?? select.options[0]?.value ?? "";
  }

  function whatIsWrongWith(ctx) {
    const { status, raw } = ctx.response;
    if (status === 401 || (raw.redirected && new URL(raw.url).pathname.startsWith("/sign-in"))) return "signed-out";
    if (status === 423) return "locked";
    if (status === 429) return "busy";
    if (!ctx.text.trimStart().startsWith('<div class="result"')) return status === 400 || status === 403 ? "refused" : "fault";
    return null;
  }

  function showNoAnswer(problem) {
    answer.replaceChildren(byId(`no-answer-${problem}`).content.cloneNode(true));
    if (["late", "unreachable", "fault"].includes(problem)) {
      byId("store-state").replaceWith(byId("store-silent").content.cloneNode(true));
    }
    settle();
  }

  function settle() {
    current = null;
    asked = askedNow;
    answer.setAttribute("aria-busy", "false");
    underWay.hidden = true;
    const result = answer.querySelector("[data-result]");
    for (const box of boxes) {
      const wrong = box.name !== "" && box.name === result?.dataset.field;
      box.setAttribute("aria-invalid", String(wrong));
      box.classList.toggle(box.matches("select") ? "govuk-select--error" : "govuk-input--error", wrong);
      if (wrong) box.focus();
    }
    markEarlier();
    say(result?.dataset.spoken ?? "", result?.dataset.result === "could_not_check");
  }

  function say(text, urgent) {
    byId("says-status").textContent = urgent ? "" : text;
    byId("says-alert").textContent = urgent ? text : "";
  }

  function markEarlier() {
    const isEarlier = hasResult() && !current && asked !== typed();
    answer.classList.toggle("is-earlier", isEarlier);
    earlier.hidden = !isEarlier;
  }

  function nextCall() {
    const waiting = current;
    current = null;
    waiting?.request.abort();
    for (const box of boxes) {
      box.value = "";
      box.setAttribute("aria-invalid", "false");
      box.classList.remove("govuk-input--error", "govuk-select--error");
    }
    answer.setAttribute("aria-busy", "false");
    underWay.hidden = true;
    answer.replaceChildren(byId("no-call-yet").content.cloneNode(true));
    asked = null;
    markEarlier();
    say("", false);
    where.focus();
    window.scrollTo(0, 0);
  }
}
