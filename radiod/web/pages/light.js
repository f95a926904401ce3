/** The form of one junction's light: its plan, or how it reacts. Loaded when a street is chosen by somebody who may set lights. */

import { element, write } from "./page.js";

/** Ways that a street may lead, seen on the map. */
const ARROWS = ["→", "↗", "↑", "↖", "←", "↙", "↓", "↘"];
/** What is proposed where nobody tells the plan: two phases, all red between. */
const USUAL = { cycle: 60, green: 27 };

/** @typedef {import("./town.js").Street} Street */

/** Fills the form, and hands over what is to be set. */
export class LightForm {
  #do;
  /** @type {Street[]} */ #streets = [];
  #junction = "";

  /** @param {(procedure: string, ...args: any[]) => Promise<void>} act calls a control, and tells what came of it */
  constructor(act) {
    this.#do = act;
    element("light").addEventListener("submit", (/** @type {Event} */ event) => {
      event.preventDefault();
      this.#set();
    });
    element("light-kind").addEventListener("change", () => this.#choose(element("light-kind").value));
  }

  /**
   * Show a junction's light.
   *
   * @param {Street[]} streets that lead there
   * @param {any} light what the source tells of it, as `control.light` does; null: nothing
   */
  show(streets, light) {
    this.#streets = streets;
    this.#junction = streets[0].to;
    write("light-title", `Light at ${this.#junction}`);
    const { cycle = USUAL.cycle, offset = 0, greens = null } = light?.kind && light.kind !== "none" ? light : {};
    element("light-cycle").value = String(cycle || USUAL.cycle);
    element("light-offset").value = String(offset);
    element("light-greens").replaceChildren(...streets.map((street) => row(street, greens ? greens[street.id] : usual(street))));
    this.#choose(["actuated", "max-pressure"].includes(light?.kind) ? light.kind : "plan");
  }

  /** @param {string} kind */
  #choose(kind) {
    element("light-kind").value = kind;
    element("light-plan").hidden = element("light-plan").disabled = kind !== "plan";
  }

  async #set() {
    const kind = element("light-kind").value;
    if (kind !== "plan") return this.#do("set_reactive", this.#junction, kind);
    /** @type {Record<string, [number, number]>} */
    const greens = {};
    const rows = /** @type {HTMLElement[]} */ ([...element("light-greens").children]);
    rows.forEach((each, at) => {
      const [begin, seconds] = [...each.querySelectorAll("input")].map(({ value }) => Number(value));
      if (seconds > 0) greens[this.#streets[at].id] = [begin, seconds];
    });
    const [cycle, offset] = ["cycle", "offset"].map((name) => Number(element(`light-${name}`).value));
    return this.#do("set_light", this.#junction, cycle, offset, greens);
  }
}

/** Those along the map's rows first, then those along its columns. @param {Street} street @returns {[number, number]} */
function usual({ points }) {
  const [dx, dy] = heading(points);
  return [Math.abs(dx) >= Math.abs(dy) ? 0 : USUAL.cycle / 2, USUAL.green];
}

/** Where a street leads at its end. @param {number[]} points */
function heading(points) {
  const end = points.length;
  return end < 4 ? [1, 0] : [points[end - 2] - points[end - 4], points[end - 1] - points[end - 3]];
}

/** @param {Street} street @param {[number, number] | undefined} times begin and seconds of its green */
function row({ id, points }, times) {
  const made = document.createElement("tr");
  const name = document.createElement("th");
  name.scope = "row";
  const [dx, dy] = heading(points);
  const arrow = ARROWS[(Math.round((Math.atan2(dy, dx) * 4) / Math.PI) + 8) % 8];
  name.textContent = `${arrow} ${id}`;
  const cells = ["Green begins, s", "Green lasts, s"].map((what, at) => {
    const input = Object.assign(document.createElement("input"), {
      type: "number", step: "any", required: true, min: at ? "0" : "-3600", max: "3600", value: String(times?.[at] ?? 0),
    });
    input.setAttribute("aria-label", `${what}: ${id}`);
    const cell = document.createElement("td");
    cell.append(input);
    return cell;
  });
  made.append(name, ...cells);
  return made;
}
