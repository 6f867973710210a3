// What every page does: it works without all of this.
(() => {
  "use strict";
  const root = document.documentElement;

  // Other parts use these.
  const gridgate = (window.gridgate = {
    // Told to screen readers; what went wrong is seen as well. What is behind an open dialog is told to nobody.
    say(text, failed = false) {
      for (const place of document.querySelectorAll("[data-said]")) {
        place.textContent = text;
        place.classList.toggle("said-failed", failed);
        place.classList.toggle("visually-hidden", !failed);
      }
    },
    // HTML comes from this server alone.
    parse: (() => {
      const policy = window.trustedTypes
        ? window.trustedTypes.createPolicy("gridgate", { createHTML: (html) => html })
        : { createHTML: (html) => html };
      return (html) => new DOMParser().parseFromString(policy.createHTML(html), "text/html");
    })(),
    // Called for every piece of a page that comes in, and once for the page itself.
    whenThere: [],
    arrived(piece) {
      for (const one of gridgate.whenThere) one(piece);
    },
  });

  document.addEventListener("click", (event) => {
    const menu = event.target.closest("[data-menu]");
    if (menu) {
      const side = document.getElementById(menu.getAttribute("aria-controls"));
      const open = side.classList.toggle("open");
      menu.setAttribute("aria-expanded", String(open));
      if (open) side.querySelector("a, select").focus();
    }
    const reveal = event.target.closest("[data-reveal]");
    if (reveal) {
      const input = document.getElementById(reveal.dataset.reveal);
      const shown = input.type === "password";
      input.type = shown ? "text" : "password";
      reveal.setAttribute("aria-pressed", String(shown));
    }
    for (const details of document.querySelectorAll("details[data-popup][open]")) {
      if (!details.contains(event.target)) details.open = false;
    }
  });

  // What is chosen is sent, as if by the button of that id, where it names one. After it one is where one was.
  const send = (field) => {
    waiting = null;
    if (field.id && !field.closest("dialog")) sessionStorage.setItem("gridgate-focus", field.id);
    if (field.hasAttribute("data-unfinished")) field.form.noValidate = true;
    field.form.requestSubmit(document.getElementById(field.dataset.submit));
  };

  // By keys one passes what one does not want: it is sent by Enter, or once the field is left.
  let keyed = null;
  let waiting = null;
  document.addEventListener("pointerdown", () => {
    keyed = null;
  });
  document.addEventListener("change", (event) => {
    const field = event.target;
    if (!field.matches("[data-submit]")) return;
    if (keyed === field && field.matches("select")) waiting = field;
    else send(field);
  });
  document.addEventListener("focusout", (event) => {
    if (waiting && event.target === waiting) send(waiting);
  });

  document.addEventListener("keydown", (event) => {
    if (event.target.matches("select[data-submit]")) {
      if (event.key !== "Enter") keyed = event.target;
      else if (waiting === event.target) {
        event.preventDefault();
        send(waiting);
      }
    }
    const typing = event.target.closest("input, textarea, select");
    if (event.key === "Escape") {
      const popup = event.target.closest("details[data-popup][open]");
      if (popup) {
        popup.open = false;
        popup.querySelector("summary").focus();
      }
      return;
    }
    const row = event.target.closest("[data-arrows]");
    if (row && (event.key === "ArrowRight" || event.key === "ArrowLeft")) {
      const all = [...row.querySelectorAll("a, button")];
      const at = all.indexOf(event.target) + (event.key === "ArrowRight" ? 1 : -1);
      all[(at + all.length) % all.length].focus();
      event.preventDefault();
      return;
    }
    if (root.dataset.shortcuts === "off") return;
    if (typing || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const target = { "/": "[data-search]", n: "[data-new]" }[event.key];
    const found = target && document.querySelector(target);
    if (!found) return;
    event.preventDefault();
    if (event.key === "/") found.focus();
    else found.click();
  });

  // Where nobody chose a theme the system's is shown, which the server does not know: the button leads away from that one.
  gridgate.whenThere.push((piece) => {
    if (root.dataset.theme) return;
    const other = matchMedia("(prefers-color-scheme: dark)").matches ? "light" : "dark";
    for (const button of piece.querySelectorAll("[data-theme-button]")) button.value = other;
  });

  // Instants that are told from now stay true.
  const units = [
    [172800, 86400, "d"],
    [7200, 3600, "h"],
    [60, 60, "min"],
    [0, 1, "s"],
  ];
  const tick = () => {
    for (const time of document.querySelectorAll("time[data-relative]")) {
      const seconds = Math.round((Date.parse(time.dateTime) - Date.now()) / 1000);
      const apart = Math.abs(seconds);
      const [, length, unit] = units.find(([from]) => apart >= from);
      const span = `${Math.floor(apart / length)} ${unit}`;
      const text = seconds > 0 ? `in ${span}` : `${span} ago`;
      if (time.textContent !== text) time.textContent = text;
    }
  };
  document.addEventListener("DOMContentLoaded", () => {
    gridgate.arrived(document);
    const focus = sessionStorage.getItem("gridgate-focus");
    sessionStorage.removeItem("gridgate-focus");
    if (focus) document.getElementById(focus)?.focus();
    setInterval(tick, 1000);
  });
})();
