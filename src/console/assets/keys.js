// On narrow screens the filters of a list stand behind a button.
(() => {
  "use strict";
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-filters]");
    if (!button) return;
    const open = button.form.classList.toggle("open");
    button.setAttribute("aria-expanded", String(open));
    if (open) button.form.querySelector("select").focus();
  });

  // A file that is chosen is pasted.
  document.addEventListener("change", async (event) => {
    const into = event.target.closest("[data-paste-into]");
    const file = into?.files[0];
    if (!file) return;
    document.getElementById(into.dataset.pasteInto).value = await file.text();
    into.value = "";
  });
})();
