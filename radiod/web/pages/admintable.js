/**
 * A table whose rows are what they were while they change: focus, and what is under the pointer, stay.
 *
 * Rows have keys. While somebody is in the table, with the keyboard or the pointer, no row moves or goes.
 */

import { isolated, shown } from "./admintext.js";

/**
 * @typedef {{label: string, of: (row: any) => any, kind?: "number" | "words" | "act"}} Column
 *   of: text, a number as text, `{text, kind}`, `{value, most, text}` for a gauge, or `{act, label, told}` for a
 *   button, `told` being what is said of it to who does not see the row
 */

/** One table. */
export class Table {
  #table;
  #body = document.createElement("tbody");
  #columns;
  #key;
  #empty;
  /** @type {Map<string, HTMLTableRowElement>} */ #rows = new Map();

  /**
   * @param {HTMLTableElement} table empty
   * @param {Element | null} empty shown while there is no row
   * @param {(row: any) => string} key
   * @param {Column[]} columns the first is what a row is about
   */
  constructor(table, empty, key, columns) {
    this.#table = table;
    this.#empty = empty;
    this.#key = key;
    this.#columns = columns;
    const head = document.createElement("tr");
    for (const column of columns) {
      const cell = document.createElement("th");
      cell.scope = "col";
      cell.textContent = column.label;
      cell.className = column.kind ?? "";
      head.append(cell);
    }
    table.createTHead().append(head);
    table.append(this.#body);
    this.show([]);
  }

  /** @param {any[]} rows in order */
  show(rows) {
    const isHeld = this.#body.contains(document.activeElement) || this.#body.matches(":hover");
    const wanted = new Map(rows.map((row) => [this.#key(row), row]));
    for (const [key, element] of this.#rows) {
      const isGone = !wanted.has(key);
      element.classList.toggle("gone", isGone);
      for (const button of element.querySelectorAll("button")) button.disabled = isGone;
      if (isGone && !isHeld) {
        element.remove();
        this.#rows.delete(key);
      }
    }
    let before = null;
    for (const [key, row] of wanted) {
      const known = this.#rows.get(key);
      const element = known ?? this.#made(key);
      this.#columns.forEach((column, index) => fill(element.cells[index], column.of(row)));
      if (known === undefined && isHeld) this.#body.append(element);
      else if (!isHeld) {
        const place = before === null ? this.#body.firstChild : before.nextSibling;
        if (place !== element) this.#body.insertBefore(element, place);
      }
      before = element;
    }
    this.#table.hidden = this.#rows.size === 0;
    if (this.#empty instanceof HTMLElement) this.#empty.hidden = this.#rows.size > 0;
  }

  /** @param {string} key */
  #made(key) {
    const element = document.createElement("tr");
    for (const column of this.#columns) {
      const cell = element.insertCell();
      cell.className = column.kind ?? "";
      cell.dataset.label = column.label;
    }
    this.#rows.set(key, element);
    return element;
  }
}

/** @param {HTMLTableCellElement} cell @param {any} value */
function fill(cell, value) {
  if (value && typeof value === "object" && "act" in value) return button(cell, value);
  if (value && typeof value === "object" && "most" in value) return gauge(cell, value);
  const { text, kind = "" } = value && typeof value === "object" ? value : { text: value };
  const plain = text === null || text === undefined || text === "" ? "–" : shown(text);
  let inner = cell.firstElementChild;
  if (inner === null) cell.append((inner = isolated("")));
  if (inner.textContent !== plain) inner.textContent = plain;
  cell.title = plain.length > 24 ? plain : "";
  for (const name of ["bad", "off"]) cell.classList.toggle(name, kind === name);
}

/** @param {HTMLTableCellElement} cell @param {{value: number, most: number, text: string}} told */
function gauge(cell, { value, most, text }) {
  if (cell.firstElementChild === null) cell.append(document.createElement("meter"), document.createElement("span"));
  const [meter, label] = /** @type {[HTMLMeterElement, HTMLElement]} */ ([...cell.children]);
  meter.max = most;
  meter.high = most * 0.8;
  meter.optimum = 0;
  meter.value = value;
  meter.hidden = !(most > 0);
  if (label.textContent !== text) label.textContent = text;
}

/** @param {HTMLTableCellElement} cell @param {{act: () => void, label: string, told: string}} told */
function button(cell, { act, label, told }) {
  let made = /** @type {HTMLButtonElement | null} */ (cell.firstElementChild);
  if (made === null) {
    made = document.createElement("button");
    made.type = "button";
    made.textContent = label;
    cell.append(made);
  }
  made.setAttribute("aria-label", shown(told));
  made.onclick = act;
}
