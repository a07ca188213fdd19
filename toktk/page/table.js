// The table of comparisons: sorted, filtered, copied as CSV, Markdown or LaTeX.
"use strict";

class ComparisonTable {
  // `columns`: {head, of(row) -> text, key(row) -> what sorts it, isNumber}.
  constructor(table, columns) {
    this.table = table;
    this.columns = columns;
    this.rows = [];
    this.sorted = { column: 0, isDescending: false };
    this.onSort = () => {};
    const head = table.createTHead().insertRow();
    columns.forEach((column, i) => {
      const cell = document.createElement("th");
      cell.scope = "col";
      if (column.isNumber) cell.className = "number";
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = column.head;
      button.addEventListener("click", () => {
        const isSame = this.sorted.column === i;
        this.sorted = { column: i, isDescending: isSame && !this.sorted.isDescending };
        this.onSort(this.sorted);
        this.draw();
      });
      cell.append(button);
      head.append(cell);
    });
    this.body = table.createTBody();
  }

  show(rows) {
    this.rows = rows;
    this.draw();
  }

  draw() {
    const { column, isDescending } = this.sorted;
    const key = this.columns[column].key;
    const rank = (value) => (value === null || value === undefined ? Infinity : value);
    this.rows = [...this.rows].sort((a, b) => {
      const [x, y] = [rank(key(a)), rank(key(b))];
      if (x === Infinity || y === Infinity) return x === y ? 0 : x === Infinity ? 1 : -1;
      const order = typeof x === "string" ? x.localeCompare(y) : x - y;
      return isDescending ? -order : order;
    });
    [...this.table.tHead.rows[0].cells].forEach((cell, i) => {
      if (i === column) cell.setAttribute("aria-sort", isDescending ? "descending" : "ascending");
      else cell.removeAttribute("aria-sort");
    });
    this.body.replaceChildren(...this.rows.map((row) => {
      const line = document.createElement("tr");
      for (const each of this.columns) {
        const cell = line.insertCell();
        cell.textContent = each.of(row);
        if (each.isNumber) cell.className = "number";
        if (each.style) cell.className = each.style(row);
      }
      return line;
    }));
  }

  cells() {
    return [this.columns.map((column) => column.head), ...this.rows.map((row) => this.columns.map((c) => c.of(row)))];
  }

  text(format) {
    const rows = this.cells();
    if (format === "csv") {
      const quoted = (cell) => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);
      return rows.map((row) => row.map(quoted).join(",")).join("\r\n") + "\r\n";
    }
    const isNumber = this.columns.map((column) => column.isNumber);
    if (format === "markdown") {
      const escaped = (cell) => cell.replace(/[\\|`*_<>[\]&~#]/g, "\\$&");
      const rule = isNumber.map((right) => (right ? "---:" : "---"));
      const lines = [rows[0].map(escaped), rule, ...rows.slice(1).map((row) => row.map(escaped))];
      return lines.map((row) => `| ${row.join(" | ")} |`).join("\n") + "\n";
    }
    const special = { "\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}",
      "|": "\\textbar{}", "<": "\\textless{}", ">": "\\textgreater{}", "…": "\\ldots{}", "−": "--", "≥": "$\\geq$" };
    const escaped = (cell) => cell.replace(/[\\~^|<>…−≥&%$#_{}]/g, (c) => special[c] || `\\${c}`);
    const line = (row) => `${row.map(escaped).join(" & ")} \\\\`;
    const align = isNumber.map((right) => (right ? "r" : "l")).join("");
    return [`\\begin{tabular}{${align}}`, "\\toprule", line(rows[0]), "\\midrule", ...rows.slice(1).map(line),
      "\\bottomrule", "\\end{tabular}", ""].join("\n");
  }
}

// Puts text on the clipboard; where the browser refuses, in a field to copy from by hand. Tells whether it is there.
async function copyText(text) {
  if (navigator.clipboard) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch (error) {
      if (!(error instanceof DOMException)) throw error;
    }
  }
  const field = document.createElement("textarea");
  field.value = text;
  field.setAttribute("aria-label", "The table as text");
  document.body.append(field);
  field.select();
  const isCopied = document.execCommand("copy");
  field.remove();
  return isCopied;
}
