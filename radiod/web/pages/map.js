/** The map: a town's streets on a canvas, as near as one likes. Draws at most once per animation frame. */

import { Camera } from "./camera.js";
import { Cars } from "./cars.js";
import { scale } from "./colours.js";
import { Gestures } from "./gestures.js";
import { Layout } from "./layout.js";
import { Painter } from "./painter.js";
import { Sheet } from "./sheet.js";

/** Shows one town and one of its samples. */
export class TownMap {
  #canvas;
  #sheet;
  #on;
  #camera = new Camera();
  #gestures;
  /** @type {Layout | null} */ #layout = null;
  /** @type {Painter | null} */ #painter = null;
  /** @type {Cars | null} */ #cars = null;
  /** @type {import("./painter.js").Look} */ #look = { sample: null, mode: "density", pointed: -1, pinned: -1 };
  /** @type {"light" | "dark"} */ #theme = "light";

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {{pointed: (street: number, x: number, y: number) => void, pinned: (street: number) => void,
   *   placed: (signals: boolean, cars: boolean) => void}} on
   *   pointed, pinned: a street, by its place in the list, -1: none; x, y: where to say something about it, in
   *   pixels of the canvas. placed: so near that there is room for signals, or for vehicles, or not
   * @param {boolean} needsKey the wheel zooms only with Ctrl
   */
  constructor(canvas, on, needsKey = false) {
    this.#canvas = canvas;
    this.#on = on;
    this.#sheet = new Sheet(canvas, { placed: () => this.#place(), paint: (pen) => this.#paint(pen) });
    const at = (/** @type {number} */ x, /** @type {number} */ y, /** @type {number} */ within) =>
      this.#layout?.nearest(this.#camera, x, y, within) ?? -1;
    const heard = {
      moved: () => this.#moved(),
      pointed: (/** @type {number} */ x, /** @type {number} */ y, /** @type {number} */ within) => this.#point(at(x, y, within)),
      tapped: (/** @type {number} */ x, /** @type {number} */ y, /** @type {number} */ within) => this.pin(at(x, y, within)),
      left: () => this.#point(-1),
      walked: (/** @type {number} */ by) => this.#walk(by),
      chosen: () => this.pin(this.#look.pointed),
      escaped: () => (this.#look.pointed >= 0 ? this.#point(-1) : this.pin(-1)),
    };
    this.#gestures = new Gestures(canvas, this.#camera, heard, needsKey);
  }

  /** @param {import("./town.js").Town | null} town */
  show(town) {
    this.#layout = town && new Layout(town);
    this.#painter = town && new Painter(town, /** @type {Layout} */ (this.#layout), this.#camera);
    this.#cars = town && new Cars(town);
    this.#look.sample = null;
    this.#point(-1);
    this.pin(-1);
    if (town) this.#camera.show(town.box);
    this.dress(this.#theme);
    this.whole();
  }

  /** @param {import("./town.js").Sample} sample of the town being shown */
  update(sample) {
    this.#look.sample = sample;
    this.#cars?.add(sample.cars, performance.now());
    this.#sheet.draw();
    if (this.#look.pointed >= 0) this.#tell();
  }

  /** @param {"density" | "speed"} mode what colours mean */
  colourBy(mode) {
    this.#look.mode = mode;
    this.#sheet.draw();
  }

  /** Zoom at the middle. @param {number} by */
  zoom(by) {
    this.#gestures.zoom(by);
  }

  /** Show the whole town. */
  whole() {
    this.#gestures.whole();
  }

  /** Keep a street marked. @param {number} street by its place in the list; -1: none */
  pin(street) {
    if (street === this.#look.pinned) return;
    this.#look.pinned = street;
    this.#on.pinned(street);
    this.#sheet.draw();
  }

  /** Take the theme's colours; call again when it changes. @param {"light" | "dark"} theme */
  dress(theme) {
    this.#theme = theme;
    const style = getComputedStyle(this.#canvas);
    const ink = (/** @type {string} */ name) => style.getPropertyValue(name).trim();
    if (this.#painter) {
      this.#painter.colours = scale(theme);
      this.#painter.inks = { mark: ink("--ink"), go: ink("--go"), stop: ink("--stop"), paper: ink("--paper"), car: ink("--car"), shut: ink("--shut") };
    }
    this.#sheet.draw();
  }

  #place() {
    this.#camera.place(this.#sheet.width, this.#sheet.height);
    this.#moved();
  }

  #moved() {
    if (this.#painter) this.#on.placed(this.#painter.hasSignals, this.#painter.hasCars);
    if (this.#look.pointed >= 0) this.#tell();
    this.#sheet.draw();
  }

  /** @param {CanvasRenderingContext2D} pen */
  #paint(pen) {
    if (this.#painter === null || this.#layout === null || this.#sheet.width === 0) return;
    const now = performance.now();
    const hasCars = this.#painter.hasCars && this.#look.sample?.cars;
    const cars = hasCars ? /** @type {Cars} */ (this.#cars).places(this.#layout, this.#camera, now) : null;
    this.#painter.paint(pen, this.#look, cars);
    if (hasCars && this.#cars?.isMoving(now)) this.#sheet.draw();
  }

  /** Arrow keys walk from street to street. @param {number} by */
  #walk(by) {
    const count = this.#layout?.count ?? 0;
    if (count === 0) return;
    const { pointed, pinned } = this.#look;
    const from = pointed >= 0 ? pointed : pinned >= 0 ? pinned : by < 0 ? 0 : -1;
    this.#point((from + by + count) % count);
    this.#follow(this.#look.pointed);
  }

  /** Keep a street marked, and have it in view. @param {number} street by its place in the list */
  visit(street) {
    this.pin(street);
    this.#follow(street);
  }

  /** Bring a street into view. @param {number} street */
  #follow(street) {
    const place = this.#middle(street);
    if (place === null) return;
    const { width, height } = this.#camera;
    if (place.x >= 0 && place.y >= 0 && place.x <= width && place.y <= height) return;
    this.#camera.pan(width / 2 - place.x, height / 2 - place.y);
    this.#moved();
  }

  /** @param {number} street */
  #point(street) {
    if (street === this.#look.pointed) return;
    this.#look.pointed = street;
    this.#tell();
    this.#sheet.draw();
  }

  /** Between a street's ends, on the screen. @param {number} street */
  #middle(street) {
    const size = this.#layout && street >= 0 ? this.#layout.trace(street, this.#camera) : 0;
    if (size === 0) return null;
    const { line } = /** @type {Layout} */ (this.#layout);
    return { x: (line[0] + line[size - 2]) / 2, y: (line[1] + line[size - 1]) / 2, top: Math.min(line[1], line[size - 1]) };
  }

  #tell() {
    const place = this.#middle(this.#look.pointed);
    if (place === null) return this.#on.pointed(-1, 0, 0);
    this.#on.pointed(this.#look.pointed, place.x, Math.max(place.top, 0));
  }
}
