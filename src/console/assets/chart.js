// Beside the column that is pointed at, or that the arrow keys have reached, stands what the chart's table says of it.
(() => {
  "use strict";
  const { gridgate } = window;
  const NARROW = window.matchMedia("(max-width: 639px)");

  const make = (tag, text, className) => {
    const element = document.createElement(tag);
    if (text) element.textContent = text;
    if (className) element.className = className;
    return element;
  };

  const watch = (chart) => {
    const plot = chart.querySelector(".chart-plot");
    const rows = [...chart.querySelectorAll("tbody tr")];
    if (!plot || rows.length === 0) return;
    const names = [...chart.querySelectorAll("thead th")].slice(1).map((head) => head.textContent);
    const swatches = [...chart.querySelectorAll(".legend .swatch")];
    const hover = make("div", "", "chart-hover");
    const tip = make("div", "", "chart-tip");
    hover.hidden = tip.hidden = true;
    plot.prepend(hover);
    plot.append(tip);
    let shown = null;

    const line = (swatch, name, value, className) => {
      const row = make("p", "", className);
      if (swatch) row.append(swatch.cloneNode());
      row.append(make("span", name));
      if (value) row.append(make("span", value));
      return row;
    };

    const fill = (column) => {
      const [head, ...cells] = rows[column].children;
      const values = cells.slice(0, swatches.length);
      const sum = values.reduce((all, cell) => all + BigInt(cell.textContent.replaceAll(",", "")), 0n);
      const lines = values
        .map((cell, index) => ({ cell, index }))
        .filter(({ cell }) => swatches.length < 4 || cell.textContent !== "0")
        .map(({ cell, index }) => line(swatches[index], names[index], cell.textContent));
      if (swatches.length > 1) lines.push(line(null, "Total", sum.toLocaleString("en-GB"), "tip-total"));
      const notes = cells[swatches.length]?.textContent;
      if (notes) lines.push(...notes.split("; ").map((note) => line(null, note, "", "tip-note")));
      tip.replaceChildren(make("strong", head.textContent), ...lines);
    };

    const hide = () => {
      hover.hidden = tip.hidden = true;
      shown = null;
    };

    const show = (column) => {
      if (column === shown || NARROW.matches) return;
      shown = column;
      fill(column);
      hover.hidden = tip.hidden = false;
      const width = plot.clientWidth / rows.length;
      hover.style.left = `${column * width}px`;
      hover.style.width = `${width}px`;
      const right = (column + 1) * width + 8;
      const fits = right + tip.offsetWidth <= plot.clientWidth;
      tip.style.left = `${fits ? right : Math.max(0, column * width - tip.offsetWidth - 8)}px`;
    };

    plot.addEventListener("pointermove", (event) => {
      const box = plot.getBoundingClientRect();
      const column = Math.floor(((event.clientX - box.left) / box.width) * rows.length);
      show(Math.min(Math.max(column, 0), rows.length - 1));
    });
    plot.addEventListener("pointerleave", hide);

    plot.tabIndex = 0;
    plot.setAttribute("role", "group");
    plot.setAttribute("aria-label", "Columns of the chart: the arrow keys go along them");
    plot.addEventListener("blur", hide);
    plot.addEventListener("keydown", (event) => {
      const last = rows.length - 1;
      const from = shown ?? (event.key === "ArrowRight" ? -1 : rows.length);
      const to = { ArrowRight: Math.min(from + 1, last), ArrowLeft: Math.max(from - 1, 0), Home: 0, End: last }[event.key];
      if (event.key === "Escape") hide();
      if (to === undefined) return;
      event.preventDefault();
      show(to);
      gridgate.say([...rows[to].children].map((cell, index) => `${index ? `${names[index - 1]} ` : ""}${cell.textContent}`).join(", "));
    });
  };

  gridgate.whenThere.push((piece) => {
    for (const chart of piece.querySelectorAll("[data-chart]:not([data-watched])")) {
      chart.dataset.watched = "";
      watch(chart);
    }
  });
})();
