// What the pages do beyond reading: they refresh when something happens, ask before they destroy, and say
// when the server is lost and has moved. Without this file all of them can be read and used.

const banner = document.getElementById("banner");
const streamUrl = document.body.dataset.liveStream;
let active = document.body.dataset.active;
let stream = null;
let lost = false;
let refreshing = Promise.resolve();

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const title = (name) => name.charAt(0).toUpperCase() + name.slice(1);

function say(text, good = false) {
  banner.textContent = text;
  banner.classList.toggle("good", good);
  banner.hidden = text === "";
}

// --- fragments: elements with an id and data-live are replaced by those of the same page, fetched anew

async function page(url) {
  const answer = await fetch(url, { headers: { "X-Refresh": "1" }, cache: "no-store" });
  if (answer.status === 401) {
    location.reload(); // the session has ended: the server shows the sign-in
  }
  if (!answer.ok) {
    throw new Error(`HTTP ${answer.status}`);
  }
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

function isBusy(element) {
  const focused = document.activeElement;
  return element.contains(focused) && focused.matches("input, select, textarea");
}

function swap(fresh) {
  for (const old of document.querySelectorAll("[data-live]")) {
    const now = fresh.getElementById(old.id);
    if (now === null) {
      old.remove(); // the High Availability widget after a teardown
      continue;
    }
    if (isBusy(old)) {
      continue;
    }
    const open = [...old.querySelectorAll("details")].map((details) => details.open);
    now.querySelectorAll("details").forEach((details, place) => {
      details.open = open[place] ?? details.open;
    });
    if (old.outerHTML !== now.outerHTML) {
      const focused = old.contains(document.activeElement) ? document.activeElement : null;
      const place = focused && [...old.querySelectorAll("a, button, summary, [tabindex]")].indexOf(focused);
      old.replaceWith(document.importNode(now, true));
      if (focused) {
        document.getElementById(old.id).querySelectorAll("a, button, summary, [tabindex]")[place]?.focus();
      }
    }
  }
  const foot = fresh.querySelector("footer");
  if (foot) {
    document.querySelector("footer").replaceWith(document.importNode(foot, true));
  }
}

function refresh(url = location.href) {
  if (!document.querySelector("[data-live]")) {
    return Promise.resolve();
  }
  refreshing = refreshing.then(async () => swap(await page(url))).catch(() => {});
  return refreshing;
}

// --- the stream of changes, and what is said when it breaks

function listen() {
  stream?.close();
  stream = new EventSource(streamUrl);
  stream.addEventListener("change", (event) => {
    const told = JSON.parse(event.data);
    active = told.active ?? active;
    document.body.dataset.updates = String(Number(document.body.dataset.updates ?? 0) + 1);
    refresh();
  });
  stream.addEventListener("error", () => {
    stream.close();
    comeBack();
  });
}

async function comeBack() {
  if (lost) {
    return;
  }
  lost = true;
  const before = active;
  for (let tries = 0; ; tries += 1) {
    try {
      const answer = await fetch("/health", { cache: "no-store" });
      if (answer.ok) {
        active = (await answer.json()).active ?? active;
        break;
      }
    } catch {
      // not there yet
    }
    say("The server does not answer. This page waits for it, and comes back by itself.");
    await sleep(Math.min(250 * (tries + 1), 2000));
  }
  lost = false;
  const moved = active && before && active !== before;
  if (moved) {
    say(`The server has moved: the ${title(active)} is Active now.`, true);
  } else if (!banner.hidden) {
    say("The server answers again.", true);
  }
  await refresh();
  listen();
  setTimeout(() => say(""), moved ? 15000 : 5000);
}

if (streamUrl) {
  listen();
  addEventListener("pagehide", () => stream?.close());
  // A browser opens six connections to a server at most: what nobody looks at gives its one back.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      stream?.close();
    } else if (!lost) {
      refresh();
      listen();
    }
  });
}

// --- questions before what destroys

document.addEventListener("submit", (event) => {
  const form = event.target;
  const question = form.dataset.confirm;
  if (!question || form.elements.confirmed) {
    return;
  }
  event.preventDefault();
  const dialog = document.createElement("dialog");
  const text = document.createElement("p");
  const answers = document.createElement("form");
  text.id = "question";
  text.textContent = question;
  dialog.setAttribute("aria-labelledby", "question");
  answers.method = "dialog";
  answers.className = "buttons";
  for (const [value, label, look] of [["yes", "Yes, do it", "danger"], ["no", "No", ""]]) {
    const button = document.createElement("button");
    Object.assign(button, { value, textContent: label, className: look, autofocus: value === "no" });
    answers.append(button);
  }
  dialog.append(text, answers);
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (dialog.returnValue === "yes") {
      const confirmed = document.createElement("input");
      Object.assign(confirmed, { type: "hidden", name: "confirmed", value: "yes" });
      form.append(confirmed);
      form.requestSubmit(event.submitter);
    }
  });
  document.body.append(dialog);
  dialog.showModal();
});

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-submit]")) {
    event.target.form.requestSubmit();
  }
});
