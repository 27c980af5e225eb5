// Plays the figures of stmlab.interactive: frames stored in a page of the book, or sent by a live kernel.
// With draw.js before it this is an ES module for anywidget. Browsers refuse modules from file://, so the
// Sphinx extension wraps it into a classic script; hence the single export, on the last line.

const at = (list, k) => list[list.length > 1 ? k : 0]; // a value that all frames share is stored once

// ---- stored data ----

async function inflate(base64) {
  const stream = new Blob([bytes(base64)]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Frames are stored as differences from the frame `stride` before, in blocks of `count` strides.
function undoDifferences(a, size, { stride, count }) {
  const back = stride * size;
  for (let i = back; i < a.length; i++)
    if (Math.floor(i / back) % count) a[i] += a[i - back]; // typed arrays wrap around by themselves
  return a;
}

async function readCurves(stored, perFrame) {
  const raw = await inflate(stored.data), n = raw.length / 2, levels = new Uint16Array(n);
  for (let i = 0; i < n; i++) levels[i] = raw[i] | (raw[n + i] << 8);
  undoDifferences(levels, perFrame, stored);
  return (frame) => {
    const start = n > perFrame ? frame * perFrame : 0;
    return Float64Array.from(levels.subarray(start, start + perFrame), (v) => stored.zero + stored.step * v);
  };
}

// Returns a function: frame number -> what a panel draws.
async function readPanel(spec) {
  const [rows, columns] = spec.shape, size = rows * columns;
  if (spec.kind === "image") {
    const levels = undoDifferences(await inflate(spec.levels.data), size, spec.levels);
    return (k) => ({ title: at(spec.title, k), alt: at(spec.alt, k), scale: at(spec.scale, k),
      points: at(spec.points, k), levels: levels.subarray(k * size, (k + 1) * size) });
  }
  const x = await readCurves(spec.x, columns), y = await readCurves(spec.y, size);
  return (k) => ({ title: at(spec.title, k), alt: at(spec.alt, k), xlim: at(spec.xlim, k),
    ylim: at(spec.ylim, k), x: x(k), y: y(k) });
}

// ---- a figure stored in a page ----

class StoredFigure {
  constructor(root) {
    this.root = root;
    this.inputs = [...root.querySelectorAll("input[type=range]")];
    this.outputs = [...root.querySelectorAll("output")];
    root.classList.add("stmx-on");
    if (!("DecompressionStream" in window)) return this.fail("This browser is too old for the sliders.");
    // Decoding waits until the figure is near, or reached by the keyboard.
    const start = () => (this.started ??= this.start().catch((e) => { console.error(e); this.fail("The sliders do not work here."); }));
    new IntersectionObserver((seen, self) => {
      if (seen.some((s) => s.isIntersecting)) { self.disconnect(); start(); }
    }, { rootMargin: "300px" }).observe(root);
    root.addEventListener("focusin", start);
  }

  fail(text) {
    this.root.classList.remove("stmx-on", "stmx-ready");
    const p = this.root.querySelector(".stmx-problem");
    p.textContent = `${text} The figure is shown at its default settings.`;
    p.hidden = false;
  }

  async start() {
    const spec = JSON.parse(this.root.querySelector("script").textContent);
    this.sliders = spec.sliders;
    this.read = await Promise.all(spec.panels.map(readPanel));
    this.root.classList.add("stmx-ready"); // shows the host, which then has a width
    this.board = new Board(spec.panels, this.root.querySelector(".stmx-panels"));
    for (const input of this.inputs) input.addEventListener("input", () => this.update(true));
    const k = this.sliders.findIndex((s) => s.play);
    if (k >= 0) new Playing(this, this.inputs[k], this.sliders[k].play);
    this.update(false);
  }

  update(moved) {
    const index = this.inputs.map((input) => +input.value);
    const texts = this.sliders.map((s, k) => s.text[index[k]]);
    const frame = index.reduce((sum, i, k) => sum * this.sliders[k].text.length + i, 0);
    this.inputs.forEach((input, k) => input.setAttribute("aria-valuetext", texts[k]));
    this.outputs.forEach((output, k) => { output.textContent = texts[k]; });
    const frames = this.read.map((read) => read(frame));
    this.board.show(frames, this.sliders.map((s, k) => `${s.label} ${texts[k]}`).join(", "));
    this.root.dataset.frame = frame;
    if (moved) this.speak(frames.map((f) => f.alt).join(" "));
  }

  // Where the description changes with the sliders it is spoken, once the reader pauses.
  speak(text) {
    clearTimeout(this.pause);
    this.pause = setTimeout(() => {
      const spoken = this.root.querySelector(".stmx-spoken");
      if (text !== this.said) spoken.textContent = text;
      this.said = text;
    }, 700);
  }
}

// Runs through a slider's values: once by itself where motion is welcome, and whenever its button is pressed.
// It waits while the pointer rests on the figure or the figure is out of sight, and stops when a reader takes over.
class Playing {
  constructor(figure, input, rate) {
    Object.assign(this, { figure, input, rate, held: false, seen: false });
    this.button = figure.root.querySelector(".stmx-play");
    this.button.addEventListener("click", () => (this.timer ? this.stop() : this.start()));
    figure.root.addEventListener("focusin", (e) => { if (e.target !== this.button) this.stop(); });
    figure.root.addEventListener("pointerenter", () => { this.held = this.byItself; });
    figure.root.addEventListener("pointerleave", () => { this.held = false; });
    new IntersectionObserver((all) => { this.seen = all.at(-1).isIntersecting; }, { threshold: 0.3 }).observe(figure.root);
    if (matchMedia("(prefers-reduced-motion: reduce)").matches || figure.root.contains(document.activeElement)) return;
    this.input.value = this.input.min;
    this.byItself = true;
    this.start();
  }

  start() {
    if (this.input.value === this.input.max) this.show(+this.input.min);
    this.button.textContent = "Pause";
    this.timer = setInterval(() => this.step(), 1000 / this.rate);
  }

  stop() {
    clearInterval(this.timer);
    this.timer = this.byItself = undefined;
    this.held = false;
    this.button.textContent = "Play";
  }

  step() {
    if (this.held || !this.seen || document.hidden) return;
    this.show(+this.input.value + 1);
    if (this.input.value === this.input.max) this.stop();
  }

  show(index) {
    this.input.value = index;
    this.figure.update(false);
  }
}

function mountAll() {
  for (const root of document.querySelectorAll(".stmx")) new StoredFigure(root);
}

// ---- a figure fed by a kernel ----

function render({ model, el }) {
  el.classList.add("stmx-live");
  const looks = model.get("looks"), board = new Board(looks, element("div", "stmx-panels", el));
  let waiting = false;
  const draw = () => {
    waiting = false;
    const meta = model.get("meta"), view = model.get("data");
    let start = view.byteOffset;
    const frames = meta.frames.map((frame, k) => {
      const image = looks[k].kind === "image", [rows, columns] = looks[k].shape;
      const size = image ? rows * columns : 4 * (rows + 1) * columns;
      const data = view.buffer.slice(start, start + size); // a copy: floats need alignment
      start += size;
      if (image) return { ...frame, levels: new Uint8Array(data) };
      const floats = new Float32Array(data);
      return { ...frame, x: floats.subarray(0, columns), y: floats.subarray(columns) };
    });
    board.show(frames, meta.settings);
  };
  const request = () => { if (!waiting) { waiting = true; requestAnimationFrame(draw); } };
  model.on("change:meta change:data", request);
  draw();
}

export default { render, mountAll };
