// Buttons with data-copy copy their text.
(() => {
  "use strict";
  const { gridgate } = window;

  const copy = async (text, near) => {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // Without a secure context there is no clipboard: the text is selected instead.
      const area = document.createElement("textarea");
      area.value = text;
      near.append(area);
      area.select();
      const done = document.execCommand("copy");
      area.remove();
      return done;
    }
  };

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const done = await copy(button.dataset.copy, button.parentElement);
    gridgate.say(done ? "Copied" : "The browser did not allow it. Select the text and copy it yourself.", !done);
    if (!done) return;
    button.classList.add("copied");
    button.dispatchEvent(new CustomEvent("gridgate:copied", { bubbles: true }));
    setTimeout(() => button.classList.remove("copied"), 1500);
  });
})();
