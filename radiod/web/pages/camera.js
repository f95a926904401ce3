/** Which part of a plane a canvas shows. World: metres, y up. Screen: CSS pixels, y down. Pure: no DOM. */

/** Pixels for a metre at the most: a lane is as wide as a thumb then. */
const NEAREST = 12;
/** How much smaller than the canvas a town may become. */
const FARTHEST = 0.6;

/** A view of a box that never loses it out of sight. */
export class Camera {
  /** @type {[number, number, number, number]} */ #box = [0, 0, 1, 1];
  #fit = 1;
  /** Whether it shows the whole box, whatever the size. */
  isWhole = true;
  width = 0;
  height = 0;
  /** World coordinates of the middle. */
  x = 0;
  y = 0;
  /** Pixels for a metre. */
  zoom = 1;

  /** Show all of a box: least x and y, greatest x and y. @param {[number, number, number, number]} box */
  show(box) {
    this.#box = box;
    this.isWhole = true;
    this.place(this.width, this.height);
  }

  /** The canvas has another size; what is in the middle stays there. @param {number} width @param {number} height */
  place(width, height) {
    const [left, bottom, right, top] = this.#box;
    const margin = Math.min(28, width * 0.06);
    this.width = width;
    this.height = height;
    this.#fit = Math.min(
      Math.max(width - 2 * margin, 1) / Math.max(right - left, 1e-9),
      Math.max(height - 2 * margin, 1) / Math.max(top - bottom, 1e-9),
      1e6,
    );
    if (this.isWhole) this.whole();
    else this.#keep();
  }

  /** Show the whole box again. */
  whole() {
    const [left, bottom, right, top] = this.#box;
    [this.x, this.y, this.zoom, this.isWhole] = [(left + right) / 2, (bottom + top) / 2, this.#fit, true];
  }

  /** How much nearer than the whole box. */
  get nearness() {
    return this.zoom / this.#fit;
  }

  /** Zoom; what is at a place of the screen stays there. @param {number} by factor @param {number} x @param {number} y */
  zoomAt(by, x, y) {
    const [worldX, worldY] = [this.worldX(x), this.worldY(y)];
    const most = Math.max(this.#fit * 4, NEAREST);
    this.zoom = Math.min(Math.max(this.zoom * by, this.#fit * FARTHEST), most);
    this.x = worldX - (x - this.width / 2) / this.zoom;
    this.y = worldY + (y - this.height / 2) / this.zoom;
    this.#keep();
  }

  /** Move what is seen. @param {number} x pixels to the right @param {number} y pixels down */
  pan(x, y) {
    this.x -= x / this.zoom;
    this.y += y / this.zoom;
    this.#keep();
  }

  /** The middle stays within the box. */
  #keep() {
    const [left, bottom, right, top] = this.#box;
    this.isWhole = false;
    this.x = Math.min(Math.max(this.x, left), right);
    this.y = Math.min(Math.max(this.y, bottom), top);
  }

  /** @param {number} x of the screen */
  worldX(x) {
    return this.x + (x - this.width / 2) / this.zoom;
  }

  /** @param {number} y of the screen */
  worldY(y) {
    return this.y - (y - this.height / 2) / this.zoom;
  }
}
