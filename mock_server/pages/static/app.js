// What the pages do beyond reading: they refresh when something happens, and say when the server is lost and
// has moved. Without this file all of them can be read and used.

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
    tellOfMove(JSON.parse(event.data).active);
    document.body.dataset.updates = String(Number(document.body.dataset.updates ?? 0) + 1);
    refresh();
  });
  stream.addEventListener("error", () => {
    stream.close();
    comeBack();
  });
}

// Whether another server is Active than the one that was; the one that stops may be the first to say so.
function tellOfMove(now) {
  const moved = Boolean(now && active && now !== active);
  active = now ?? active;
  if (moved) {
    say(`The server has moved: the ${title(active)} is Active now.`, true);
    setTimeout(() => say(""), 15000);
  }
  return moved;
}

async function comeBack() {
  if (lost) {
    return;
  }
  lost = true;
  let now = null;
  for (let tries = 0; ; tries += 1) {
    try {
      const answer = await fetch("/health", { cache: "no-store" });
      if (answer.ok) {
        now = (await answer.json()).active;
        break;
      }
    } catch {
      // not there yet
    }
    say("The server does not answer. This page waits for it, and comes back by itself.");
    await sleep(Math.min(250 * (tries + 1), 2000));
  }
  lost = false;
  if (!tellOfMove(now) && !banner.hidden && !banner.classList.contains("good")) {
    say("The server answers again.", true);
    setTimeout(() => say(""), 5000);
  }
  await refresh();
  listen();
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
