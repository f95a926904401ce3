/**
 * A canvas that is as sharp as the screen, and is painted at most once per animation frame.
 *
 * Sizes are CSS pixels. The size follows the element's, and the screen's resolution when the window moves to
 * another screen or is zoomed.
 */

/** One canvas. `paint` is called with a clean sheet whenever something changed. */
export class Sheet {
  #canvas;
  #paint;
  #frame = 0;
  #sharpness = 1;
  width = 0;
  height = 0;

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {{placed?: () => void, paint: (pen: CanvasRenderingContext2D) => void}} on placed: the size changed
   */
  constructor(canvas, { placed = () => {}, paint }) {
    this.#canvas = canvas;
    this.#paint = paint;
    const resize = () => {
      this.#resize();
      placed();
    };
    new ResizeObserver(resize).observe(canvas);
    const watch = () => {
      const screen = matchMedia(`(resolution: ${devicePixelRatio}dppx)`);
      screen.addEventListener("change", () => (resize(), watch()), { once: true });
    };
    watch();
  }

  /** Paint in the next frame. */
  draw() {
    if (this.#frame === 0) this.#frame = requestAnimationFrame(() => this.#now());
  }

  #resize() {
    this.#sharpness = devicePixelRatio || 1;
    this.width = this.#canvas.clientWidth;
    this.height = this.#canvas.clientHeight;
    this.#canvas.width = Math.round(this.width * this.#sharpness);
    this.#canvas.height = Math.round(this.height * this.#sharpness);
    this.draw();
  }

  #now() {
    this.#frame = 0;
    const pen = /** @type {CanvasRenderingContext2D} */ (this.#canvas.getContext("2d"));
    pen.setTransform(this.#sharpness, 0, 0, this.#sharpness, 0, 0);
    pen.clearRect(0, 0, this.width, this.height);
    this.#paint(pen);
  }
}
