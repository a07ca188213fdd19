// From the figures of the page to the rows of its charts, at any vocabulary size.
"use strict";

// A size as people write it: 50k.
function sizeLabel(size) {
  return size >= 1000 && size % 100 === 0 ? `${size / 1000}k` : size.toLocaleString("en-US");
}

// The English name of the language that a group's name is the code of; empty where it is none.
const languageName = (() => {
  const names = typeof Intl.DisplayNames === "function" ? new Intl.DisplayNames(["en"], { type: "language", fallback: "none" }) : null;
  return (group) => {
    if (!names || !/^[a-z]{2,3}([-_][A-Za-z0-9]{2,8})*$/.test(group)) return "";
    try {
      return names.of(group.replaceAll("_", "-")) || "";
    } catch (error) {
      if (error instanceof RangeError) return "";
      throw error;
    }
  };
})();

class Rows {
  constructor(data) {
    this.data = data;
    this.groups = data.groups;
    this.groupNumber = new Map(data.groups.map((group, i) => [group.name, i]));
    this.byLabel = new Map(data.groups.map((group, i) => [this.label(i), i]));
    this.families = data.families;
    const [{ notes }, ...metrics] = data.metrics;
    this.notes = notes;
    this.metrics = new Map(metrics.map((metric) => [metric.name, metric]));
    // The groups that means are of: languages of parallel text that the training text has.
    this.pooled = data.groups
      .map((group, i) => [group, i])
      .filter(([group, i]) => i > 0 && group.lines !== null && !group.untrained)
      .map(([, i]) => i);
    const sizes = new Set(this.families.flatMap((family) => family.curve.sizes));
    this.sizes = [...sizes].sort((a, b) => a - b);
    this.measured = [...new Set(this.families.flatMap((f) => f.tokenizers.map((t) => t.size)))].sort((a, b) => a - b);
  }

  // [value, low, high, note] of a figure, or undefined.
  figure(metric, label, group) {
    const values = this.metrics.get(metric)?.values[label]?.[group];
    return values && values[0] !== undefined && values[0] !== null ? values : undefined;
  }

  // The place in a family's curve that is nearest to a size.
  nearest(family, size) {
    const sizes = family.curve.sizes;
    let best = 0;
    sizes.forEach((each, i) => {
      if (Math.abs(Math.log(each / size)) < Math.abs(Math.log(sizes[best] / size))) best = i;
    });
    return best;
  }

  // The tokenizer of a family that is nearest to a size.
  tokenizer(family, size) {
    const distance = (t) => Math.abs(Math.log(t.size / size));
    return family.tokenizers.reduce((best, each) => (distance(each) < distance(best) ? each : best));
  }

  tokens(family, at, group) {
    const tokens = family.curve.tokens[group]?.[at];
    return tokens === undefined ? null : tokens;
  }

  // The first metric of the page (tokens per line or bytes per token) of a group, exact on this text.
  value(family, at, group) {
    if (this.data.primary === "tokens_per_line") {
      if (group > 0) {
        const tokens = this.tokens(family, at, group);
        const lines = this.groups[group].lines;
        return lines === null || tokens === null ? null : tokens / lines;
      }
      let tokens = 0;
      let lines = 0;
      for (const i of this.pooled) {
        const own = this.tokens(family, at, i);
        if (own === null) return null;
        tokens += own;
        lines += this.groups[i].lines;
      }
      return lines ? tokens / lines : null;
    }
    const tokens = this.tokens(family, at, group);
    return tokens ? this.groups[group].bytes / tokens : null;
  }

  // Returns [low, high] of a value at a size. Between measured sizes the relative width of the interval is
  // interpolated; beyond them it is that of the nearest.
  interval(metric, family, size, group, value) {
    const known = family.tokenizers
      .map((t) => [t.size, this.figure(metric, t.label, group)])
      .filter(([, figure]) => figure && typeof figure[1] === "number" && typeof figure[2] === "number" && figure[0] > 0);
    if (value === null || !known.length) return [null, null];
    const widths = ([, [point, low, high]]) => [low / point, high / point];
    let below = known[0];
    let above = known[known.length - 1];
    for (const each of known) if (each[0] <= size) below = each;
    for (const each of [...known].reverse()) if (each[0] >= size) above = each;
    const [a, b] = [widths(below), widths(above)];
    const share = below[0] === above[0] ? 0
      : Math.min(1, Math.max(0, Math.log(size / below[0]) / Math.log(above[0] / below[0])));
    return [0, 1].map((k) => value * Math.exp(Math.log(a[k]) * (1 - share) + Math.log(b[k]) * share));
  }

  // The curve of a group (0: all together), and the points where it was measured.
  curve(group, shown) {
    const curve = [];
    const points = [];
    const metric = this.metricOf(group);
    for (const family of shown) {
      family.curve.sizes.forEach((size, i) => {
        const value = this.valueOf(family, i, group);
        if (value === null) return;
        const [low, high] = this.interval(metric, family, size, group, value);
        curve.push({ family: family.name, size, value, low, high });
      });
      for (const { label, size } of family.tokenizers) {
        const figure = this.figure(metric, label, group);
        if (figure) points.push({ family: family.name, label, size, value: figure[0], low: figure[1] ?? null, high: figure[2] ?? null });
      }
    }
    return { curve, points };
  }

  // A group that is no side of parallel text has bytes per token.
  metricOf(group) {
    const isSide = group === 0 || this.groups[group].lines !== null;
    return isSide ? this.data.primary : "bytes_per_token";
  }

  valueOf(family, at, group) {
    if (this.metricOf(group) === this.data.primary) return this.value(family, at, group);
    const tokens = this.tokens(family, at, group);
    return tokens ? this.groups[group].bytes / tokens : null;
  }

  knees(shown) {
    return shown.filter((family) => family.knee && family.knee[1] !== null)
      .map((family) => ({ family: family.name, size: family.knee[0], low: family.knee[1], high: family.knee[2] }));
  }

  // A group with the name of its language, where it is called by a code.
  label(group) {
    const { name } = this.groups[group];
    const language = languageName(name);
    return language ? `${language} ${name}` : name;
  }

  // What a language costs at a size, relative to the reference where there is one.
  cost(family, size, group) {
    const at = this.nearest(family, size);
    const reference = this.data.reference === null ? undefined : this.groupNumber.get(this.data.reference);
    if (reference === undefined) {
      const value = this.valueOf(family, at, group);
      const [low, high] = this.interval(this.metricOf(group), family, family.curve.sizes[at], group, value);
      return { value, low, high };
    }
    const own = this.tokens(family, at, group);
    const base = this.tokens(family, at, reference);
    if (this.groups[group].lines === null || own === null || !base) return { value: null, low: null, high: null };
    const value = own / base;
    const [low, high] = this.interval(`parity[${this.data.reference}]`, family, family.curve.sizes[at], group, value);
    return { value, low, high };
  }

  // Returns the rows of a chart over languages: `measure(family, group)` gives what each row shows. Languages of
  // one script stand together; within a script, and of scripts, the costliest come first.
  languages(shown, measure, isGood = false) {
    const worth = new Map();
    const cells = new Map();
    for (let group = 1; group < this.groups.length; group++) {
      const own = shown.map((family) => ({ family: family.name, ...measure(family, group) }));
      const known = own.filter((cell) => cell.value !== null && Number.isFinite(cell.value));
      if (!known.length) continue;
      cells.set(group, known);
      const mean = known.reduce((sum, cell) => sum + cell.value, 0) / known.length;
      worth.set(group, isGood ? -mean : mean);
    }
    // Scripts of a single language share a heading.
    const all = new Map();
    for (const group of cells.keys()) {
      const script = this.groups[group].script || "";
      all.set(script, [...(all.get(script) ?? []), group]);
    }
    const alone = [...all.values()].filter((groups) => groups.length < 2).flat();
    const byScript = new Map([...all].filter(([, groups]) => groups.length > 1));
    if (alone.length) byScript.set(byScript.size ? "a script of its own" : "", alone);
    const most = (groups) => Math.max(...groups.map((group) => worth.get(group)));
    const scripts = [...byScript].sort((a, b) => most(b[1]) - most(a[1]));
    const rows = [];
    for (const [script, groups] of scripts) {
      if (scripts.length > 1) rows.push({ row: `▸ ${script || "other"}`, family: null, value: null, low: null, high: null });
      for (const group of groups.sort((a, b) => worth.get(b) - worth.get(a))) {
        for (const cell of cells.get(group)) rows.push({ row: this.label(group), ...cell });
      }
    }
    return rows;
  }

  // The share of a group's tokens that the next thousand ids save, exact on this text.
  gain(family, size, group) {
    const at = this.nearest(family, size);
    const sizes = family.curve.sizes;
    // A thousand ids further, or as far as the curve goes; at its end, a step back.
    let to = at;
    while (to + 1 < sizes.length && sizes[to] < sizes[at] + 1000) to++;
    const [from, until] = to === at ? [at - 1, at] : [at, to];
    if (from < 0) return { value: null };
    const [before, after] = [this.tokens(family, from, group), this.tokens(family, until, group)];
    if (!before || after === null) return { value: null };
    const thousands = (sizes[until] - sizes[from]) / 1000;
    return { value: 1 - (after / before) ** (1 / thousands) };
  }

  tradeOff(shown, xOf) {
    const points = [];
    for (const family of shown) {
      for (const { label, size } of family.tokenizers) {
        const figure = this.figure(this.data.primary, label, 0);
        const x = xOf(label, size);
        if (figure && x) points.push({ label, family: family.name, x, y: figure[0], low: figure[1] ?? null, high: figure[2] ?? null });
      }
    }
    return points;
  }

  // The points that no other is better than in both respects, from left to right.
  static front(points, xIsCost, moreIsBetter) {
    const sorted = [...points].sort((a, b) => (xIsCost ? a.x - b.x : b.x - a.x));
    const front = [];
    for (const point of sorted) {
      const last = front[front.length - 1];
      if (!last || (moreIsBetter ? point.y > last.y : point.y < last.y)) front.push(point);
    }
    return front.map(({ label, family, x, y }) => ({ label, family, x, y }));
  }
}
