// Puts the page together: controls, charts, tables, and what follows from a change of any of them.
"use strict";

(async () => {
  const element = (id) => document.getElementById(id);
  const number = (value, digits = 3) => Number(value.toPrecision(digits)).toLocaleString("en-US");
  const percent = (share, digits = 1) => `${share > 0 ? "+" : share < 0 ? "−" : ""}${Math.abs(100 * share).toFixed(digits)} %`;

  function make(tag, className, text) {
    const made = document.createElement(tag);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  }

  async function inflated(id) {
    return new TextDecoder().decode(await Encoder.inflate(Encoder.fromBase85(element(id).textContent)));
  }

  function theme() {
    const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
    const now = State.get("theme", system) === "dark" ? "dark" : "light";
    document.documentElement.dataset.theme = now;
    element("theme").textContent = now === "dark" ? "Light" : "Dark";
    element("theme").setAttribute("aria-label", `Change to ${now === "dark" ? "light" : "dark"} colors`);
  }

  if (typeof DecompressionStream === "undefined") {
    element("trouble").textContent = "This browser cannot unpack the figures (it lacks DecompressionStream). Any of 2023 or later can.";
    element("trouble").hidden = false;
    return;
  }
  const data = JSON.parse(await inflated("data"));
  const rows = new Rows(data);
  const unit = data.primary === "tokens_per_line" ? "tokens per line" : "bytes per token";
  const moreIsBetter = data.primary === "bytes_per_token";
  const colors = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6BB1", "#7F7F7F"];
  const MOST_LABELS = 14; // of more points only those of the front are named, as in toktk.report.charts
  const isSweep = data.families.some((family) => family.tokenizers.length > 1);

  // What is chosen ----------------------------------------------------------------------------

  const shown = () => {
    const hidden = new Set(State.list("hidden"));
    const families = data.families.filter((family) => !hidden.has(family.name));
    return families.length ? families : data.families;
  };
  const size = () => {
    const wanted = Number(State.get("size")) || 50000;
    return rows.sizes.reduce((best, each) => (Math.abs(Math.log(each / wanted)) < Math.abs(Math.log(best / wanted)) ? each : best));
  };
  const language = () => rows.groupNumber.get(State.get("language")) ?? 0;

  // Charts ------------------------------------------------------------------------------------

  const specs = data.charts;
  const charts = {};

  function listed(chartRows, format) {
    const cells = chartRows.filter((row) => row.value !== null && row.value !== undefined);
    return cells.slice(0, 6).map((row) => `${row.row} ${format(row.value)} (${row.family})`).join(", ");
  }

  function pickLanguage(view, event, item) {
    const group = rows.byLabel.get(item?.datum?.row);
    if (group) choose("language", language() === group ? "" : data.groups[group].name);
  }

  function addCharts() {
    const add = (id, rowsOf, label, picked) => {
      charts[id] = new Charts.Chart(element(id), specs[id], rowsOf, label, picked);
    };
    add("curve", () => {
      const { curve, points } = rows.curve(language(), shown());
      return { curve, points, knees: rows.knees(shown()), at: isSweep ? [{ size: size() }] : [] };
    }, ({ points }) => `${unit} by vocabulary size: ${points.slice(0, 8).map((p) => `${p.label} ${number(p.value)}`).join(", ")}`,
    (view, event) => {
      const wanted = view.scale("x").invert(event.offsetX - view.origin()[0]);
      if (Number.isFinite(wanted) && wanted > 0 && isSweep) choose("size", Math.round(wanted));
    });
    const chosen = () => (language() ? [{ row: rows.label(language()) }] : []);
    add("languages", () => ({ rows: rows.languages(shown(), (family, group) => rows.cost(family, size(), group)), chosen: chosen() }),
      (each) => `Cost of each language: ${listed(each.rows, number)}`, pickLanguage);
    if (isSweep) {
      add("gains", () => ({ rows: rows.languages(shown().filter((f) => f.tokenizers.length > 1), (family, group) => rows.gain(family, size(), group)), chosen: chosen() }),
        (each) => `Tokens saved by the next thousand ids: ${listed(each.rows, (x) => `${(100 * x).toFixed(2)} %`)}`, pickLanguage);
    } else {
      element("gains-section").hidden = true;
      element("languages-section").className = "wide";
    }
    add("ranks", () => ({ rows: Object.entries(vocabularies()).flatMap(([family, use]) => use.ranks.map(([rank, count]) => ({ family, rank, count }))) }),
      () => "Occurrences of tokens by rank");
    const use = () => data.vocabulary[vocabularyOf()];
    const both = (cells, field) => cells.flatMap(([name, used, never]) => [
      { [field]: name, use: "in the text", tokens: used }, { [field]: name, use: "never in the text", tokens: never }]);
    add("lengths", () => ({ rows: use() ? both(use().lengths, "length") : [] }), () => "Tokens by length in bytes, used and never used");
    add("scripts", () => ({ rows: use() ? both(use().scripts, "row") : [] }), () => "Tokens by script, used and never used");
    addTradeOff();
  }

  // The tokenizer whose vocabulary is shown, and the one of each family at this size.
  const nearestLabels = () => shown().map((family) => [family.name, rows.tokenizer(family, size()).label]);
  const vocabularies = () => Object.fromEntries(nearestLabels().filter(([, label]) => data.vocabulary[label]).map(([name, label]) => [name, data.vocabulary[label]]));
  function vocabularyOf() {
    const family = data.families.find((each) => each.name === State.get("vocabulary")) ?? shown()[0];
    return rows.tokenizer(family, size()).label;
  }

  function addTradeOff() {
    const place = element("trade-controls");
    const speeds = data.throughput.filter((timing) => timing.what === "warm" && timing.engine === "toktk");
    const byLabel = new Map(speeds.map((timing) => [timing.tokenizer, timing.value]));
    const isSpeed = byLabel.size > 0;
    if (isSpeed) {
      element("trade-note").textContent = `Throughput of toktk on warm text, ${speeds[0].threads} thread${speeds[0].threads === 1 ? "" : "s"}; the gray line joins what no other is better than in both.`;
    } else {
      const label = make("label", "", "Width of the model ");
      const field = make("input");
      field.type = "number";
      field.id = "width";
      field.min = 1;
      field.max = 1000000;
      label.htmlFor = "width";
      field.addEventListener("input", () => Number(field.value) > 0 && choose("width", Number(field.value) === 2048 ? "" : field.value));
      place.append(label, field);
      element("trade-note").textContent = "Parameters of one embedding matrix: ids × width. The gray line joins what no other is better than in both.";
    }
    const width = () => Number(State.get("width")) || 2048;
    const points = () => rows.tradeOff(shown(), isSpeed ? (label) => byLabel.get(label) : (label, ids) => ids * width());
    charts.trade = new Charts.Chart(element("trade"), isSpeed ? specs.speed : specs.parameters,
      () => {
        const all = points();
        const front = Rows.front(all, !isSpeed, moreIsBetter);
        return { points: all, front, labels: all.length <= MOST_LABELS ? all : front };
      },
      (each) => `Trade-off: ${each.points.slice(0, 8).map((p) => `${p.label} ${number(p.x)} and ${number(p.y)}`).join(", ")}`);
  }

  // Notes -------------------------------------------------------------------------------------

  function writeNotes() {
    const group = data.groups[language()];
    const name = language() === 0 ? "all together" : `${group.name}${languageName(group.name) ? ` (${languageName(group.name)})` : ""}`;
    const shownUnit = rows.metricOf(language()) === data.primary ? unit : "bytes per token";
    const better = shownUnit === "bytes per token" ? "more is better" : "less is better";
    element("curve-note").textContent = `${shownUnit}, ${name}; ${better}. ${isSweep ? "Bands: 95 % intervals for text like this, interpolated between the sizes with a mark." : "Lines: 95 % intervals for text like this."}${rows.knees(shown()).length ? " Shaded: where the knee lies, beyond which a thousand ids save less than 0.1 %." : ""}`;
    const off = (isSweep ? shown() : []).map((family) => [family, family.curve.sizes[rows.nearest(family, size())]])
      .filter(([, at]) => Math.abs(Math.log(at / size())) > 0.02).map(([family, at]) => `${family.name} at ${sizeLabel(at)}`);
    const where = isSweep ? ` at ${sizeLabel(size())} ids` : "";
    const measured = off.length ? ` Measured nearest: ${off.join(", ")}.` : "";
    const untrained = data.groups.filter((each) => each.untrained).map((each) => each.name);
    const outside = untrained.length ? ` Not in the training text: ${untrained.join(", ")}.` : "";
    element("languages-note").textContent = (data.reference
      ? `Tokens for the same content, ${data.reference} = 1${where}; lines: 95 % intervals.`
      : `The text is not parallel: ${unit} compares tokenizers in one language, not languages${where}.`) + measured + outside;
    element("gains-note").textContent = `Tokens saved by a thousand more ids${where}, exact on this text.${measured}`;
    const use = data.vocabulary[vocabularyOf()];
    element("vocabulary-note").textContent = use
      ? `${vocabularyOf()}: ${use.used.toLocaleString("en-US")} of ${use.ids.toLocaleString("en-US")} tokens occur in this text, ${use.never.toLocaleString("en-US")} never do. More text uses more of them.`
      : `${vocabularyOf()}: ${data.left_out[vocabularyOf()] ?? "this run kept no counts of its tokens"}.`;
    const tokens = (use?.unused ?? []).map(([text, id]) => {
      const chip = make("span", "token", text);
      chip.title = `id ${id}`;
      return chip;
    });
    element("unused").replaceChildren(...(tokens.length ? tokens : ["none"]));
  }

  // Controls ----------------------------------------------------------------------------------

  let isScheduled = false;
  function redraw() {
    if (isScheduled) return;
    isScheduled = true;
    requestAnimationFrame(() => {
      isScheduled = false;
      readControls();
      writeNotes();
      Charts.update();
    });
  }

  let lastNearest = "";
  function choose(key, value) {
    State.set(key, value);
    redraw();
    // Table and tokens change with the tokenizers nearest to the size, not with every step of the slider.
    const nearest = JSON.stringify(nearestLabels());
    if (nearest !== lastNearest) {
      lastNearest = nearest;
      showComparison();
      if (!State.get("tokenizers")) showTokens();
    }
  }

  function readControls() {
    element("size").value = rows.sizes.indexOf(size());
    element("size-shown").textContent = size().toLocaleString("en-US");
    element("size").setAttribute("aria-valuetext", `${size().toLocaleString("en-US")} ids`);
    if (document.activeElement !== element("language")) element("language").value = language() ? data.groups[language()].name : "";
    const hidden = new Set(State.list("hidden"));
    document.querySelectorAll("#families input").forEach((box) => (box.checked = !hidden.has(box.value)));
    if (element("width") && document.activeElement !== element("width")) element("width").value = State.get("width", "2048");
    element("vocabulary-of").value = data.families.some((f) => f.name === State.get("vocabulary")) ? State.get("vocabulary") : shown()[0].name;
  }

  function addControls() {
    const slider = element("size");
    slider.max = rows.sizes.length - 1;
    element("size-control").hidden = rows.sizes.length < 2 || !isSweep;
    slider.addEventListener("input", () => choose("size", rows.sizes[Number(slider.value)]));
    slider.addEventListener("keydown", (event) => {
      // Page keys go from one measured size to the next.
      const next = { PageUp: (s) => rows.measured.find((each) => each > s), PageDown: (s) => rows.measured.findLast((each) => each < s) }[event.key]?.(size());
      if (next === undefined) return;
      event.preventDefault();
      choose("size", next);
    });
    const names = data.groups.slice(1).map((group) => {
      const option = document.createElement("option");
      option.value = group.name;
      option.label = languageName(group.name);
      return option;
    });
    element("language-names").append(...names);
    const search = element("language");
    search.addEventListener("input", () => {
      const wanted = search.value.trim().toLowerCase();
      if (!wanted) return choose("language", "");
      const groups = data.groups.slice(1);
      const found = groups.find((g) => g.name.toLowerCase() === wanted)
        ?? groups.find((g) => languageName(g.name).toLowerCase() === wanted)
        ?? (wanted.length > 2 ? groups.find((g) => languageName(g.name).toLowerCase().startsWith(wanted) || g.name.toLowerCase().startsWith(wanted)) : undefined);
      if (found) choose("language", found.name);
    });
    search.addEventListener("change", readControls);
    const families = data.families.map((family, i) => {
      const label = make("label");
      const box = make("input");
      box.type = "checkbox";
      box.value = family.name;
      box.addEventListener("change", () => {
        const hidden = new Set(State.list("hidden"));
        if (box.checked) hidden.delete(family.name);
        else hidden.add(family.name);
        State.setList("hidden", hidden);
        choose("hidden", State.get("hidden"));
      });
      const dot = make("span", "", "■");
      dot.style.color = colors[i % colors.length];
      dot.setAttribute("aria-hidden", "true");
      label.append(box, dot, family.name);
      return label;
    });
    element("families").append(...(families.length > 1 ? families : []));
    const select = element("vocabulary-of");
    for (const family of data.families) select.append(new Option(family.name, family.name));
    select.addEventListener("change", () => choose("vocabulary", select.value));
    element("theme").addEventListener("click", () => {
      State.set("theme", document.documentElement.dataset.theme === "dark" ? "light" : "dark");
      theme();
      Charts.reset();
    });
  }

  // Tokens ------------------------------------------------------------------------------------

  const packed = data.packs.flatMap((pack) => pack.labels);
  let tokensAreNear = false;

  function tokenizersShown() {
    const wanted = State.list("tokenizers").filter((label) => packed.includes(label));
    if (wanted.length) return wanted.slice(0, Tokens.MOST);
    const ofFamilies = data.families.map((family) => {
      const own = family.tokenizers.filter((t) => packed.includes(t.label));
      return own.length ? rows.tokenizer({ tokenizers: own }, size()).label : undefined;
    });
    return ofFamilies.filter((label) => label !== undefined).slice(0, Tokens.MOST);
  }

  const MOST = 10000; // characters of a text: the encoder is slow, and an address is no place for more
  let isCut = false;
  const text = () => State.get("text", data.samples[0]).slice(0, MOST);

  function showTokens() {
    const names = tokenizersShown();
    const selects = [...document.querySelectorAll("#tokenizers select")];
    selects.forEach((select, i) => (select.value = names[i] ?? ""));
    if (element("text").value !== text()) element("text").value = text();
    if (tokensAreNear) Tokens.show(data, names, text(), isCut ? ` Of the text the first ${MOST.toLocaleString("en-US")} characters.` : "");
  }

  function addTokens() {
    const left = Object.entries(data.left_out);
    element("tokens-note").textContent = left.length
      ? `Not in this page: ${left.slice(0, 6).map(([label, why]) => `${label} (${why})`).join("; ")}${left.length > 6 ? `; and ${left.length - 6} more` : ""}. On the command line toktk show runs them.` : "";
    if (!packed.length) {
      for (const id of ["text", "samples", "tokenizers"]) element(id).hidden = true;
      return;
    }
    const samples = data.samples.map((sample, i) => {
      const button = make("button", "", ["English", "code", "scripts", "right to left, emoji"][i] ?? `text ${i + 1}`);
      button.type = "button";
      button.addEventListener("click", () => {
        State.set("text", i === 0 ? "" : sample);
        showTokens();
      });
      return button;
    });
    element("samples").append(...samples);
    for (let i = 0; i < Math.min(Tokens.MOST, Math.max(packed.length, 1)); i++) {
      const select = make("select");
      select.setAttribute("aria-label", `Tokenizer ${i + 1}`);
      select.append(new Option("–", ""));
      for (const label of packed) select.append(new Option(label, label));
      select.addEventListener("change", () => {
        State.setList("tokenizers", [...document.querySelectorAll("#tokenizers select")].map((each) => each.value).filter(Boolean));
        showTokens();
      });
      element("tokenizers").append(select);
    }
    element("text").addEventListener("input", () => {
      const typed = element("text").value;
      isCut = typed.length > MOST;
      State.set("text", typed === data.samples[0] ? "" : typed.slice(0, MOST));
      showTokens();
    });
    new IntersectionObserver(([entry], observer) => {
      if (!entry.isIntersecting) return;
      observer.disconnect();
      tokensAreNear = true;
      showTokens();
    }, { rootMargin: "300px" }).observe(element("tokens-section"));
    showTokens();
  }

  // Comparison --------------------------------------------------------------------------------

  let table;

  function comparisons() {
    const sizes = new Map(data.families.flatMap((f) => f.tokenizers.map((t) => [t.label, t.size])));
    return data.comparisons.map(([candidate, baseline, metric, group, difference, low, high, least, needed, verdict]) =>
      ({ candidate, baseline, metric, group, difference, low, high, least, needed, verdict, size: sizes.get(candidate) }));
  }

  function showComparison() {
    const all = comparisons();
    const metric = element("metric").value;
    const wanted = State.get("filter").trim().toLowerCase();
    const verdict = element("verdict").value;
    const labels = new Set(nearestLabels().map(([, label]) => label));
    const chosen = all.filter((row) => row.metric === metric
      && (verdict === "" || row.verdict === verdict)
      && (element("sizes").value === "all" || !isSweep || labels.has(row.candidate) || row.size === undefined)
      && (!wanted || [row.candidate, row.baseline, row.group, languageName(row.group)].some((t) => t.toLowerCase().includes(wanted))));
    table.show(chosen);
    const baselines = [...new Set(chosen.map((row) => row.baseline))];
    const total = all.filter((row) => row.metric === metric).length;
    element("comparison-note").textContent = `${chosen.length.toLocaleString("en-US")} of ${total.toLocaleString("en-US")} differences${baselines.length === 1 ? `, against ${baselines[0]}` : ""}. A difference on this text is exact; interval (95 %) and verdict are about text like it: Holm over all ${total.toLocaleString("en-US")}, zone of equivalence ±${number(100 * data.zone)} %.`;
  }

  function addComparison() {
    if (!data.comparisons.length) {
      element("comparison-section").hidden = true;
      return;
    }
    const share = (value) => (value === null ? "" : percent(value));
    table = new ComparisonTable(element("comparison"), [
      { head: "language", of: (r) => r.group, key: (r) => (r.group === "all" ? "" : r.group) },
      { head: "tokenizer", of: (r) => r.candidate, key: (r) => r.candidate },
      { head: "against", of: (r) => r.baseline, key: (r) => r.baseline },
      { head: "difference", of: (r) => share(r.difference), key: (r) => r.difference, isNumber: true },
      { head: "95 %", of: (r) => (r.low === null ? "" : `${percent(r.low)} … ${percent(r.high)}`), key: (r) => r.low, isNumber: true },
      { head: "verdict", of: (r) => (r.verdict === "none" ? "no interval" : r.verdict), key: (r) => r.verdict, style: (r) => `verdict-${r.verdict}` },
      { head: "least seen", of: (r) => (r.least === null ? "" : `≥ ${(100 * r.least).toFixed(1)} %`), key: (r) => r.least, isNumber: true },
    ]);
    const [column, direction] = State.get("sort", "0").split("-");
    if (Number(column) < table.columns.length) table.sorted = { column: Number(column) || 0, isDescending: direction === "down" };
    table.onSort = ({ column: at, isDescending }) => State.set("sort", `${at}${isDescending ? "-down" : ""}`);
    const fill = (id, options, key) => {
      const select = element(id);
      for (const [value, label] of options) select.append(new Option(label, value));
      if (options.some(([value]) => value === State.get(key))) select.value = State.get(key);
      select.addEventListener("change", () => {
        State.set(key, select.value);
        showComparison();
      });
    };
    const metrics = [...new Set(data.comparisons.map((row) => row[2]))];
    fill("metric", metrics.map((m) => [m, m]), "metric");
    const verdicts = [...new Set(data.comparisons.map((row) => row[9]))].sort();
    fill("verdict", [["", "any"], ...verdicts.map((v) => [v, v === "none" ? "no interval" : v])], "verdict");
    fill("sizes", isSweep ? [["", "nearest to the slider"], ["all", "all"]] : [["all", "all"]], "sizes");
    element("filter").value = State.get("filter");
    element("filter").addEventListener("input", () => {
      State.set("filter", element("filter").value);
      showComparison();
    });
    document.querySelectorAll("[data-copy]").forEach((button) => button.addEventListener("click", async () => {
      const isCopied = await copyText(table.text(button.dataset.copy));
      element("copied").textContent = isCopied ? "Copied." : "The browser does not let this page copy; select the table instead.";
    }));
    showComparison();
  }

  // Start -------------------------------------------------------------------------------------

  State.start(() => {
    theme();
    Charts.reset();
    redraw();
    showTokens();
    if (table) {
      for (const id of ["metric", "verdict", "sizes"]) if (State.get(id)) element(id).value = State.get(id);
      element("filter").value = State.get("filter");
      showComparison();
    }
  });
  theme();
  addControls();
  addComparison();
  writeNotes();
  (0, eval)(await inflated("vega"));
  addCharts();
  addTokens();
  readControls();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    theme();
    Charts.reset();
  });
  // For tests and the curious: what the page shows.
  window.toktk = { data, rows, charts, state: State, tokens: Tokens, isReady: true };
})();
