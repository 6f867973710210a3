// Links with data-dialog lead to pages of one card. Here the card is lifted into a dialog, and its forms are sent without leaving the page.
(() => {
  "use strict";
  const { gridgate } = window;
  let opener = null;
  let dirty = false;
  // A form is on its way: what it brings may be shown only once.
  let pending = false;

  const host = () => document.getElementById("dialog");

  // What is lifted gets other ids than the page behind it has: a label would lead to a field of that page.
  const REFERENCES = ["for", "aria-describedby", "aria-labelledby", "aria-controls", "data-reveal"];
  const separate = (card) => {
    for (const one of card.querySelectorAll("[id]")) {
      const { id } = one;
      if (!document.getElementById(id)) continue;
      one.id = `dialog-${id}`;
      for (const name of REFERENCES) {
        for (const other of card.querySelectorAll(`[${name}~="${CSS.escape(id)}"]`)) {
          const words = other.getAttribute(name).split(" ");
          other.setAttribute(name, words.map((word) => (word === id ? one.id : word)).join(" "));
        }
      }
    }
  };

  const show = (page, url) => {
    const card = page.querySelector("[data-dialog-content]");
    const dialog = host();
    if (!card || !dialog) {
      location.assign(url);
      return;
    }
    dialog.replaceChildren();
    separate(card);
    const said = document.createElement("p");
    said.className = "visually-hidden";
    said.setAttribute("role", "status");
    said.setAttribute("data-said", "");
    dialog.replaceChildren(...card.childNodes, said);
    dialog.setAttribute("data-dialog-content", "");
    dialog.classList.toggle("broad", card.classList.contains("broad"));
    const title = dialog.querySelector("h1, h2");
    if (title) title.id = "dialog-title";
    if (!dialog.open) dialog.showModal();
    gridgate.arrived(dialog);
    (dialog.querySelector("[aria-invalid=true], [autofocus]") || dialog.querySelector("input:not([type=hidden]), select, textarea, button, a"))?.focus();
  };

  const load = async (url, options) => {
    const answer = await fetch(url, { credentials: "same-origin", ...options });
    if (answer.redirected) {
      location.assign(answer.url);
      return;
    }
    const page = gridgate.parse(await answer.text());
    // What was typed stays where the server could not take it just now.
    if (options && (answer.status === 429 || answer.status >= 500)) {
      const words = [...page.querySelectorAll("[data-dialog-content] :is(h1, p)")].map((one) => one.textContent);
      throw new Refused(words.join(" · "));
    }
    show(page, url);
  };

  // The server says why it did not do it.
  class Refused extends Error {}

  // Closing is asked for: a dialog with a secret that was not copied asks back.
  const close = () => {
    const dialog = host();
    if (pending) {
      gridgate.say("It is being done. Wait for the answer.", true);
      return;
    }
    const gate = dialog.querySelector("[data-close-gate]");
    if (gate?.hidden) {
      gate.hidden = false;
      gate.querySelector("[data-keep-open]").focus();
      return;
    }
    dialog.close();
  };

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-dialog]");
    if (link && host() && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault();
      if (!host().open) opener = link;
      load(link.href).catch(() => location.assign(link.href));
      return;
    }
    const dialog = event.target.closest("dialog[open]");
    if (!dialog) return;
    if (event.target.closest("[data-keep-open]")) {
      event.preventDefault();
      dialog.querySelector("[data-close-gate]").hidden = true;
      dialog.querySelector("[data-copy]")?.focus();
    } else if (event.target.closest("[data-close-anyway]")) {
      event.preventDefault();
      dialog.close();
    } else if (event.target.closest("[data-close]")) {
      event.preventDefault();
      close();
    }
  });

  document.addEventListener("submit", (event) => {
    const form = event.target;
    const dialog = form.closest("dialog[open]");
    if (!dialog) return;
    if (form.method === "get" && form.matches("[data-dialog]")) {
      event.preventDefault();
      load(form.action).catch(() => location.assign(form.action));
      return;
    }
    if (form.method !== "post") return;
    event.preventDefault();
    const fields = new URLSearchParams(new FormData(form, event.submitter));
    const button = event.submitter;
    if (button) button.disabled = true;
    dirty = true;
    pending = true;
    load(form.action, { method: "POST", body: fields })
      .catch((error) => {
        if (button) button.disabled = false;
        gridgate.say(error instanceof Refused ? error.message : "The server was not reached. Nothing is known to have changed.", true);
      })
      .finally(() => {
        pending = false;
      });
  });

  document.addEventListener("DOMContentLoaded", () => {
    const dialog = host();
    if (!dialog) return;
    // Pressed twice it leads back to the secret: only the button throws it away.
    const escape = (event) => {
      event.preventDefault();
      const back = dialog.querySelector("[data-close-gate]:not([hidden]) [data-keep-open]");
      if (back) back.click();
      else close();
    };
    dialog.addEventListener("cancel", escape);
    // Some browsers do not let a dialog refuse a second Escape in a row.
    dialog.addEventListener("keydown", (event) => {
      if (event.key === "Escape") escape(event);
    });
    dialog.addEventListener("close", () => {
      dialog.replaceChildren();
      // What was changed in the dialog is seen behind it.
      if (dirty) location.reload();
      else opener?.focus();
      dirty = false;
    });
  });
})();
