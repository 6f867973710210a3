// The card of a secret: shown when asked for, and not left behind by accident. And tabs of texts, which without script stand below each
// other.
(() => {
  "use strict";

  const choose = (tab) => {
    for (const one of tab.closest("[role=tablist]").querySelectorAll("[role=tab]")) {
      const chosen = one === tab;
      one.setAttribute("aria-selected", String(chosen));
      one.tabIndex = chosen ? 0 : -1;
      document.getElementById(one.getAttribute("aria-controls")).classList.toggle("here", chosen);
    }
  };

  document.addEventListener("click", (event) => {
    const tab = event.target.closest("[data-tabs] [role=tab]");
    if (tab) choose(tab);
    const unmask = event.target.closest("[data-unmask]");
    if (unmask) {
      const revealed = unmask.closest("[data-secret]").classList.toggle("revealed");
      unmask.setAttribute("aria-pressed", String(revealed));
    }
    // As a page of its own the card has no dialog around it that would ask back.
    const gate = document.querySelector("main [data-close-gate]");
    if (!gate) return;
    if (event.target.closest("[data-close]") && gate.hidden) {
      event.preventDefault();
      gate.hidden = false;
      gate.querySelector("[data-keep-open]").focus();
    } else if (event.target.closest("[data-keep-open]")) {
      gate.hidden = true;
      document.querySelector("[data-secret] [data-copy]").focus();
    } else if (event.target.closest("[data-close-anyway]")) {
      const { href } = document.querySelector("main [data-close]");
      gate.remove();
      location.assign(href);
    }
  });

  // A reload or a way out of the page loses it as well; the button that says it was copied does not ask.
  document.addEventListener("submit", (event) => event.target.closest("[data-dialog-content]")?.querySelector("[data-close-gate]")?.remove());
  window.addEventListener("beforeunload", (event) => {
    if (document.querySelector("[data-close-gate]")) event.preventDefault();
  });

  // Arrow keys, Home and End go along the tabs.
  document.addEventListener("keydown", (event) => {
    const tab = event.target.closest("[data-tabs] [role=tab]");
    if (!tab) return;
    const all = [...tab.parentElement.children];
    const at = all.indexOf(tab);
    const next = { ArrowRight: (at + 1) % all.length, ArrowLeft: (at + all.length - 1) % all.length, Home: 0, End: all.length - 1 }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    choose(all[next]);
    all[next].focus();
  });

  // Once the secret is copied, nothing asks back any more.
  document.addEventListener("gridgate:copied", (event) => {
    if (!event.target.matches("[data-with-secret]")) return;
    const card = event.target.closest("[data-dialog-content]");
    card.querySelector("[data-close-gate]")?.remove();
    card.querySelector("[data-copied]").classList.add("primary");
    card.querySelector("[data-secret] [data-copy]").classList.remove("primary");
  });
})();
