// A text under up to four tokenizers, side by side: spans that others lack are ringed.
"use strict";

const Tokens = (() => {
  const MOST = 4; // tokenizers
  const LINE = 56; // bytes, about, of a row of the columns
  const DEPTH = 6; // of the merges that are shown

  const utf8 = new TextEncoder();
  const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const loaded = new Map();
  const counted = new Map();

  const element = (id) => document.getElementById(id);

  function make(tag, className, text) {
    const made = document.createElement(tag);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  }

  // Splits bytes into whole characters and single bytes of others: [text, isByte].
  function characters(bytes) {
    const parts = [];
    for (let i = 0; i < bytes.length; ) {
      const lead = bytes[i];
      const n = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc2 ? 2 : 0;
      let text = null;
      if (n > 0 && i + n <= bytes.length) {
        try {
          text = strict.decode(bytes.subarray(i, i + n));
        } catch (error) {
          if (!(error instanceof TypeError)) throw error;
        }
      }
      if (text === null) parts.push([bytes[i].toString(16).toUpperCase().padStart(2, "0"), true]);
      else parts.push([text, false]);
      i += text === null ? 1 : n;
    }
    return parts;
  }

  const JOINERS = /[\u200c\u200d\ufe0f]/u;
  const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}\p{Cs}\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000\u2800\u3164\ufe00-\ufe0f]/u;

  // Fills an element with what a token spells; nothing in it is hidden, and nothing steers.
  function spell(place, bytes) {
    let plain = "";
    const flush = () => {
      if (plain) place.append(plain);
      plain = "";
    };
    const marked = (text, className) => {
      flush();
      place.append(make("span", className, text));
    };
    characters(bytes).forEach(([text, isByte], i, all) => {
      if (isByte) marked(`<${text}>`, "byte");
      else if (text === " ") marked("·", "mark");
      else if (text === "\n") marked("↵", "mark");
      else if (text === "\t") marked("→", "mark");
      else if (JOINERS.test(text) && i > 0 && all.length > 1 && !all[i - 1][1]) plain += text;
      else if (HIDDEN.test(text)) marked(`<U+${text.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}>`, "byte");
      else plain += i === 0 && /\p{M}/u.test(text) ? `◌${text}` : text;
    });
    flush();
    return place;
  }

  const label = (bytes) => spell(make("span"), bytes).textContent;

  async function tokenizerOf(data, name) {
    const pack = data.packs.find((each) => each.labels.includes(name));
    if (!loaded.has(pack)) loaded.set(pack, Encoder.load(pack));
    if (!counted.has(name) && data.counts[name]) counted.set(name, Encoder.loadCounts(data.counts[name]));
    return { name, tokenizer: (await loaded.get(pack)).tokenizer(name), counts: await counted.get(name) };
  }

  // Returns the tokens of a text: {id, bytes, start, end}, in bytes of the text; `isAligned` is false where the
  // tokens spell another text, as where it was normalized.
  function encoded(tokenizer, text) {
    const data = utf8.encode(text);
    const tokens = [];
    let at = 0;
    for (const id of tokenizer.encode(text)) {
      const bytes = tokenizer.bytes(id);
      tokens.push({ id, bytes, start: at, end: at + bytes.length });
      at += bytes.length;
    }
    const spelled = new Uint8Array(at);
    for (const { bytes, start } of tokens) spelled.set(bytes, start);
    const equals = (shift) => at === data.length + shift && data.every((byte, i) => byte === spelled[i + shift]);
    const shift = equals(0) ? 0 : spelled[0] === 0x20 && equals(1) ? 1 : null; // a space was put in front
    if (shift) {
      for (const token of tokens) {
        token.start = Math.max(0, token.start - shift);
        token.end -= shift;
      }
    }
    return { tokens, isAligned: shift !== null, hasPrefix: shift === 1 };
  }

  // Marks the tokens that some other column lacks.
  function mark(columns) {
    const aligned = columns.filter((column) => column.isAligned);
    const spans = aligned.map((column) => new Set(column.tokens.map((t) => `${t.start},${t.end}`)));
    for (const column of aligned) {
      for (const token of column.tokens) {
        token.ring = spans.some((own) => !own.has(`${token.start},${token.end}`));
      }
    }
  }

  // Where all columns have an end: rows of the grid end there, about a line apart and at ends of lines.
  function rowEnds(columns, data) {
    const aligned = columns.filter((column) => column.isAligned);
    if (!aligned.length) return [data.length];
    const others = aligned.slice(1).map((column) => new Set(column.tokens.map((t) => t.end)));
    const ends = [];
    let last = 0;
    for (const { end } of aligned[0].tokens) {
      if (end <= last || !others.every((own) => own.has(end))) continue;
      if (end - last >= LINE || data[end - 1] === 10 || end === data.length) {
        ends.push(end);
        last = end;
      }
    }
    if (last < data.length || !ends.length) ends.push(data.length);
    return ends;
  }

  function draw(columns, data) {
    const grid = make("div", "grid");
    grid.style.gridTemplateColumns = `repeat(${columns.length}, minmax(0, 1fr))`;
    for (const column of columns) {
      const head = make("div", "head");
      head.append(make("strong", "", column.name));
      const n = column.tokens.length;
      const each = n ? ` · ${(data.length / n).toFixed(2)} bytes each` : "";
      head.append(`${n.toLocaleString("en-US")} token${n === 1 ? "" : "s"}${each}`);
      if (!column.isAligned) head.append(make("div", "note", "It changes the text before it encodes it: what it reads is shown, not aligned."));
      else if (column.hasPrefix) head.append(make("div", "note", "It puts a space in front of the text."));
      grid.append(head);
    }
    let from = -1;
    for (const end of rowEnds(columns, data)) {
      for (const column of columns) {
        const cell = make("div");
        if (columns.length > 1) cell.dataset.name = column.name;
        const own = column.isAligned
          ? column.tokens.filter((t) => t.end <= end && (t.end > from || (from < 0 && t.end === 0)))
          : from < 0 ? column.tokens : [];
        for (const token of own) cell.append(chip(column, token));
        grid.append(cell);
      }
      from = end;
    }
    element("columns").replaceChildren(grid);
    const first = grid.querySelector(".token");
    if (first) first.tabIndex = 0;
    grid.addEventListener("keydown", move);
  }

  function chip(column, token) {
    const made = spell(make("span", token.ring ? "token ring" : "token"), token.bytes);
    made.style.background = `var(--t${(token.id * 7) % 6})`;
    made.setAttribute("role", "button");
    made.tabIndex = -1;
    made.setAttribute("aria-label", `${label(token.bytes)}, id ${token.id}${token.ring ? ", not in all" : ""}`);
    const choose = () => {
      document.querySelectorAll(".token.chosen").forEach((each) => each.classList.remove("chosen"));
      made.classList.add("chosen");
      describe(column, token);
    };
    made.addEventListener("click", choose);
    made.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        choose();
      }
    });
    return made;
  }

  // Arrow keys go from token to token; only one of them is reached by Tab.
  function move(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step || !event.target.classList.contains("token")) return;
    const all = [...event.currentTarget.querySelectorAll(".token")];
    const next = all[all.indexOf(event.target) + step];
    if (!next) return;
    event.preventDefault();
    event.target.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  }

  function describe(column, token) {
    const { tokenizer, counts } = column;
    const place = element("detail");
    const hex = [...token.bytes].map((b) => b.toString(16).toUpperCase().padStart(2, "0")).join(" ");
    const facts = [`id ${token.id}`, `${token.bytes.length} byte${token.bytes.length === 1 ? "" : "s"}: ${hex}`];
    const parts = tokenizer.model.parts(token.id);
    if (parts) facts.push(`merge ${(parts[2] + 1).toLocaleString("en-US")}`);
    const score = tokenizer.model.score?.(token.id);
    if (score !== undefined) facts.push(`score ${score.toFixed(3)}`);
    if (counts) facts.push(`${(counts.get(token.id) ?? 0).toLocaleString("en-US")} times in the text that was measured`);
    const lines = [];
    const walk = (id, depth, indent) => {
      const below = tokenizer.model.parts(id);
      lines.push(`${indent}${label(tokenizer.bytes(id))}  ${id}${below ? `  merge ${(below[2] + 1).toLocaleString("en-US")}` : ""}`);
      if (below && depth < DEPTH) for (const part of below.slice(0, 2)) walk(part, depth + 1, `${indent}  `);
      else if (below) lines.push(`${indent}  …`);
    };
    place.replaceChildren(make("strong", "", `${label(token.bytes)} of ${column.name}`), make("div", "", facts.join(" · ")));
    if (parts) {
      walk(token.id, 0, "");
      place.append(make("pre", "", lines.join("\n")));
    }
  }

  let turn = 0;
  async function show(data, names, text, remark = "") {
    const mine = ++turn;
    const chosen = await Promise.all(names.map((name) => tokenizerOf(data, name)));
    if (mine !== turn) return; // something else is wanted by now
    const columns = chosen.map((each) => ({ ...each, ...encoded(each.tokenizer, text) }));
    mark(columns);
    element("detail").replaceChildren();
    if (!columns.length) {
      element("columns").replaceChildren();
      element("spread").textContent = "";
      return;
    }
    draw(columns, utf8.encode(text));
    const counts = columns.map((column) => column.tokens.length);
    const [least, most] = [Math.min(...counts), Math.max(...counts)];
    const rings = columns.reduce((sum, column) => sum + column.tokens.filter((t) => t.ring).length, 0);
    element("spread").textContent = columns.length < 2 ? remark
      : `${least.toLocaleString("en-US")} to ${most.toLocaleString("en-US")} tokens${least ? `, ${(100 * (most / least - 1)).toFixed(0)} % apart` : ""}; ${rings.toLocaleString("en-US")} with a ring.${remark}`;
  }

  return { MOST, show, spell, tokenizerOf };
})();
