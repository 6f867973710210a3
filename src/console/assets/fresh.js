// Elements with data-fresh (seconds) and an id are asked for again from the page they are on, or from data-fresh-from. Numbers change;
// nothing else moves, and nothing is changed while somebody is inside.
(() => {
  "use strict";
  const { gridgate } = window;
  const waiting = new WeakSet();

  const refresh = async (old) => {
    if (document.hidden) return;
    const answer = await fetch(old.dataset.freshFrom || location.href, {
      credentials: "same-origin",
      // Nobody need be there: this does not keep a session from being idle.
      headers: { "x-gridgate-fresh": "1" },
    });
    // The session is over: what is shown is for nobody's eyes any more.
    if (answer.redirected) location.reload();
    if (!answer.ok || answer.redirected) return;
    const found = gridgate.parse(await answer.text()).getElementById(old.id);
    if (!found || !old.isConnected || old.contains(document.activeElement)) return;
    const before = old.dataset.state;
    old.replaceWith(found);
    gridgate.arrived(found.parentElement);
    if (found.dataset.say && found.dataset.state !== before) gridgate.say(found.dataset.say);
  };

  const watch = (element) => {
    if (waiting.has(element)) return;
    waiting.add(element);
    const again = () => {
      if (!element.isConnected) return;
      refresh(element).catch(() => {}).finally(() => setTimeout(again, element.dataset.fresh * 1000));
    };
    setTimeout(again, element.dataset.fresh * 1000);
  };

  gridgate.whenThere.push((piece) => {
    for (const element of piece.querySelectorAll("[data-fresh]")) watch(element);
  });
})();
