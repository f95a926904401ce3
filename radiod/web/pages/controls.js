/**
 * Controls of the simulation, for those whom the server lets call them: it lists only such procedures.
 *
 * `<network>.control.` pause, resume, speed, state, set_demand, set_light, set_reactive, light, close_street, open_street.
 */

import { element, write } from "./page.js";

const EVERY_MS = 5_000;
const SHUT_SECONDS = 600;
const PARTS = {
  pause: "control-pause", speed: "control-speed-part", close_street: "control-close", open_street: "control-open",
  set_demand: "control-demand-part", set_light: "light", set_reactive: "light-kind-part",
};
const OF_A_STREET = ["close_street", "open_street", "set_demand", "set_light"];
/** What is said once it is done. @type {Record<string, (id: string) => string>} */
const DONE = {
  close_street: (id) => `${id} is closed for ${SHUT_SECONDS / 60} minutes of the town`,
  open_street: (id) => `${id} is open`,
  set_light: (id) => `The light at ${id} follows this plan`,
  set_reactive: (id) => `The light at ${id} reacts`,
};

/** @typedef {import("./town.js").Street} Street */

/** The controls of the channel that is tuned to. */
export class Controls {
  #radio;
  #channel = "";
  /** @type {Set<string>} */ #allowed = new Set();
  #state = { paused: false, speed: 0, time: 0 };
  /** @type {Street | null} */ #street = null;
  /** Those that end where it does. @type {Street[]} */ #streets = [];
  #isClosed = false;
  /** @type {Promise<import("./light.js").LightForm> | null} */ #form = null;
  /** The junction whose light the form shows. */ #lit = "";

  /** @param {import("./radiod.js").Radio} radio */
  constructor(radio) {
    this.#radio = radio;
    const on = (/** @type {string} */ id, /** @type {() => void} */ act) => element(id).addEventListener("click", act);
    on("control-pause", () => this.#do(this.#state.paused ? "resume" : "pause"));
    element("control-speed").addEventListener("change", () => this.#do("speed", Number(element("control-speed").value)));
    on("control-close", () => {
      const { time } = this.#state;
      if (this.#street) this.#do("close_street", this.#street.id, time, time + SHUT_SECONDS);
    });
    on("control-open", () => this.#street && this.#do("open_street", this.#street.id));
    element("control-demand-form").addEventListener("submit", (/** @type {Event} */ event) => {
      event.preventDefault();
      if (this.#street) this.#do("set_demand", this.#street.from, Number(element("control-demand").value) / 3600);
    });
    setInterval(() => this.#look(), EVERY_MS);
  }

  /** @param {string} channel */
  tune(channel) {
    this.#channel = channel;
    this.#allowed.clear();
    this.#lit = "";
    this.#show();
    this.#look();
  }

  /** @param {Street | null} street that is pinned @param {Street[]} streets that end where it does */
  pin(street, streets) {
    [this.#street, this.#streets] = [street, streets];
    write("control-said", "");
    this.#show();
  }

  /** @param {string} how what the town says of the street that is pinned */
  shut(how) {
    if ((how === "closed") === this.#isClosed) return;
    this.#isClosed = how === "closed";
    this.#show();
  }

  /** Show the light at the end of the street that is pinned. */
  async #light() {
    const streets = this.#streets;
    const junction = this.#allowed.has("set_light") ? streets[0]?.to ?? "" : "";
    if (junction === this.#lit) return;
    this.#lit = junction;
    if (junction === "") return;
    this.#form ??= import("./light.js").then(({ LightForm }) => new LightForm((procedure, ...args) => this.#do(procedure, ...args)));
    const told = this.#allowed.has("light") ? await this.#radio.call(`${this.#channel}.control.light`, [junction]).catch(() => null) : null;
    const form = await this.#form;
    if (junction === this.#lit) form.show(streets, told?.light ?? null);
  }

  /** Which of them there are for us, and how the simulation stands. */
  async #look() {
    const channel = this.#channel;
    if (this.#radio.state !== "open" || document.hidden || channel === "") return;
    try {
      const { children } = await this.#radio.call("radiod.rpc.describe", [`${channel}.control`]);
      if (channel !== this.#channel) return;
      this.#allowed = new Set(children.map((/** @type {string} */ name) => name.slice(channel.length + ".control.".length)));
      if (this.#allowed.has("state")) this.#read(await this.#radio.call(`${channel}.control.state`));
    } catch {
      // Nothing is registered there that we might call.
      if (channel === this.#channel) this.#allowed.clear();
    }
    this.#show();
  }

  /** @param {any} state */
  #read(state) {
    const number = (/** @type {any} */ value) => (Number.isFinite(value) ? value : 0);
    this.#state = { paused: state?.paused === true, speed: number(state?.speed), time: number(state?.time) };
  }

  /** @param {string} procedure @param {any[]} args */
  async #do(procedure, ...args) {
    write("control-said", "");
    try {
      await this.#radio.call(`${this.#channel}.control.${procedure}`, args);
      write("control-said", DONE[procedure]?.(args[0]) ?? "");
    } catch (error) {
      write("control-said", error instanceof Error ? error.message : String(error));
    }
    this.#look();
  }

  #show() {
    element("controls").hidden = this.#allowed.size === 0;
    const isFree = { close_street: !this.#isClosed, open_street: this.#isClosed };
    for (const [procedure, id] of Object.entries(PARTS)) {
      const isThere = this.#allowed.has(procedure) && (this.#street !== null || !OF_A_STREET.includes(procedure));
      element(id).hidden = !isThere || isFree[/** @type {keyof typeof isFree} */ (procedure)] === false;
    }
    this.#light();
    write("control-pause", this.#state.paused ? "Resume the town" : "Pause the town");
    const choice = element("control-speed");
    const { speed } = this.#state;
    if (document.activeElement !== choice && speed > 0) {
      if (![...choice.options].some((option) => Number(option.value) === speed)) choice.add(new Option(`${speed}×`, String(speed)));
      choice.value = String(speed);
    }
    if (this.#street) {
      write("control-open", `Open ${this.#street.id} again`);
      write("control-close", `Close ${this.#street.id} for ten minutes`);
      write("control-demand-label", `Vehicles an hour that start at ${this.#street.from}`);
    }
    element("control-hint").hidden = this.#street !== null || !OF_A_STREET.some((procedure) => this.#allowed.has(procedure));
  }
}
