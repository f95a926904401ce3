/** The connection's state as people see it: a pill, the title, one announcement for each real change. */

import { element, write } from "./page.js";
import { CallError, CallTimeout } from "./radiod.js";

const CHECK_MS = 15_000;
const ANSWER_MS = 10_000;

/** Follows one client's state. */
export class OnAir {
  /** @type {"connecting" | "open" | "closed"} */ #state = "connecting";
  /** @type {import("./radiod.js").Why} */ #why = {};
  #timer = 0;
  #channel = "";
  #announced = "";

  /** @param {import("./radiod.js").State} state @param {import("./radiod.js").Why} why */
  show(state, why) {
    this.#state = state === "open" || state === "connecting" ? state : "closed";
    this.#why = why;
    document.documentElement.dataset.state = this.#state;
    element("retry").hidden = this.#state !== "closed";
    clearInterval(this.#timer);
    if (this.#state === "closed") this.#timer = setInterval(() => this.#write(), 500);
    this.#write();
    // "Connecting" comes and goes with every try: to be told once that the radio is off the air is enough.
    if (state !== "connecting") this.#announce(state === "open" ? "On air" : "Off air, retrying");
  }

  /** @param {string} channel */
  name(channel) {
    this.#channel = channel;
    this.#write();
  }

  /** How long the server took to answer. @param {number} milliseconds */
  answered(milliseconds) {
    element("state").title = `The server answered within ${Math.max(1, Math.round(milliseconds))} ms`;
  }

  #write() {
    const { retryAt = 0, reason = "" } = this.#why;
    const state = this.#state;
    const wait = Math.max(0, Math.ceil((retryAt - Date.now()) / 1000));
    const texts = { open: "On air", connecting: "Connecting…", closed: `Off air – retrying in ${wait} s` };
    write("state-text", texts[state]);
    if (state !== "open") element("state").title = reason;
    document.title = [state === "open" ? "" : "(off air)", this.#channel, "radiod"].filter(Boolean).join(" · ");
  }

  /** @param {string} text */
  #announce(text) {
    if (text === this.#announced) return;
    this.#announced = text;
    write("announce", text);
  }
}

/**
 * Ask the server for an answer now and then, and tell how long it took.
 *
 * @param {import("./radiod.js").Radio} radio
 * @param {(milliseconds: number) => void} answered
 */
export function keepChecking(radio, answered) {
  setInterval(async () => {
    if (radio.state !== "open" || document.hidden) return;
    const asked = performance.now();
    try {
      await radio.call("radiod.echo", [], { timeout: ANSWER_MS });
    } catch (error) {
      // A refusal is an answer as well.
      if (error instanceof CallTimeout || !(error instanceof CallError)) return radio.check();
    }
    answered(performance.now() - asked);
  }, CHECK_MS);
}
