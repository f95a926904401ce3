/** The end of the log: lines are added below, the oldest go. */

import { lines } from "./admintext.js";
import { element } from "./page.js";

const MOST = 400;

/** What follows it. */
export class Log {
  /** The number of the last line that came; null: none did since the log-in. @type {number | null} */ after = null;
  /** When the server began to keep lines: another one, another server. */ #since = 0;
  #list = element("log");
  #empty = document.querySelector("[data-for=log]");

  constructor() {
    element("level").addEventListener("change", (/** @type {any} */ event) => {
      this.#list.dataset.least = event.target.value;
      this.#scroll();
    });
  }

  /** Begin anew: of another server perhaps. */
  forget() {
    this.after = null;
    this.#list.replaceChildren();
  }

  /** @param {{lines: any[], next: number, since: number}} told */
  add({ lines: more, next, since }) {
    if (this.after !== null && since !== this.#since) {
      // Its numbers mean something else: all that it has is asked for in the next round.
      this.#note("The server was started anew.");
      this.#since = since;
      this.after = null;
      return;
    }
    this.#since = since;
    if (this.after !== null && more.length > 0 && more[0].seq > this.after + 1) {
      this.#note(`${more[0].seq - this.after - 1} lines are not shown.`);
    }
    this.after = next;
    for (const line of more) this.#list.append(made(line));
    while (this.#list.childElementCount > MOST) this.#list.firstElementChild.remove();
    if (this.#empty instanceof HTMLElement) this.#empty.hidden = this.#list.childElementCount > 0;
    if (more.length > 0) this.#scroll();
  }

  /** @param {string} text */
  #note(text) {
    const item = document.createElement("li");
    item.className = "gap";
    item.textContent = text;
    this.#list.append(item);
  }

  #scroll() {
    if (element("follow").checked) this.#list.scrollTop = this.#list.scrollHeight;
  }
}

/** @param {any} line */
function made(line) {
  const item = document.createElement("li");
  const time = document.createElement("time");
  const moment = new Date(line.time * 1000);
  time.dateTime = moment.toISOString();
  time.title = time.dateTime;
  time.textContent = moment.toLocaleTimeString("en-GB");
  const text = document.createElement("bdi");
  text.textContent = lines(line.text);
  item.dataset.level = String(line.level);
  item.append(time, text);
  return item;
}
