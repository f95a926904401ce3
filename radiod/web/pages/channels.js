/** The list of public channels: asked for every 2 s while somebody looks, with rates from the differences. */

import { isDictionary } from "./data.js";
import { count, rate } from "./format.js";
import { Rate } from "./tuner.js";

const EVERY_MS = 2_000;
const PATIENCE_MS = 8_000;

/** @typedef {{name: string, readers: number, events: number}} Channel */

/**
 * The channels to show out of an answer of `GET /channels`; what is malformed is left out, and so are maps.
 *
 * @param {unknown} answer
 * @returns {Channel[]}
 */
export function readChannels(answer) {
  const given = isDictionary(answer) && Array.isArray(answer.channels) ? answer.channels : [];
  return given
    .filter((channel) => isDictionary(channel) && typeof channel.name === "string")
    .filter((channel) => !/\.map(\.\d+)?$/.test(channel.name))
    .map(({ name, readers, events }) => ({ name, readers: Number(readers) || 0, events: Number(events) || 0 }));
}

/** Keeps a list element up to date. */
export class ChannelList {
  #list;
  #empty;
  #on;
  /** @type {Map<string, {item: HTMLLIElement, readers: HTMLElement, rate: HTMLElement, meter: Rate}>} */
  #rows = new Map();
  #selected = "";
  #timer = 0;
  #running = false;

  /**
   * @param {{list: HTMLElement, empty: HTMLElement}} place empty: shown while there is no channel
   * @param {{chosen: (name: string) => void, listed: (names: string[]) => void}} on chosen: by the user
   */
  constructor({ list, empty }, on) {
    this.#list = list;
    this.#empty = empty;
    this.#on = on;
    document.addEventListener("visibilitychange", () => this.#poll());
  }

  /** Ask from now on. */
  start() {
    this.#running = true;
    this.#poll();
  }

  /** Ask no more; what was heard last stays. */
  stop() {
    this.#running = false;
  }

  /** Mark the channel being listened to. @param {string} name */
  select(name) {
    this.#selected = name;
    for (const [other, { item }] of this.#rows) this.#mark(item, other);
  }

  async #poll() {
    clearTimeout(this.#timer);
    if (!this.#running || document.hidden) return;
    this.#timer = setTimeout(() => this.#poll(), EVERY_MS);
    try {
      const answer = await fetch("channels?limit=1000", { signal: AbortSignal.timeout(PATIENCE_MS) });
      if (answer.ok) this.#show(readChannels(await answer.json()));
    } catch {
      // No answer, or none that can be read: the next one may do. The WAMP session tells whether we are on air.
    }
  }

  /** @param {Channel[]} channels */
  #show(channels) {
    const now = performance.now();
    const names = channels.map((channel) => channel.name);
    const listed = new Set(names);
    for (const [name, { item }] of this.#rows) {
      if (listed.has(name)) continue;
      item.remove();
      this.#rows.delete(name);
    }
    for (const [at, channel] of channels.entries()) {
      const row = this.#rows.get(channel.name) ?? this.#add(channel.name);
      if (this.#list.children[at] !== row.item) this.#list.insertBefore(row.item, this.#list.children[at] ?? null);
      row.meter.mark(now, channel.events);
      row.readers.textContent = `${count(channel.readers)} ${channel.readers === 1 ? "listener" : "listeners"}`;
      row.rate.textContent = rate(row.meter.perSecond());
      row.item.dataset.active = String((row.meter.perSecond() ?? 0) > 0);
    }
    this.#empty.hidden = names.length > 0;
    this.#on.listed(names);
  }

  /** @param {string} name */
  #add(name) {
    const item = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    item.dataset.name = name;
    const part = (/** @type {string} */ kind, text = "") => {
      const span = document.createElement("span");
      span.className = `channel-${kind}`;
      span.textContent = text;
      button.append(span);
      return span;
    };
    part("dot");
    part("name", name).title = name;
    const row = { item, rate: part("rate"), readers: part("readers"), meter: new Rate(6_500) };
    button.addEventListener("click", () => this.#on.chosen(name));
    item.append(button);
    this.#rows.set(name, row);
    this.#mark(item, name);
    return row;
  }

  /** @param {HTMLLIElement} item @param {string} name */
  #mark(item, name) {
    const button = /** @type {HTMLButtonElement} */ (item.firstElementChild);
    if (name === this.#selected) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  }
}
