/**
 * Wheel, drag, pinch, tap and keys on a canvas, as movements of a camera.
 *
 * A finger on a town that is seen whole scrolls the page; on one that is seen nearer it moves the town.
 */

const TAP_PIXELS = 6;
/** Of a wheel's turn: one notch (100 pixels) zooms by about a quarter. */
const WHEEL = 0.0023;
const STEP = 1.5;
const PAN = 60;

/**
 * @typedef {{moved: () => void, pointed: (x: number, y: number, within: number) => void, left: () => void,
 *   tapped: (x: number, y: number, within: number) => void, walked: (by: number) => void, chosen: () => void,
 *   escaped: () => void}} Heard
 *   moved: the camera; pointed, tapped: at a place, and how far from it a finger or a pointer may mean; walked: to
 *   the next street or the one before; chosen: by Enter
 */

/** Follows what hands do on one canvas. */
export class Gestures {
  #canvas;
  #camera;
  #on;
  #needsKey;
  /** @type {Map<number, {x: number, y: number}>} */ #fingers = new Map();
  #way = 0;

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {import("./camera.js").Camera} camera
   * @param {Heard} on
   * @param {boolean} needsKey the wheel zooms only with Ctrl: the page around us is somebody else's, and scrolls
   */
  constructor(canvas, camera, on, needsKey) {
    this.#canvas = canvas;
    this.#camera = camera;
    this.#on = on;
    this.#needsKey = needsKey;
    canvas.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    canvas.addEventListener("pointerup", (event) => this.#up(event));
    canvas.addEventListener("pointercancel", (event) => this.#fingers.delete(event.pointerId));
    canvas.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && on.left());
    canvas.addEventListener("blur", () => on.left());
    canvas.addEventListener("dblclick", (event) => this.zoom(STEP * STEP, event.offsetX, event.offsetY));
    canvas.addEventListener("keydown", (event) => this.#key(event));
  }

  /** Zoom at a place, by default the middle. @param {number} by @param {number} [x] @param {number} [y] */
  zoom(by, x = this.#camera.width / 2, y = this.#camera.height / 2) {
    this.#camera.zoomAt(by, x, y);
    this.#moved();
  }

  /** Show the whole town. */
  whole() {
    this.#camera.whole();
    this.#moved();
  }

  #moved() {
    this.#canvas.dataset.whole = String(this.#camera.isWhole);
    this.#on.moved();
  }

  /** @param {WheelEvent} event */
  #wheel(event) {
    if (this.#needsKey && !event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 33 : 1;
    // A pinch on a touchpad comes as a wheel with Ctrl, in small steps.
    const pinch = event.ctrlKey && Math.abs(event.deltaY) < 50 ? 4 : 1;
    this.zoom(Math.exp(-event.deltaY * lines * pinch * WHEEL), event.offsetX, event.offsetY);
  }

  /** @param {PointerEvent} event */
  #down(event) {
    this.#fingers.set(event.pointerId, { x: event.offsetX, y: event.offsetY });
    if (this.#fingers.size === 1) this.#way = 0;
    else this.#way = Infinity;
    try {
      this.#canvas.setPointerCapture(event.pointerId);
    } catch {
      // The pointer is gone already.
    }
  }

  /** @param {PointerEvent} event */
  #move(event) {
    const finger = this.#fingers.get(event.pointerId);
    if (finger === undefined) return this.#on.pointed(event.offsetX, event.offsetY, reach(event));
    const [x, y] = [event.offsetX - finger.x, event.offsetY - finger.y];
    this.#way = Math.max(this.#way, Math.hypot(x, y));
    const other = [...this.#fingers].find(([id]) => id !== event.pointerId)?.[1];
    if (other !== undefined) {
      const before = Math.hypot(finger.x - other.x, finger.y - other.y) || 1;
      const now = Math.hypot(event.offsetX - other.x, event.offsetY - other.y) || 1;
      this.#camera.pan(x / 2, y / 2);
      this.zoom(now / before, (event.offsetX + other.x) / 2, (event.offsetY + other.y) / 2);
    } else if (this.#way > TAP_PIXELS) {
      this.#camera.pan(x, y);
      this.#moved();
    } else return; // Still a tap, as far as one can tell: what it moves is not lost.
    [finger.x, finger.y] = [event.offsetX, event.offsetY];
  }

  /** @param {PointerEvent} event */
  #up(event) {
    if (this.#fingers.delete(event.pointerId) && this.#fingers.size === 0 && this.#way <= TAP_PIXELS) {
      this.#on.tapped(event.offsetX, event.offsetY, reach(event));
    }
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const pan = { ArrowLeft: [PAN, 0], ArrowRight: [-PAN, 0], ArrowUp: [0, PAN], ArrowDown: [0, -PAN] }[event.key];
    const walk = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (event.shiftKey && pan) {
      this.#camera.pan(pan[0], pan[1]);
      this.#moved();
    } else if (walk) this.#on.walked(walk);
    else if (event.key === "+" || event.key === "=") this.zoom(STEP);
    else if (event.key === "-") this.zoom(1 / STEP);
    else if (event.key === "0") this.whole();
    else if (event.key === "Enter") this.#on.chosen();
    else if (event.key === "Escape") this.#on.escaped();
    else return;
    event.preventDefault();
  }
}

/** Pixels from where they point that fingers and pointers may mean. @param {PointerEvent} event */
function reach(event) {
  return event.pointerType === "touch" ? 24 : 12;
}
