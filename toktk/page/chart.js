// A Vega chart in the page: colors of the theme, width of its place, tooltips as text.
"use strict";

const Charts = (() => {
  const all = [];

  function config() {
    const style = getComputedStyle(document.documentElement);
    const [ink, soft, line] = ["--ink", "--soft", "--line"].map((name) => style.getPropertyValue(name).trim());
    const font = "system-ui, sans-serif";
    return {
      background: null,
      axis: {
        labelColor: ink, titleColor: ink, gridColor: line, domainColor: soft, tickColor: soft, labelFontSize: 12,
        titleFontSize: 12, titleFontWeight: "normal", labelFont: font, titleFont: font, gridOpacity: 0.7,
      },
      legend: { labelColor: ink, titleColor: ink, labelFontSize: 12, labelFont: font, symbolStrokeWidth: 2 },
      style: { cell: { stroke: null }, "group-title": { fill: ink }, text: { font } },
    };
  }

  function showTooltip(handler, event, item, value) {
    let box = document.querySelector(".tooltip");
    if (value === null || value === undefined || value === "") {
      box?.remove();
      return;
    }
    if (!box) {
      box = document.createElement("div");
      box.className = "tooltip";
      document.body.append(box);
    }
    const table = document.createElement("table");
    for (const [name, text] of Object.entries(value)) {
      const row = table.insertRow();
      row.insertCell().textContent = name;
      row.insertCell().textContent = String(text);
    }
    box.replaceChildren(table);
    const x = Math.min(event.clientX + 14, innerWidth - box.offsetWidth - 8);
    const y = event.clientY + 14 + box.offsetHeight > innerHeight ? event.clientY - box.offsetHeight - 8 : event.clientY + 14;
    box.style.left = `${Math.max(4, x)}px`;
    box.style.top = `${y}px`;
  }

  class Chart {
    // `rows()` gives {data set: rows}; `label(rows)` says in words what the chart shows.
    constructor(element, spec, rows, label, picked) {
      this.element = element;
      this.spec = spec;
      this.rows = rows;
      this.label = label;
      this.picked = picked;
      this.isNear = false;
      this.isStale = true;
      element.setAttribute("role", "img");
      all.push(this);
      new IntersectionObserver(([entry]) => {
        this.isNear = entry.isIntersecting;
        if (this.isNear && this.isStale) this.draw();
      }, { rootMargin: "200px" }).observe(element);
    }

    // Draws at once what is on the screen, and the rest when it comes there.
    update() {
      this.isStale = true;
      if (this.isNear) this.draw();
    }

    async draw() {
      if (this.isBusy) return; // the chart is being made, and looks again when it is there
      this.isStale = false;
      if (!this.view) {
        this.isBusy = true;
        const options = { mode: "vega", renderer: "canvas", actions: false, tooltip: showTooltip, config: config(), logLevel: 1 };
        const made = await vegaEmbed(this.element, this.spec, options);
        this.isBusy = false;
        this.view = made.view;
        if (this.picked) this.view.addEventListener("click", (event, item) => this.picked(this.view, event, item));
      }
      const rows = this.rows();
      for (const [name, values] of Object.entries(rows)) this.view.data(name, values);
      this.view.resize().run();
      this.element.setAttribute("aria-label", this.label(rows));
    }

    // Forgets the drawing, as after a change of colors.
    reset() {
      this.view?.finalize();
      this.view = null;
      this.update();
    }

    // The rows that the chart draws now, for whoever looks from outside.
    data(name) {
      return this.view ? this.view.data(name) : this.rows()[name];
    }
  }

  return {
    Chart,
    update: () => all.forEach((chart) => chart.update()),
    reset: () => all.forEach((chart) => chart.reset()),
  };
})();
