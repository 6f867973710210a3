// The live page: exports come as server-sent events and become rows, the newest first, never more than MOST. Paused, or away from the top
// of the table, they wait behind a button that counts them.
(() => {
  "use strict";
  const { gridgate } = window;
  const MOST = 200;
  const TRIES = 20;
  const started = new WeakSet();

  const short = (number) => {
    if (number < 10000) return number.toLocaleString("en");
    const [one, unit] = [[1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "k"]].find(([from]) => number >= from);
    const value = number / one;
    const digits = value < 10 ? 2 : value < 100 ? 1 : 0;
    return `${Math.floor(value * 10 ** digits) / 10 ** digits} ${unit}`;
  };
  const bytes = (number) => {
    if (number < 1024) return `${number} B`;
    const units = ["KiB", "MiB", "GiB", "TiB"];
    const at = Math.min(units.length, Math.floor(Math.log2(number) / 10));
    return `${Math.floor((number / 1024 ** at) * 10) / 10} ${units[at - 1]}`;
  };
  const took = (micros) => {
    if (micros < 1000) return `${micros} µs`;
    return micros < 1e6 ? `${Math.floor(micros / 1000)} ms` : `${Math.floor(micros / 1e5) / 10} s`;
  };

  const start = (root) => {
    if (started.has(root)) return;
    started.add(root);
    const part = (name) => root.querySelector(`[data-live-${name}]`);
    const [rows, words, fresh, missed, pause] = ["rows", "words", "new", "missed", "pause"].map(part);
    const state = part("state");
    const blank = part("row").content.querySelector("tr");
    const retryable = new Set(root.dataset.retryable.split(" "));
    // What environments are called in short, as everywhere.
    const codes = new Map(root.dataset.codes.split(" ").map((pair) => pair.split("=")));
    let held = [];
    let held_all = 0;
    let lost = 0;
    let tries = 0;
    let paused = false;
    let drawing = false;

    const tell = (name, text) => {
      state.dataset.liveState = name;
      if (words.textContent !== text) words.textContent = text;
    };

    const row = (one) => {
      const made = blank.cloneNode(true);
      const kind = one.outcome !== "refused" ? one.outcome : retryable.has(one.reason) ? "retryable" : "dropped";
      const has = [kind, one.project ? "proved" : "unproved", one.key ? "key" : one.claimed_key ? "claimed" : "no-key"];
      if (one.reason) has.push("reason");
      for (const of of made.querySelectorAll("[data-of]")) if (!has.includes(of.dataset.of)) of.remove();
      const none = (value, show) => (value === null || value === undefined ? "–" : show(value));
      const texts = {
        at: one.at.slice(11, 19),
        signal: one.signal || "–",
        project: one.project,
        grid: one.grid,
        environment: codes.get(one.environment) || one.environment,
        sender: one.service || one.user_agent || "Unknown",
        address: one.address,
        key: one.key,
        claimed: one.claimed_key,
        items: none(one.items, short),
        size: none(one.wire_bytes, bytes),
        took: took(one.duration_us),
        reason: one.reason,
      };
      for (const cell of made.querySelectorAll("[data-cell]")) {
        cell.textContent = texts[cell.dataset.cell];
        if (cell.dataset.cell === "at") cell.dateTime = cell.title = one.at;
        if (cell.dataset.cell === "sender") cell.title = texts.sender;
        if (cell.dataset.cell === "reason") cell.title = one.detail || one.advice;
        if (cell.dataset.cell === "environment") cell.title = one.environment;
        if (cell.dataset.keys) cell.href = cell.dataset.keys + encodeURIComponent(one.key);
      }
      return made;
    };

    // Rows that would move what somebody reads wait.
    const away = () => rows.contains(document.activeElement) || root.getBoundingClientRect().top < 0;

    const show = () => {
      part("none")?.remove();
      rows.prepend(...held.map(row).reverse());
      while (rows.children.length > MOST) rows.lastElementChild.remove();
      held = [];
      held_all = 0;
      fresh.hidden = true;
    };

    const draw = () => {
      drawing = false;
      if (!held.length) return;
      if (!paused && !away()) {
        show();
        return;
      }
      fresh.hidden = false;
      fresh.textContent = `${held_all.toLocaleString("en")} new`;
    };

    const take = (one) => {
      held.push(one);
      held_all += 1;
      if (held.length > MOST) held.shift();
      if (drawing) return;
      drawing = true;
      setTimeout(draw, 200);
    };

    // What is over by itself: the browser asks again.
    const PASSING = {
      stopping: "The gate restarts. Waiting for it…",
      rate_limited: "Too many requests. Trying again…",
      catalog_unavailable: "The gate is not ready. Trying again…",
    };
    const ENDS = {
      session: "Your session is over. Sign in again.",
      key: "Your key may no longer watch.",
      elsewhere: "This session watches in another window. Load this page again to watch here.",
      catalog: "The gate cannot find out whether you may watch. Load this page again.",
    };

    let source;
    let over;
    let again;

    const open = () => {
      source = new EventSource(root.dataset.live);
      over = false;
      source.addEventListener("open", () => {
        tries = 0;
        tell("live", paused ? "Paused" : "Live");
      });
      source.addEventListener("export", (event) => take(JSON.parse(event.data)));
      source.addEventListener("missed", (event) => {
        lost += JSON.parse(event.data).count;
        missed.hidden = false;
        missed.textContent = `${lost.toLocaleString("en")} came too fast to be shown`;
      });
      source.addEventListener("end", (event) => {
        const { reason, detail } = JSON.parse(event.data);
        if (PASSING[reason]) {
          tell("lost", PASSING[reason]);
          return;
        }
        over = true;
        source.close();
        tell("ended", ENDS[reason] || `Not live: ${detail || reason}.`);
      });
      source.addEventListener("error", () => {
        if (over) return;
        tell("lost", "Connection lost. Trying again…");
        if (source.readyState !== EventSource.CLOSED) return;
        tries += 1;
        if (tries > TRIES) tell("ended", "Connection lost. Load this page again.");
        else again = setTimeout(open, 3000);
      });
    };

    addEventListener("pagehide", () => {
      over = true;
      clearTimeout(again);
      source.close();
    });
    // The page is shown again as it was left.
    addEventListener("pageshow", (event) => {
      if (event.persisted) open();
    });

    pause.hidden = false;
    pause.addEventListener("click", () => {
      paused = !paused;
      pause.setAttribute("aria-pressed", String(paused));
      part("pause-words").textContent = paused ? "Resume" : "Pause";
      if (state.dataset.liveState === "live") tell("live", paused ? "Paused" : "Live");
      draw();
    });
    fresh.addEventListener("click", () => {
      // The button goes.
      pause.focus();
      show();
    });
    addEventListener("scroll", () => {
      if (held.length && !drawing) draw();
    }, { passive: true });
    tell("waiting", "Connecting…");
    open();
  };

  gridgate.whenThere.push((piece) => {
    for (const root of piece.querySelectorAll("[data-live]")) start(root);
  });
})();
