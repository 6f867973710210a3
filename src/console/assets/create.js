// The form that creates a key says where the data of the chosen environment goes.
document.addEventListener("change", (event) => {
  "use strict";
  if (!event.target.matches("[data-create] [name=environment]")) return;
  for (const one of event.target.form.querySelectorAll("[data-goes-to]")) one.hidden = one.dataset.goesTo !== event.target.value;
});
