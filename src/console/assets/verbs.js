// What has to be confirmed by typing a name is confirmed by its button once the name is there.
(() => {
  "use strict";
  const { gridgate } = window;
  const words = (text) => text.trim().split(/\s+/).join(" ");

  const look = (form) => {
    const input = form.querySelector("input[data-expect]");
    const button = form.querySelector("[data-confirm]");
    if (!input || !button) return;
    const isAsked = getComputedStyle(input.parentElement).display !== "none";
    button.disabled = isAsked && words(input.value) !== words(input.dataset.expect);
  };

  for (const event of ["input", "change"]) {
    document.addEventListener(event, ({ target }) => {
      if (target.form) look(target.form);
    });
  }
  gridgate.whenThere.push((piece) => {
    for (const input of piece.querySelectorAll("input[data-expect]")) look(input.form);
  });
})();
