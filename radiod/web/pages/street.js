/** The card of one street: what it is, and its last minutes. */

import { Curve } from "./curve.js";
import { amount, count, length } from "./format.js";
import { element, write } from "./page.js";
import { notice } from "./town.js";

/** Simulated seconds that are shown. */
export const MINUTES = 900;

/** @typedef {import("./town.js").Sample} Sample @typedef {import("./town.js").Street} Street */

/** Shows the street that is pinned. */
export class StreetCard {
  #curves = ["vehicles", "density", "speed"].map((what) => new Curve(element(`street-${what}-curve`)));
  #at = -1;
  /** @type {Street | null} */ #street = null;

  /** @param {() => void} closed by its button */
  constructor(closed) {
    element("street-close").addEventListener("click", closed);
  }

  /** @param {Street | null} street null: none is pinned @param {number} at its place in the list */
  open(street, at) {
    [this.#street, this.#at] = [street, at];
    element("street").hidden = street === null;
    if (street === null) return;
    write("street-shut", "");
    write("street-name", street.id);
    const lanes = `${amount(street.lanes)} ${street.lanes === 1 ? "lane" : "lanes"}`;
    const speed = street.speed === null ? "" : `${count(street.speed * 3.6)} km/h when free`;
    write("street-about", [length(street.length), lanes, speed].filter(Boolean).join(" · "));
    this.dress();
  }

  /** @param {Sample[]} frames up to the one that is seen */
  show(frames) {
    const street = this.#street;
    const last = frames.at(-1);
    if (street === null || last === undefined) return;
    const at = this.#at;
    const free = street.speed === null ? 100 : street.speed * 3.6;
    const xs = frames.map((frame, index) => frame.time ?? index);
    const perKm = (/** @type {Sample} */ frame) => frame.share[at] * street.jam * 1000;
    const [vehicles, density, speed] = this.#curves;
    const mostVehicles = vehicles.show(xs, frames.map((frame) => frame.vehicles[at]), 5);
    density.show(xs, frames.map(perKm), street.jam * 200);
    speed.show(xs, frames.map((frame) => frame.speed[at] * free), free);
    const shut = notice(last, at);
    write("street-shut", shut && `${shut[0].toUpperCase()}${shut.slice(1)}`);
    write("street-vehicles", amount(last.vehicles[at]));
    write("street-density", `${amount(perKm(last))} per km`);
    write("street-speed", `${last.isMeasured ? "" : "≈ "}${count(last.speed[at] * free)} ${street.speed === null ? "%" : "km/h"}`);
    const span = xs[xs.length - 1] - xs[0];
    write("street-span", `Last ${span < 90 ? `${count(span)} s` : `${count(span / 60)} min`}${last.isMeasured ? "" : "; speed as in steady traffic of that density"}`);
    element("street-vehicles-curve").setAttribute("aria-label", `Vehicles, up to ${mostVehicles}`);
  }

  /** Take the theme's colours. */
  dress() {
    for (const curve of this.#curves) curve.dress();
  }
}
