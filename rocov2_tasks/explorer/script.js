// The page works without this script: forms and links lead to addresses. With it an address replaces only the parts of the
// page that differ, the keys work, and concepts are offered while one types.
"use strict";

const at = id => document.getElementById(id);
let asking = new AbortController();

function addressOf(form, more = []) {
  const fields = [...new FormData(form), ...more].filter(([, value]) => value !== "");
  const query = new URLSearchParams(fields).toString();
  return query ? `?${query}` : "./";
}

// Show an address. `step` says what the browser's history gets: a new step, the same step with another address, or nothing.
async function go(address, step = "push") {
  asking.abort();
  asking = new AbortController();
  document.body.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(address, { signal: asking.signal });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (!page.getElementById("cards")) throw new Error("not the page");
    const warning = page.getElementById("warning").textContent;
    if (warning && step === "push") at("warning").textContent = warning; // what was shown stays
    else show(page, step);
  } catch (error) {
    if (error.name === "AbortError") return;
    at("warning").textContent = "The explorer does not answer. Is it still running?";
  }
  document.body.removeAttribute("aria-busy");
}

function show(page, step) {
  const focused = document.activeElement?.id;
  for (const part of document.querySelectorAll("[data-part]")) {
    const other = page.getElementById(part.id);
    if (other && part.innerHTML !== other.innerHTML) part.innerHTML = other.innerHTML;
  }
  for (const field of at("filters").elements) {
    const other = field.id && page.getElementById(field.id);
    if (!other || field.closest("[data-part]")) continue;
    if (field.type === "checkbox") field.checked = other.checked;
    else if (field.id !== "concept-input") field.value = field.defaultValue = other.value;
  }
  at("clear").href = page.getElementById("clear").getAttribute("href");
  at("cards").dataset.address = page.getElementById("cards").dataset.address;
  record(step);
  showEnlarged();
  if (focused && document.activeElement?.id !== focused) at(focused)?.focus({ preventScroll: true });
  if (at("view").open && !at("view").contains(document.activeElement)) at("view-close").focus(); // at the last image
}

function record(step) {
  const query = at("cards").dataset.address;
  if (query === location.search) return;
  const address = location.pathname + query;
  if (step === "push") history.pushState(null, "", address);
  else history.replaceState(null, "", address);
}

function showEnlarged() {
  const view = at("view");
  const full = view.childElementCount > 0;
  document.title = full ? `${at("view-title").textContent} · ${at("title").textContent}` : at("title").textContent;
  if (full && !view.matches(":modal")) {
    view.close();
    view.showModal();
    at("view-close").focus();
  } else if (!full && view.open) view.close();
}

function closeEnlarged() {
  const view = at("view");
  const position = new URLSearchParams(location.search).get("view");
  at("cards").dataset.address = new URL(at("view-close").href).search;
  view.replaceChildren();
  record("push");
  showEnlarged();
  at(`image-${position}`)?.focus();
}

addEventListener("popstate", () => go(location.href, "replace"));

addEventListener("click", event => {
  const copy = event.target.closest("[data-copies]");
  if (copy) return void copyText(copy);
  if (event.target === at("view")) return closeEnlarged(); // beside the image
  const link = event.target.closest("a[href]");
  if (!link || link.target || event.ctrlKey || event.metaKey || event.shiftKey || link.matches("#csv, .skip")) return;
  event.preventDefault();
  if (link.id === "view-close") return closeEnlarged();
  const text = at("text");
  const typed = link.closest(".pager") && text.value !== text.defaultValue; // text that was not sent is a new search
  const below = link.closest("#pager-below");
  go(typed ? addressOf(at("filters")) : link.href).then(() => below && at("results").scrollIntoView());
});

addEventListener("submit", event => {
  event.preventDefault();
  go(addressOf(event.target));
});

addEventListener("change", event => {
  if (event.target.matches("#filters [name]:not(#text)")) go(addressOf(at("filters")));
});

addEventListener("keydown", event => {
  if (!at("view").open || event.altKey || event.ctrlKey || event.metaKey) return;
  const move = { ArrowLeft: "view-prev", ArrowRight: "view-next" }[event.key];
  if (move) at(move)?.click();
});

async function copyText(button) {
  const code = at(button.dataset.copies);
  try {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = "Copied";
  } catch { // no secure context
    getSelection().selectAllChildren(code);
    button.textContent = "Selected";
  }
  setTimeout(() => (button.textContent = "Copy"), 2000);
}

// A picture that cannot be shown: its answer says why.
document.addEventListener("error", async event => {
  const image = event.target;
  if (!(image instanceof HTMLImageElement)) return;
  const answer = await fetch(image.src).catch(() => null);
  const reason = document.createElement("span");
  reason.className = "fault";
  reason.textContent = answer && !answer.ok ? await answer.text() : "The picture cannot be shown.";
  image.replaceWith(reason);
}, true);

// The size of a scaled picture, which no column has.
document.addEventListener("load", event => {
  const image = event.target;
  if (!(image instanceof HTMLImageElement)) return;
  const size = image.closest(".card, .enlarged")?.querySelector(".size:empty");
  if (size) size.textContent = ` · ${image.naturalWidth} × ${image.naturalHeight}`;
}, true);

addEventListener("DOMContentLoaded", () => {
  if (matchMedia("(max-width: 50rem)").matches) at("more").open = false;
  record("replace");
  showEnlarged();
  at("view").addEventListener("cancel", event => {
    event.preventDefault();
    closeEnlarged();
  });
  if (at("concept-input")) offerConcepts(at("concept-input"), at("offered"));
});

// Offer concepts for what is typed, as a combobox: arrows choose, Enter takes, Escape closes.
function offerConcepts(input, list) {
  let waiting = new AbortController();
  let active = -1;

  function close() {
    waiting.abort();
    list.hidden = true;
    list.replaceChildren();
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
    active = -1;
  }

  function mark(number) {
    list.children[active]?.setAttribute("aria-selected", "false");
    active = (number + list.children.length) % list.children.length;
    const option = list.children[active];
    option.setAttribute("aria-selected", "true");
    option.scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", option.id);
  }

  function take(option) {
    close();
    input.value = "";
    go(addressOf(at("filters"), [["concept", option.dataset.cui]]));
  }

  async function offer() {
    waiting.abort();
    waiting = new AbortController();
    const query = addressOf(at("filters"), [["find", input.value]]).replace("./", "");
    let found;
    try {
      found = await (await fetch(`concepts.json${query}`, { signal: waiting.signal })).json();
    } catch {
      return;
    }
    list.replaceChildren(...found.map(([cui, name, count], number) => {
      const option = document.createElement("li");
      option.id = `offered-${number}`;
      option.dataset.cui = cui;
      option.setAttribute("role", "option");
      option.setAttribute("aria-selected", "false");
      option.textContent = `${name} · ${cui} · ${count.toLocaleString("en")}`;
      return option;
    }));
    if (!found.length) {
      const nothing = document.createElement("li");
      nothing.textContent = "no concept with this name or CUI";
      nothing.setAttribute("role", "option");
      nothing.setAttribute("aria-disabled", "true");
      list.append(nothing);
    }
    active = -1;
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
  }

  input.addEventListener("input", offer);
  input.addEventListener("click", () => list.hidden && offer());
  input.addEventListener("blur", close);
  list.addEventListener("mousedown", event => event.preventDefault()); // keeps the focus in the field
  list.addEventListener("click", event => {
    const option = event.target.closest("[data-cui]");
    if (option) take(option);
  });
  input.addEventListener("keydown", event => {
    const there = list.querySelector("[data-cui]");
    if (event.key === "Enter") {
      event.preventDefault();
      if (there) take(list.children[Math.max(active, 0)]);
    } else if (event.key === "Escape") {
      close();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (list.hidden) offer();
      else if (there) mark(event.key === "ArrowDown" ? active + 1 : Math.max(active, 0) - 1);
    }
  });
}
