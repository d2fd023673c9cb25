// What the page does beyond being read: it fetches itself anew when the daemon says that something has changed, and while
// somebody types a search, and takes over the regions that differ. Everything it shows was written, and escaped, by the server.
"use strict";
(() => {
  const live = document.getElementById("live");
  const say = (on, words) => {
    live.hidden = false;
    live.className = "live " + (on ? "on" : "off");
    const place = live.querySelector(".words");
    if (place.textContent !== words) place.textContent = words;
  };

  // place finds again what has the keyboard in a region: by its name, where it leads, or where it stands in the nearest part with a name.
  const place = (region, e) => {
    if (!e || e === region || !region.contains(e)) return null;
    if (e.id) return (now) => now.querySelector("#" + CSS.escape(e.id));
    if (e.href) return (now) => now.querySelector('a[href="' + CSS.escape(e.getAttribute("href")) + '"]');
    const part = e.closest("[id]"), nth = [...part.querySelectorAll(e.tagName)].indexOf(e);
    return (now) => (part === region ? now : now.querySelector("#" + CSS.escape(part.id)))?.querySelectorAll(e.tagName)[nth];
  };

  // take replaces the regions that differ, and keeps what the reader has opened.
  const take = (text) => {
    const fresh = new DOMParser().parseFromString(text, "text/html");
    const script = (page) => page.querySelector("script")?.getAttribute("src");
    if (script(fresh) && script(fresh) !== script(document)) { location.reload(); return; } // another version of the daemon
    for (const old of document.querySelectorAll("[data-live]")) {
      const now = fresh.getElementById(old.id);
      if (!now) continue;
      const told = (e) => [...e.querySelectorAll("time")].reduce((s, t) => s.replace(t.outerHTML, t.dateTime), e.outerHTML);
      const key = (d) => d.id || d.dataset.key;
      const open = [...old.querySelectorAll("details[open]")].map(key);
      const shut = old.cloneNode(true);
      for (const d of shut.querySelectorAll("details[open]")) d.removeAttribute("open");
      shut.classList.remove("changed");
      if (told(shut) === told(now)) continue;
      const again = place(old, document.activeElement);
      const taken = document.importNode(now, true);
      for (const d of taken.querySelectorAll("details")) if (open.includes(key(d))) d.open = true;
      taken.classList.add("changed");
      old.replaceWith(taken);
      again?.(taken)?.focus({ preventScroll: true });
    }
    if (document.title !== fresh.title) document.title = fresh.title;
  };

  // fetchOne keeps one request on its way; what is asked for meanwhile follows it.
  let busy = false, next = false, newest = 0;
  const refresh = async () => {
    if (busy) { next = true; return; }
    busy = true;
    const mine = ++newest;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
      const text = await answer.text();
      if (mine === newest && (answer.ok || answer.status === 404)) take(text);
    } catch { /* the daemon is away: the events say so */ }
    busy = false;
    if (next) { next = false; setTimeout(refresh, 200); }
  };

  // A browser comes back by itself where the line was cut, and gives up where it is answered otherwise, as by a proxy whose
  // daemon begins anew: then it is told to.
  let events;
  const listen = () => {
    events = new EventSource(live.dataset.events);
    events.addEventListener("open", () => say(true, "live"));
    events.addEventListener("error", () => {
      say(false, "no connection: this is as it was");
      if (events.readyState === EventSource.CLOSED) setTimeout(listen, 3000);
    });
    events.addEventListener("change", refresh);
  };
  listen();
  addEventListener("pagehide", () => events.close());
  addEventListener("pageshow", (e) => { if (e.persisted) location.reload(); });

  for (const form of document.querySelectorAll("form[data-search]")) {
    let wait;
    const search = () => {
      const asked = new URLSearchParams(new FormData(form));
      for (const [key, value] of [...asked]) if (value === "") asked.delete(key);
      history.replaceState(null, "", form.getAttribute("action") + (asked.size ? "?" + asked : ""));
      newest++;
      refresh();
    };
    form.addEventListener("input", () => { clearTimeout(wait); wait = setTimeout(search, 120); });
    form.addEventListener("submit", (e) => { e.preventDefault(); clearTimeout(wait); search(); });
  }

  // Times go on.
  const span = (s) => s < 60 ? Math.floor(s) + " s" : s < 3600 ? Math.floor(s / 60) + " min" : s < 172800 ? Math.floor(s / 3600) + " h" : Math.floor(s / 86400) + " days";
  setInterval(() => {
    for (const t of document.querySelectorAll("time[datetime]")) {
      const s = (Date.now() - Date.parse(t.dateTime)) / 1000;
      const words = s < -1 ? "in " + span(-s) : s < 1 ? "just now" : span(s) + " ago";
      if (t.textContent !== words) t.textContent = words;
    }
  }, 1000);
})();
