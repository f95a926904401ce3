/** The connection's state as people see it: a pill, the title, one announcement for each real change. */

import { element, write } from "./page.js";

const CHECK_MS = 15_000;
const ANSWER_MS = 10_000;

/** Follows one client's state. */
export class OnAir {
  /** @type {import("./wamp.js").Status} */ #status = { state: "connecting" };
  #timer = 0;
  #channel = "";
  #announced = "";

  /** @param {import("./wamp.js").Status} status */
  show(status) {
    this.#status = status;
    document.documentElement.dataset.state = status.state;
    element("retry").hidden = status.state !== "closed";
    clearInterval(this.#timer);
    if (status.state === "closed") this.#timer = setInterval(() => this.#write(), 500);
    this.#write();
    // "Connecting" comes and goes with every try: to be told once that the radio is off the air is enough.
    if (status.state !== "connecting") this.#announce(status.state === "open" ? "On air" : "Off air, retrying");
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
    const { state, retryAt = 0, reason = "" } = this.#status;
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
 * Ask the server for an answer now and then: a connection whose other end is gone without a word looks open
 * for hours.
 *
 * @param {import("./wamp.js").WampClient} client
 * @param {(milliseconds: number) => void} answered
 */
export function keepChecking(client, answered) {
  setInterval(async () => {
    if (document.documentElement.dataset.state !== "open" || document.hidden) return;
    const asked = performance.now();
    try {
      await client.call("radiod.echo", [], { timeout: ANSWER_MS });
    } catch (error) {
      const uri = /** @type {import("./messages.js").WampError} */ (error).uri;
      if (uri === "wamp.error.timeout") client.drop("the server does not answer");
      // Any other refusal is an answer as well.
    }
    answered(performance.now() - asked);
  }, CHECK_MS);
}
