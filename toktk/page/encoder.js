// Encodes text with the tokenizers that packing.py packed, and gives the ids that toktk gives.
// Small and slow: pairs are found by looking at all of them, and the best path by trying every token.
"use strict";

const Encoder = (() => {
  const utf8 = new TextEncoder();
  const MARK = "\u2581"; // SentencePiece's space
  const RESET = 100000; // where float32 sums begin anew, as in toktk.kernels.unigram_encode

  // Base 85 as Python writes it, with a comma in place of "<".
  const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;,=>?@^_`{|}~";
  function fromBase85(text) {
    const values = new Uint8Array(128).fill(84); // the last digit fills up the last group
    for (let i = 0; i < DIGITS.length; i++) values[DIGITS.charCodeAt(i)] = i;
    const bytes = new Uint8Array(4 * Math.ceil(text.length / 5));
    const view = new DataView(bytes.buffer);
    for (let i = 0, at = 0; i < text.length; i += 5, at += 4) {
      let group = 0;
      for (let k = i; k < i + 5; k++) group = group * 85 + (k < text.length ? values[text.charCodeAt(k)] : 84);
      view.setUint32(at, group);
    }
    return bytes.subarray(0, Math.floor((4 * text.length) / 5));
  }

  const fromBase64 = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));

  async function inflate(packed) {
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  // Returns {name: array} of the arrays of a pack.
  async function unpack(pack) {
    const data = await inflate(fromBase64(pack.blob));
    const arrays = {};
    let at = 0;
    for (const [name, type, n] of pack.arrays) {
      if (type === "f8") {
        arrays[name] = new Float64Array(data.slice(at, at + 8 * n).buffer);
        at += 8 * n;
        continue;
      }
      const width = Number(type.slice(1));
      const values = new Float64Array(n);
      for (let plane = width - 1; plane >= 0; plane--) {
        for (let i = 0; i < n; i++) values[i] = values[i] * 256 + data[at + plane * n + i];
      }
      arrays[name] = values;
      at += width * n;
    }
    return arrays;
  }

  // Byte strings: a character for each byte, so that they can be keys.
  const binary = (bytes) => {
    let text = "";
    for (const byte of bytes) text += String.fromCharCode(byte);
    return text;
  };
  const bytesOf = (key) => Uint8Array.from(key, (c) => c.charCodeAt(0));
  const keyOf = (text) => binary(utf8.encode(text));

  // Cutting ------------------------------------------------------------------------------------

  class Pattern {
    constructor(packed) {
      this.starts = new Int32Array(packed.starts.length);
      let at = 0;
      packed.starts.forEach((step, i) => (this.starts[i] = at += step));
      this.classes = packed.classes;
      this.next = packed.next;
      this.accept = packed.accept;
      this.end = packed.next[0].length; // the column of the end of the text
      this.known = new Map();
    }

    classOf(code) {
      let symbol = this.known.get(code);
      if (symbol === undefined) {
        let low = 0;
        let high = this.starts.length;
        while (high - low > 1) {
          const middle = (low + high) >> 1;
          if (this.starts[middle] <= code) low = middle;
          else high = middle;
        }
        symbol = this.classes[low];
        this.known.set(code, symbol);
      }
      return symbol;
    }

    // Matches and the gaps between them.
    cut(text) {
      const characters = Array.from(text);
      const symbols = characters.map((c) => this.classOf(c.codePointAt(0)));
      const pieces = [];
      let gap = 0;
      let at = 0;
      while (at < symbols.length) {
        const n = this.match(symbols, at);
        if (n === 0) {
          at++;
          continue;
        }
        if (gap < at) pieces.push(characters.slice(gap, at).join(""));
        pieces.push(characters.slice(at, at + n).join(""));
        gap = at += n;
      }
      if (gap < at) pieces.push(characters.slice(gap).join(""));
      return pieces;
    }

    match(symbols, start) {
      let state = 0;
      let length = 0;
      for (let i = start; i < symbols.length; i++) {
        length = this.matched(state, symbols[i], i - start, length);
        state = this.next[state][symbols[i]];
        if (state < 0) return length;
      }
      return this.matched(state, this.end, symbols.length - start, length);
    }

    // How long the match is, `read` characters after its start, if it was `length` so far.
    matched(state, symbol, read, length) {
      const ends = Number(this.accept[state][symbol]);
      return ends > 0 ? read - (ends - 1) : length;
    }
  }

  class Cut {
    constructor(packed) {
      this.patterns = packed.patterns.map((pattern) => new Pattern(pattern));
      this.added = [...packed.added].sort((a, b) => b.length - a.length);
      this.form = packed.form;
      this.marks = packed.marks || false;
      this.prefix = packed.prefix || "never";
    }

    pieces(text) {
      const pieces = [];
      for (const [part, isAdded] of this.parts(text)) {
        let own = [isAdded ? this.unmarked(part) : this.normalized(part)].filter((p) => p !== "");
        if (!isAdded) {
          for (const pattern of this.patterns) own = own.flatMap((piece) => pattern.cut(piece));
        }
        pieces.push(...own);
      }
      return pieces;
    }

    unmarked(text) {
      return this.marks ? text.replaceAll(MARK, " ") : text;
    }

    // Added strings are found in the raw text, leftmost and then longest.
    parts(text) {
      const parts = [];
      let from = 0;
      for (let at = 0; at < text.length && this.added.length; at++) {
        const found = this.added.find((string) => text.startsWith(string, at));
        if (found === undefined) continue;
        if (from < at) parts.push([text.slice(from, at), false]);
        parts.push([found, true]);
        from = at + found.length;
        at = from - 1;
      }
      if (from < text.length) parts.push([text.slice(from), false]);
      return parts;
    }

    normalized(text) {
      if (this.form) text = this.toForm(text, ...this.form);
      text = this.unmarked(text);
      const isPrefixed =
        this.prefix === "always" || (this.prefix === "unless_space" && !text.startsWith(" "));
      return isPrefixed && text !== "" ? ` ${text}` : text;
    }

    // Only characters that may change go through the browser, with the stable one before them.
    toForm(text, form, bounds) {
      const mayChange = (character) => {
        const code = character.codePointAt(0);
        let low = 0;
        let high = bounds.length;
        while (low < high) {
          const middle = (low + high) >> 1;
          if (bounds[middle] <= code) low = middle + 1;
          else high = middle;
        }
        return low % 2 === 1;
      };
      let result = "";
      let pending = "";
      let isChanging = false;
      for (const character of text) {
        const changes = mayChange(character);
        if (!changes) {
          result += isChanging ? pending.normalize(form) : pending;
          pending = "";
          isChanging = false;
        }
        pending += character;
        isChanging = isChanging || changes;
      }
      return result + (isChanging ? pending.normalize(form) : pending);
    }
  }

  // Models -------------------------------------------------------------------------------------

  // The tokens that a pack spells out, in their order, as byte strings.
  function spelledOut(arrays) {
    const tokens = [];
    let before = "";
    let at = 0;
    arrays.length.forEach((length, i) => {
      before = before.slice(0, arrays.shared[i]) + binary(arrays.rest.subarray(at, at + length));
      at += length;
      tokens.push(before);
    });
    return tokens;
  }

  const byId = (arrays) => new Map(spelledOut(arrays).map((token, i) => [arrays.id[i], token]));

  class Pairs {
    constructor(pack, arrays) {
      this.bytes = pack.bytes;
      this.left = arrays.left;
      this.right = arrays.right;
      this.made = arrays.new;
      this.rank = arrays.rank;
      this.byPair = new Map();
      this.madeBy = new Map(); // the first merge that makes an id
      for (let i = 0; i < this.left.length; i++) {
        this.byPair.set(this.left[i] * 16777216 + this.right[i], i);
        if (!this.madeBy.has(this.made[i])) this.madeBy.set(this.made[i], i);
      }
      this.spelled = "id" in arrays ? byId(arrays) : new Map();
      pack.bytes.forEach((id, byte) => id >= 0 && this.spelled.set(id, String.fromCharCode(byte)));
      this.characters = new Map();
      if (pack.by_character) {
        arrays.codes.forEach((code, i) => this.characters.set(code, arrays.characters[i]));
      }
      this.byCharacter = pack.by_character || false;
      this.whole = new Map();
      for (const id of arrays.whole || []) this.whole.set(this.token(id), id);
    }

    token(id) {
      let token = this.spelled.get(id);
      if (token === undefined) {
        const merge = this.madeBy.get(id);
        token = merge === undefined ? "" : this.token(this.left[merge]) + this.token(this.right[merge]);
        this.spelled.set(id, token);
      }
      return token;
    }

    // `limit`: how many merges there are.
    encode(text, limit = Infinity) {
      const whole = this.whole.get(keyOf(text));
      if (whole !== undefined) return [whole];
      const ids = [];
      for (const character of text) {
        const id = this.characters.get(character.codePointAt(0));
        if (id !== undefined) ids.push(id);
        else for (const byte of utf8.encode(character)) ids.push(this.bytes[byte]);
      }
      const find = (i) => {
        const merge = this.byPair.get(ids[i] * 16777216 + ids[i + 1]);
        return merge === undefined || merge >= limit ? -1 : merge;
      };
      const rankOf = (merge) => (merge < 0 ? Infinity : this.rank ? this.rank[merge] : merge);
      const merges = [];
      for (let i = 0; i + 1 < ids.length; i++) merges.push(find(i));
      for (;;) {
        let best = Infinity;
        let at = -1;
        for (let i = 0; i < merges.length; i++) {
          const rank = rankOf(merges[i]);
          if (rank < best) {
            best = rank;
            at = i;
          }
        }
        if (at < 0) return ids;
        ids.splice(at, 2, this.made[merges[at]]);
        merges.splice(at, 1);
        if (at < merges.length) merges[at] = find(at);
        if (at > 0) merges[at - 1] = find(at - 1);
      }
    }

    // The two tokens that were merged into an id, or null.
    parts(id) {
      const merge = this.madeBy.get(id);
      return merge === undefined ? null : [this.left[merge], this.right[merge], merge];
    }
  }

  // Tokens that are looked up: by score, or the longest first.
  class Scored {
    // `about`: kind, bytes, unknown, first and so on; `spelled`: {id: token}.
    constructor(about, spelled, scores, matched) {
      this.kind = about.kind;
      this.bytes = about.bytes;
      this.unknown = about.unknown;
      this.unknownId = about.unknown_id;
      this.scores = scores;
      this.first = about.first;
      this.sum = about.single ? Math.fround : (x) => x;
      this.single = about.single || false;
      this.spelled = spelled;
      this.idOf = new Map();
      this.longest = 1;
      for (const [id, token] of this.spelled) {
        if (matched && !matched.has(id)) continue;
        this.idOf.set(token, id);
        this.longest = Math.max(this.longest, token.length);
      }
      (about.bytes || []).forEach((id, b) => id >= 0 && this.spelled.set(id, String.fromCharCode(b)));
    }

    token(id) {
      return this.spelled.get(id) || "";
    }

    score(id) {
      return this.scores ? this.scores[id - this.first] : undefined;
    }

    encode(text) {
      const key = keyOf(text);
      if (this.kind === "greedy") return this.greedy(key);
      const edges = this.walk(key);
      return this.kind === "fused-unigram" ? this.fused(key, edges) : this.path(key, edges);
    }

    static characterLength(code) {
      return code < 0xc0 ? 1 : code < 0xe0 ? 2 : code < 0xf0 ? 3 : 4;
    }

    greedy(key) {
      const ids = [];
      for (let i = 0; i < key.length; ) {
        let end = Math.min(i + this.longest, key.length);
        while (end > i && !this.idOf.has(key.slice(i, end))) end--;
        if (end > i) ids.push(this.idOf.get(key.slice(i, end)));
        else {
          end = Math.min(i + Scored.characterLength(key.charCodeAt(i)), key.length);
          for (let j = i; j < end; j++) ids.push(this.bytes[key.charCodeAt(j)]);
        }
        i = end;
      }
      return ids;
    }

    // Returns for each place [where the last token of the best path begins, its id or -1].
    walk(key) {
      const n = key.length;
      const best = new Array(n + 1).fill(undefined);
      const back = new Array(n + 1);
      const spells = this.bytes !== null || this.kind === "fused-unigram";
      best[0] = 0;
      const arrive = (at, score, step) => {
        if (best[at] === undefined || score > best[at]) {
          best[at] = score;
          back[at] = step;
        }
      };
      let frontier = 0;
      for (let i = 0; i < n; i++) {
        if (best[i] === undefined) continue;
        if (this.single && Math.abs(best[i]) > RESET) {
          const here = best[i];
          for (let j = i; j <= frontier; j++) {
            if (best[j] !== undefined) best[j] = this.sum(best[j] - here);
          }
        }
        const length = spells ? Math.min(Scored.characterLength(key.charCodeAt(i)), n - i) : 1;
        let alone = false;
        for (let j = i + 1; j <= Math.min(i + this.longest, n); j++) {
          const id = this.idOf.get(key.slice(i, j));
          if (id === undefined) continue;
          frontier = Math.max(frontier, j);
          arrive(j, this.sum(best[i] + this.sum(this.scores[id - this.first])), [i, id]);
          alone = alone || j - i === length;
        }
        if (spells && !alone) {
          frontier = Math.max(frontier, i + length);
          arrive(i + length, this.sum(best[i] + this.sum(this.unknown[length])), [i, -1]);
        }
      }
      return back;
    }

    path(key, back) {
      const ids = [];
      for (let i = key.length; i > 0; ) {
        const [from, id] = back[i];
        if (id >= 0) ids.push(id);
        else for (let j = i - 1; j >= from; j--) ids.push(this.bytes[key.charCodeAt(j)]);
        i = from;
      }
      return ids.reverse();
    }

    // A run of unknown characters, and of the unknown token's name, is that token once, or its bytes.
    fused(key, back) {
      const ids = [];
      const isKnown = (id) => id >= 0 && id !== this.unknownId;
      for (let i = key.length; i > 0; ) {
        let [from, id] = back[i];
        if (isKnown(id)) {
          ids.push(id);
          i = from;
          continue;
        }
        const end = i;
        let alone = id >= 0;
        i = from;
        while (i > 0) {
          [from, id] = back[i];
          if (isKnown(id)) break;
          alone = false;
          i = from;
        }
        if (this.bytes !== null && !alone) {
          for (let j = end - 1; j >= i; j--) ids.push(this.bytes[key.charCodeAt(j)]);
        } else ids.push(this.unknownId);
      }
      return ids.reverse();
    }

    parts() {
      return null;
    }
  }

  class Tokenizer {
    // `limit`: how many merges count; `symbols` and `names`: of tokens that are found as they are, and of others.
    constructor(cut, model, symbols, names, limit) {
      this.cut = cut;
      this.model = model;
      this.symbols = symbols;
      this.names = names;
      this.limit = limit;
    }

    encode(text) {
      const ids = [];
      for (const piece of this.cut.pieces(text)) {
        const symbol = this.symbols.get(piece);
        if (symbol !== undefined) ids.push(symbol);
        else for (const id of this.model.encode(piece, this.limit)) ids.push(id);
      }
      return ids;
    }

    // Returns the bytes that an id stands for in text.
    bytes(id) {
      const token = this.model.token(id);
      return token === "" && this.names.has(id) ? utf8.encode(this.names.get(id)) : bytesOf(token);
    }
  }

  // The tokenizers of a pack, by label.
  class Family {
    constructor(pack, arrays) {
      this.pack = pack;
      this.arrays = arrays;
      this.cut = new Cut(pack.cut);
      this.symbols = new Map(Object.entries(pack.symbols));
      this.known = new Map();
    }

    tokenizer(label) {
      if (!this.known.has(label)) this.known.set(label, this.made(label));
      return this.known.get(label);
    }

    made(label) {
      const { pack, arrays } = this;
      const about = pack.kind === "vocabularies" ? pack.models[label] : pack;
      const names = new Map(about.specials.map(([name, id]) => [id, name]));
      return new Tokenizer(this.cut, this.modelOf(label, about, arrays), this.symbols, names, pack.limits?.[label] ?? Infinity);
    }

    modelOf(label, about, arrays) {
      if (this.pack.kind === "pairs") return (this.pairs ??= new Pairs(about, arrays));
      if (this.pack.kind !== "vocabularies") return new Scored(about, byId(arrays), arrays.score, new Set(arrays.matched));
      const n = Object.keys(this.pack.models).indexOf(label);
      const spelled = new Map();
      this.union ??= spelledOut(arrays);
      this.union.forEach((token, i) => {
        const has = arrays[`has${n}`][i >> 3] & (128 >> (i & 7));
        if (has) spelled.set(about.first + arrays[`id${n}`][spelled.size], token);
      });
      return new Scored(about, spelled, arrays[`score${n}`]);
    }
  }

  async function load(pack) {
    return new Family(pack, await unpack(pack));
  }

  async function loadCounts(pack) {
    const arrays = await unpack(pack);
    const counts = new Map();
    let id = 0;
    arrays.step.forEach((step, i) => counts.set((id += step), arrays.count[i]));
    return counts;
  }

  return { load, loadCounts, inflate, fromBase85 };
})();

if (typeof module !== "undefined") module.exports = Encoder;
