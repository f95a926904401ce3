/** The channel being listened to, shown: its map or its data, its figures and its chart. */

import { Sparkline } from "./chart.js";
import { gradient, place, scale } from "./colours.js";
import { Scatter } from "./curve.js";
import { showJson } from "./data.js";
import { Film } from "./film.js";
import { ago, amount, count, rate, roundStep, timeOfDay } from "./format.js";
import { TownMap } from "./map.js";
import { element, reveal, theme, write } from "./page.js";
import { densityAndFlow } from "./plot.js";
import { Reader, sizeOf } from "./reading.js";
import { MINUTES, StreetCard } from "./street.js";
import { Timeline } from "./timeline.js";
import { CLOSED, isRush, notice, readTown } from "./town.js";
import { Rate } from "./tuner.js";

const QUIET_MS = 5_000;
const SIGNALS = ["signal: red", "signal: green", ""];
/** What of the past is asked for, in characters of JSON. */
const PAST_SIZE = 6_000_000;
const PAST_SAMPLES = 600;

/**
 * @typedef {import("./town.js").Sample} Sample
 * @typedef {{past: (channel: string, position: string, most: number) => ReturnType<typeof import("./tuner.js").past>,
 *   pinned: (street: import("./town.js").Street | null, streets: import("./town.js").Street[]) => void,
 *   shut: (how: string) => void, isEmbedded: boolean}} Settings
 *   past: what a channel keeps from before a position; pinned: a street, and all that end where it does; shut: what
 *   the newest sample says of that street, as `notice` does
 */

/** Shows one channel at a time. */
export class Station {
  #settings;
  #chart = new Sparkline(element("chart"));
  #plot = new Scatter(element("plot"));
  #map;
  #card = new StreetCard(() => this.#map.pin(-1));
  #timeline = new Timeline({ show: (sample) => this.#see(sample), clock: (sample) => timeOfDay(sample.time, sample.date) });
  /** @type {import("./town.js").Town | null} */ #town = null;
  /** @type {Reader | null} */ #reader = null;
  #film = new Film(1);
  /** The one that is seen, which is not the newest while the reader holds it. @type {Sample | null} */ #sample = null;
  #samples = 0;
  /** When the last sample came, as performance.now(); 0: none yet. */
  #last = 0;
  #rate = new Rate();
  #speed = new Rate(10_000);
  /** @type {unknown} */ #data = null;
  #frame = 0;
  #told = -1;
  #pinned = -1;
  /** @type {"density" | "speed"} */ #mode = "density";
  #channel = "";
  /** Whether the past was asked for. */
  #isAsked = false;
  /** Whether the latest sample was one of the map's streets. */
  #fits = true;
  #marks = document.documentElement.dataset;

  /** @param {Settings} settings */
  constructor(settings) {
    this.#settings = settings;
    const on = {
      pointed: (/** @type {number} */ street, /** @type {number} */ x, /** @type {number} */ y) => this.#tell(street, x, y),
      pinned: (/** @type {number} */ street) => this.#pin(street),
      placed: (/** @type {boolean} */ signals) => (element("legend-signals").hidden = !signals),
    };
    this.#map = new TownMap(element("map"), on, settings.isEmbedded);
    for (const mode of /** @type {("density" | "speed")[]} */ (["density", "speed"])) {
      element(`by-${mode}`).addEventListener("click", () => this.#colourBy(mode));
    }
    element("zoom-in").addEventListener("click", () => this.#map.zoom(1.6));
    element("zoom-out").addEventListener("click", () => this.#map.zoom(1 / 1.6));
    element("zoom-whole").addEventListener("click", () => this.#map.whole());
    element("legend-shut").addEventListener("click", () => this.#visitShut());
    setInterval(() => this.#tick(), 1000);
  }

  /** Begin anew with a channel of which nothing is known yet. @param {string} name */
  open(name) {
    this.#town = this.#reader = this.#sample = this.#data = null;
    this.#samples = this.#last = 0;
    this.#channel = name;
    this.#fits = true;
    this.#rate = new Rate();
    this.#speed = new Rate(10_000);
    this.#map.show(null);
    this.#timeline.open(null);
    this.#chart.clear();
    this.#marks.channel = name;
    this.#marks.samples = "0";
    this.#marks.streets = "0";
    delete this.#marks.total;
    delete element("waiting").dataset.refused;
    write("channel", name);
    write("waiting-text", "Waiting for the first sample…");
    for (const id of ["about", "chart-from", "chart-range", "chart-now", "what", "rush"]) write(id, "");
    for (const id of ["clock", "speed", "rate", "age", "figure"]) write(id, "–");
    write("samples", "0");
    write("figure-title", "Messages per second");
    reveal(["waiting", "age-fact"], ["map-view", "legend", "data-view", "clock-fact", "speed-fact", "rate-fact", "plot-card"]);
  }

  /** @param {unknown} value of the map's event; no map at all changes nothing */
  showMap(value) {
    const town = readTown(value);
    if (town === null) return;
    this.#town = town;
    this.#sample = null;
    this.#reader = new Reader(town, value);
    this.#film = new Film(town.streets.length);
    this.#isAsked = false;
    this.#marks.streets = String(town.streets.length);
    this.#chart.clear();
    write("figure-title", "Vehicles in town");
    write("what", "A simulated town, live: each line is a street, and the stronger its colour, the more traffic is on it.");
    this.#map.show(town);
    this.#timeline.open(this.#film);
    reveal(["map-view", "legend", "clock-fact", "speed-fact", "rate-fact", "plot-card"], ["data-view", "waiting", "age-fact"]);
    this.#colourBy(this.#mode);
    this.dress();
    this.#tick();
    // What came before its map, as a channel's last sample does.
    if (this.#data !== null) this.#read(this.#data, null);
  }

  /** @param {"density" | "speed"} mode */
  #colourBy(mode) {
    this.#mode = mode;
    for (const each of ["density", "speed"]) element(`by-${each}`).setAttribute("aria-pressed", String(each === mode));
    const town = this.#town;
    if (town === null) return;
    this.#map.colourBy(mode);
    if (mode === "speed") {
      write("legend-title", this.#sample?.isMeasured ? "Speed, % of free speed" : "Speed, % of free speed, from density");
      return this.#ticks([100, 75, 50, 25].map((percent) => [String(percent), 1 - percent / 100]), "0", "");
    }
    // Where streets hold differently many vehicles, only their shares have one scale.
    const jam = town.mixed ? 100 : town.jam * 1000;
    const step = roundStep(jam / 5);
    write("legend-title", town.mixed ? "Density, % of jam" : "Density, vehicles per km");
    this.#ticks([0, 0.4 * step, step, 2 * step, 3 * step].map((at) => [amount(at), place(at / jam)]), amount(jam), "jam");
  }

  /** @param {[string, number][]} ticks text and place on the scale, 0..1 @param {string} end @param {string} note of the end */
  #ticks(ticks, end, note) {
    const made = ticks.map(([text, at]) => {
      const tick = document.createElement("span");
      tick.textContent = text;
      tick.style.left = `${100 * at}%`;
      return tick;
    });
    const last = document.createElement("span");
    last.textContent = `${end} ${note}`.trim();
    last.className = "legend-end";
    element("legend-ticks").replaceChildren(...made, last);
  }

  /** @param {unknown} value one sample, whatever it is @param {string | null} position of it in the channel's history */
  showData(value, position) {
    this.#last = performance.now();
    this.#samples += 1;
    this.#rate.mark(this.#last, this.#samples);
    this.#data = value;
    if (this.#reader) return this.#read(value, position);
    this.#counted();
  }

  /** Last, as tests wait for it: everything else about this sample is known by now. */
  #counted() {
    this.#marks.samples = String(this.#samples);
    if (this.#frame === 0) this.#frame = requestAnimationFrame(() => this.#paint());
  }

  /** @param {unknown} value @param {string | null} position */
  #read(value, position) {
    const reader = /** @type {Reader} */ (this.#reader);
    reader.read(value, (sample) => {
      if (reader !== this.#reader) return; // Another channel, or another map, came meanwhile.
      this.#fits = sample !== null;
      if (sample) this.#take(sample);
      if (sample && position && !this.#isAsked) this.#remember(reader, position, sizeOf(value));
      this.#counted();
    });
  }

  /** @param {Sample} sample the newest */
  #take(sample) {
    this.#marks.total = sample.total.toFixed(2);
    this.#chart.add(this.#last, sample.total);
    if (sample.time !== null) this.#speed.mark(this.#last, sample.time);
    this.#film.add(sample);
    this.#settings.shut(notice(sample, this.#pinned));
    this.#timeline.came(sample);
  }

  /** Put what the channel keeps before what came. @param {Reader} reader @param {string} position @param {number} size of a sample */
  async #remember(reader, position, size) {
    this.#isAsked = true;
    const town = /** @type {import("./town.js").Town} */ (this.#town);
    const most = Math.min(PAST_SAMPLES, this.#film.most, Math.floor(PAST_SIZE / size));
    const kept = await this.#settings.past(this.#channel, position, most);
    const other = new Reader(town, this.#reader?.map);
    /** @type {Sample[]} */
    const samples = [];
    /** @type {import("./chart.js").Point[]} */
    const points = [];
    for (const { data, time } of kept) {
      const sample = await /** @type {Promise<Sample | null | undefined>} */ (new Promise((resolve) => other.read(data, resolve)));
      if (!sample) continue;
      samples.push(sample);
      points.push({ at: performance.now() - (Date.now() - 1000 * time), value: sample.total });
    }
    if (reader !== this.#reader) return;
    this.#film.prepend(samples);
    this.#chart.prepend(points);
    this.#timeline.refresh();
    this.#marks.remembered = String(samples.length);
    this.#draw();
  }

  /** @param {number} street by its place in the list; -1: none */
  #pin(street) {
    this.#pinned = street;
    const pinned = street >= 0 && this.#town ? this.#town.streets[street] : null;
    this.#marks.pinned = pinned?.id ?? "";
    this.#card.open(pinned, street);
    this.#settings.pinned(pinned, pinned && this.#town ? this.#town.streets.filter(({ to }) => to === pinned.to) : []);
    this.#settings.shut(notice(this.#film.frames.at(-1) ?? null, street));
    this.#draw();
  }

  /** @param {string} why nothing can be heard */
  refuse(why) {
    write("waiting-text", why);
    element("waiting").dataset.refused = "";
    reveal(["waiting"], ["map-view", "legend", "data-view", "timeline"]);
  }

  /** Take the theme's colours. */
  dress() {
    element("legend-bar").style.backgroundImage = gradient(scale(theme()));
    this.#map.dress(theme());
    this.#chart.dress();
    this.#plot.dress();
    this.#card.dress();
  }

  /** @param {Sample} sample to be seen, be it the newest or not */
  #see(sample) {
    if (sample.isMeasured !== this.#sample?.isMeasured) {
      this.#sample = sample;
      this.#colourBy(this.#mode);
    }
    this.#sample = sample;
    this.#map.update(sample);
    this.#draw();
  }

  #draw() {
    if (this.#frame === 0) this.#frame = requestAnimationFrame(() => this.#paint());
  }

  #paint() {
    this.#frame = 0;
    if (this.#samples === 0) return; // Another channel was opened since this was asked for.
    write("samples", count(this.#samples));
    if (this.#sample && this.#town) {
      write("figure", count(this.#sample.total));
      write("clock", timeOfDay(this.#sample.time, this.#sample.date));
      write("rush", isRush(this.#town, this.#sample) ? "rush hour" : "");
      if (this.#pinned >= 0) this.#card.show(this.#film.until(this.#sample, MINUTES));
      this.#countShut(this.#sample.left);
      this.#plotted();
    }
    if (this.#town === null) {
      showJson(element("data"), this.#data);
      reveal(["data-view"], ["waiting"]);
    }
  }

  /** @param {Uint8Array | null} left */
  #countShut(left) {
    const shut = left?.filter((one) => one !== 100).length ?? 0;
    const closed = left?.filter((one) => one === CLOSED).length ?? 0;
    element("legend-shut").hidden = shut === 0;
    element("sign-closed").hidden = closed === 0;
    element("sign-narrowed").hidden = shut === closed;
    const parts = [closed ? `${count(closed)} closed` : "", shut > closed ? `${count(shut - closed)} narrowed` : ""];
    write("shut-count", parts.filter(Boolean).join(", "));
  }

  /** Pin the next street that is closed or narrowed. */
  #visitShut() {
    const left = this.#sample?.left;
    if (!left) return;
    const isShut = (/** @type {number} */ one) => one !== 100;
    const next = left.findIndex((one, street) => street > this.#pinned && isShut(one));
    this.#map.visit(next < 0 ? left.findIndex(isShut) : next);
  }

  #plotted() {
    const town = /** @type {import("./town.js").Town} */ (this.#town);
    const { frames } = this.#film;
    this.#plot.show(densityAndFlow(town, frames), frames.indexOf(/** @type {Sample} */ (this.#sample)));
    write("plot-note", this.#sample?.moved == null ? "Flow from densities, as in steady traffic" : "Flow: what was driven in 90 s");
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
      element("map").setAttribute("aria-label", `${label}; arrow keys walk from street to street, Enter keeps one, plus and minus zoom, Shift and arrows move, space pauses`);
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
    const { id, jam, speed } = this.#town.streets[street];
    const vehicles = this.#sample ? `${amount(this.#sample.vehicles[street])} vehicles` : "";
    const share = this.#sample?.share[street] ?? 0;
    const perKm = amount(share * jam * 1000);
    const density = this.#sample ? `${perKm} per km, ${count(share * 100)} % of jam` : "";
    write("tip-street", id);
    write("tip-vehicles", vehicles);
    write("tip-density", density);
    const going = this.#sample?.speed[street] ?? 1;
    const about = this.#sample?.isMeasured ? "" : "≈ ";
    write("tip-speed", this.#sample && speed !== null ? `${about}${count(going * speed * 3.6)} of ${count(speed * 3.6)} km/h` : "");
    write("tip-signal", SIGNALS[this.#town.lit[street] ? this.#sample?.green[street] ?? 2 : 2]);
    const shut = notice(this.#sample, street);
    write("tip-shut", shut);
    const { clientWidth, clientHeight } = element("map");
    tip.style.left = `${Math.min(Math.max(x, tip.offsetWidth / 2 + 4), clientWidth - tip.offsetWidth / 2 - 4)}px`;
    tip.style.top = `${Math.min(y, clientHeight)}px`;
    tip.dataset.below = String(y < tip.offsetHeight + 24);
    if (street !== this.#told) write("said", [id, shut, vehicles, density].filter(Boolean).join(", "));
    this.#told = street;
  }
}
