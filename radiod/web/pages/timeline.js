/** Pause, and scrub through what is remembered of a town: its film, and the buttons and the slider below the map. */

import { element, write } from "./page.js";

/** A past that is played on is played so much faster than it came, until it has caught up. */
const CATCH_UP = 2;
const SLOWEST_MS = 1000;
const FASTEST_MS = 30;

/** @typedef {import("./town.js").Sample} Sample @typedef {import("./film.js").Film} Film */

/** Decides which sample of a film is seen. */
export class Timeline {
  #on;
  /** @type {Film | null} */ #film = null;
  /** @type {Sample | null} */ #shown = null;
  /** @type {"live" | "held" | "behind"} */ #state = "live";
  #timer = 0;
  #came = 0;
  #gap = SLOWEST_MS;
  #scrub = element("scrub");

  /** @param {{show: (sample: Sample) => void, clock: (sample: Sample) => string}} on */
  constructor(on) {
    this.#on = on;
    element("play").addEventListener("click", () => this.toggle());
    element("live").addEventListener("click", () => this.#goLive());
    this.#scrub.addEventListener("input", () => this.#go(Number(this.#scrub.value)));
    document.addEventListener("keydown", (event) => {
      const isFree = event.target === document.body || event.target === element("map");
      if (event.key !== " " || !isFree || this.#film === null) return;
      event.preventDefault();
      this.toggle();
    });
  }

  /** Begin with a film of which nothing was seen; null: there is none. @param {Film | null} film */
  open(film) {
    this.#film = film;
    this.#shown = null;
    this.#enter("live");
    element("timeline").hidden = true;
  }

  /** A sample was added to the film. @param {Sample} sample */
  came(sample) {
    const now = performance.now();
    if (this.#came) this.#gap = Math.min(SLOWEST_MS, Math.max(FASTEST_MS, now - this.#came));
    this.#came = now;
    if (this.#state === "live" || !this.#film?.frames.includes(/** @type {Sample} */ (this.#shown))) {
      if (this.#state !== "live" && this.#film) return this.#go(0); // What was held is forgotten: the oldest there is.
      this.#show(sample);
    } else this.refresh();
  }

  /** The film has other frames than before. */
  refresh() {
    const frames = this.#film?.frames ?? [];
    element("timeline").hidden = frames.length < 2;
    this.#scrub.max = String(Math.max(frames.length - 1, 1));
    const at = this.#shown ? frames.indexOf(this.#shown) : -1;
    this.#scrub.value = String(at < 0 ? frames.length - 1 : at);
    if (this.#shown) this.#scrub.setAttribute("aria-valuetext", this.#on.clock(this.#shown));
  }

  /** Pause, or go on. */
  toggle() {
    if (this.#state === "held") {
      const isLast = this.#shown === this.#film?.frames.at(-1);
      if (isLast) this.#goLive();
      else this.#enter("behind");
    } else this.#enter("held");
  }

  /** @param {"live" | "held" | "behind"} state */
  #enter(state) {
    this.#state = state;
    clearTimeout(this.#timer);
    document.documentElement.dataset.timeline = state;
    write("play", state === "held" ? "Play" : "Pause");
    element("live").disabled = state === "live";
    write("live", state === "live" ? "Live" : "Back to live");
    if (state === "behind") this.#timer = setTimeout(() => this.#next(), this.#gap / CATCH_UP);
  }

  #goLive() {
    const last = this.#film?.frames.at(-1);
    this.#enter("live");
    if (last) this.#show(last);
  }

  /** @param {number} at the frame to hold */
  #go(at) {
    const sample = this.#film?.frames[at];
    if (sample === undefined) return;
    this.#enter("held");
    this.#show(sample);
  }

  #next() {
    const frames = this.#film?.frames ?? [];
    const at = this.#shown ? frames.indexOf(this.#shown) : -1;
    if (at < 0 || at >= frames.length - 1) return this.#goLive();
    this.#show(frames[at + 1]);
    this.#enter("behind");
  }

  /** @param {Sample} sample */
  #show(sample) {
    this.#shown = sample;
    this.#on.show(sample);
    this.refresh();
  }
}
