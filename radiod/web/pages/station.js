/** The channel being listened to, shown: its map or its data, its figures and its chart. */

import { Sparkline } from "./chart.js";
import { gradient, place, scale } from "./colours.js";
import { showJson } from "./data.js";
import { ago, amount, clock, count, rate, roundStep } from "./format.js";
import { TownMap } from "./map.js";
import { element, reveal, theme, write } from "./page.js";
import { readSample, readTown } from "./town.js";
import { Rate } from "./tuner.js";

const QUIET_MS = 5_000;
const SIGNALS = ["signal: red", "signal: green", ""];

/** Shows one channel at a time. */
export class Station {
  #chart = new Sparkline(element("chart"));
  #map = new TownMap(element("map"), {
    pointed: (street, x, y) => this.#tell(street, x, y),
    placed: (signals) => (element("legend-signals").hidden = !signals),
  });
  /** @type {import("./town.js").Town | null} */ #town = null;
  /** @type {import("./town.js").Sample | null} */ #sample = null;
  #samples = 0;
  /** When the last sample came, as performance.now(); 0: none yet. */
  #last = 0;
  #rate = new Rate();
  #speed = new Rate(10_000);
  /** @type {unknown} */ #data = null;
  #frame = 0;
  #told = -1;
  /** Whether the latest sample was one of the map's streets. */
  #fits = true;
  #marks = document.documentElement.dataset;

  constructor() {
    setInterval(() => this.#tick(), 1000);
  }

  /** Begin anew with a channel of which nothing is known yet. @param {string} name */
  open(name) {
    this.#town = this.#sample = this.#data = null;
    this.#samples = this.#last = 0;
    this.#fits = true;
    this.#rate = new Rate();
    this.#speed = new Rate(10_000);
    this.#map.show(null);
    this.#chart.clear();
    this.#marks.channel = name;
    this.#marks.samples = "0";
    this.#marks.streets = "0";
    delete this.#marks.total;
    delete element("waiting").dataset.refused;
    write("channel", name);
    write("waiting-text", "Waiting for the first sample…");
    for (const id of ["about", "chart-from", "chart-range", "chart-now"]) write(id, "");
    for (const id of ["clock", "speed", "rate", "age", "figure"]) write(id, "–");
    write("samples", "0");
    write("figure-title", "Messages per second");
    reveal(["waiting", "age-fact"], ["map-view", "legend", "data-view", "clock-fact", "speed-fact", "rate-fact"]);
  }

  /** @param {unknown} value of the map's event; no map at all changes nothing */
  showMap(value) {
    const town = readTown(value);
    if (town === null) return;
    this.#town = town;
    this.#sample = null;
    this.#marks.streets = String(town.streets.length);
    this.#chart.clear();
    write("figure-title", "Vehicles in town");
    // Where streets hold differently many vehicles, only their shares have one scale.
    this.#label(town.mixed ? 100 : town.jam * 1000);
    write("legend-title", town.mixed ? "Density, % of jam" : "Density, vehicles per km");
    reveal(["map-view", "legend", "clock-fact", "speed-fact", "rate-fact"], ["data-view", "waiting", "age-fact"]);
    this.#map.show(town);
    this.dress();
    this.#tick();
  }

  /** Round numbers below the scale, and the jam at its end. @param {number} jam vehicles per km, or 100 % */
  #label(jam) {
    const step = roundStep(jam / 5);
    const ticks = [0, 0.4 * step, step, 2 * step, 3 * step].map((at) => {
      const tick = document.createElement("span");
      tick.textContent = amount(at);
      tick.style.left = `${100 * place(at / jam)}%`;
      return tick;
    });
    const end = document.createElement("span");
    end.textContent = amount(jam);
    end.className = "legend-jam";
    element("legend-ticks").replaceChildren(...ticks, end);
  }

  /** @param {unknown} value one sample, whatever it is */
  showData(value) {
    this.#last = performance.now();
    this.#samples += 1;
    this.#rate.mark(this.#last, this.#samples);
    const sample = this.#town && readSample(this.#town, value);
    this.#fits = this.#town === null || sample !== null;
    if (sample) this.#showSample(sample);
    this.#data = value;
    // Last, as tests wait for it: everything else about this sample is known by now.
    this.#marks.samples = String(this.#samples);
    if (this.#frame === 0) this.#frame = requestAnimationFrame(() => this.#paint());
  }

  /** @param {string} why nothing can be heard */
  refuse(why) {
    write("waiting-text", why);
    element("waiting").dataset.refused = "";
    reveal(["waiting"], ["map-view", "legend", "data-view"]);
  }

  /** Take the theme's colours. */
  dress() {
    element("legend-bar").style.backgroundImage = gradient(scale(theme()));
    this.#map.dress(theme());
    this.#chart.dress();
  }

  /** @param {import("./town.js").Sample} sample */
  #showSample(sample) {
    this.#sample = sample;
    this.#marks.total = sample.total.toFixed(2);
    this.#chart.add(this.#last, sample.total);
    if (sample.time !== null) this.#speed.mark(this.#last, sample.time);
    this.#map.update(sample);
  }

  #paint() {
    this.#frame = 0;
    if (this.#samples === 0) return; // Another channel was opened since this was asked for.
    write("samples", count(this.#samples));
    if (this.#sample) {
      write("figure", count(this.#sample.total));
      if (this.#sample.time !== null) write("clock", clock(this.#sample.time));
    }
    if (this.#town === null) {
      showJson(element("data"), this.#data);
      reveal(["data-view"], ["waiting"]);
    }
  }

  /** Once a second: what changes by itself, or need not change faster. */
  #tick() {
    const now = performance.now();
    const silence = now - this.#last;
    const usual = this.#rate.perSecond();
    // Three samples late is quiet; a source that sends once a minute is not.
    const quiet = this.#last > 0 && silence > Math.max(QUIET_MS, 3000 / (usual || Infinity));
    const perSecond = quiet ? 0 : usual;
    const speed = this.#speed.perSecond();
    write("rate", rate(perSecond));
    write("speed", speed === null || quiet ? "–" : `${amount(speed)}×`);
    if (this.#town === null && this.#last > 0) {
      write("age", silence < 1500 ? "just now" : `${ago(silence)} ago`);
      if (perSecond !== null) {
        write("figure", amount(perSecond));
        this.#chart.add(now, perSecond);
      }
    }
    const what = this.#town ? `${count(this.#town.streets.length)} streets` : this.#last > 0 ? "latest sample" : "";
    const notes = [what, this.#fits ? "" : "the samples do not fit this map", quiet ? `quiet for ${ago(silence)}` : ""];
    write("about", notes.filter(Boolean).join(" · "));
    this.#scale();
  }

  #scale() {
    const range = this.#chart.range();
    if (range === null) return;
    const between = `${amount(range.least)} – ${amount(range.greatest)}`;
    write("chart-from", `−${ago(range.span)}`);
    write("chart-range", between);
    write("chart-now", "now");
    element("chart").setAttribute("aria-label", `Between ${between} over the last ${ago(range.span)}`);
    if (this.#town && this.#sample) {
      const label = `Map of ${this.#town.streets.length} streets with ${count(this.#sample.total)} vehicles`;
      element("map").setAttribute("aria-label", `${label}; arrow keys walk from street to street`);
    }
  }

  /** @param {number} street @param {number} x @param {number} y */
  #tell(street, x, y) {
    const tip = element("tip");
    tip.hidden = street < 0 || this.#town === null;
    if (street < 0 || this.#town === null) {
      this.#told = -1;
      return;
    }
    const { id, jam } = this.#town.streets[street];
    const vehicles = this.#sample ? `${amount(this.#sample.vehicles[street])} vehicles` : "";
    const share = this.#sample?.share[street] ?? 0;
    const perKm = amount(share * jam * 1000);
    const density = this.#sample ? `${perKm} per km, ${count(share * 100)} % of jam` : "";
    write("tip-street", id);
    write("tip-vehicles", vehicles);
    write("tip-density", density);
    write("tip-signal", SIGNALS[this.#sample?.green[street] ?? 2]);
    const { clientWidth, clientHeight } = element("map");
    tip.style.left = `${Math.min(Math.max(x, tip.offsetWidth / 2 + 4), clientWidth - tip.offsetWidth / 2 - 4)}px`;
    tip.style.top = `${Math.min(y, clientHeight)}px`;
    tip.dataset.below = String(y < tip.offsetHeight + 24);
    if (street !== this.#told) write("said", [id, vehicles, density].filter(Boolean).join(", "));
    this.#told = street;
  }
}
