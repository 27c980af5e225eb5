// Draws panels of data on canvases, in the colours of the page around them. explore.js, which is appended
// to this file before a browser sees it, says which data.

const GAP = 14, NARROWEST = 250, WIDEST = 430; // CSS pixels
const DASHES = [[], [7, 3], [2, 3], [9, 3, 2, 3]];
const MARKER = 5; // half the size of a marker

// ---- numbers and text ----

function ticks(lo, hi, most) {
  const rough = (hi - lo) / most, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough * 0.999);
  const values = [];
  for (let k = Math.ceil(lo / step - 1e-6); k * step <= hi + 1e-6 * step; k++) values.push(k * step);
  const largest = Math.max(Math.abs(lo), Math.abs(hi));
  const write = largest < 1e-3 || largest >= 1e5 ? powerText : plainText;
  return values.map((v) => ({ v, text: Math.abs(v) < step * 1e-6 ? "0" : write(v, step).replaceAll("-", "−") }));
}

const plainText = (v, step) => v.toFixed(Math.max(0, -Math.floor(Math.log10(step) + 1e-9)));

function powerText(v, step) { // 1.5×10⁻⁴
  const digits = Math.max(0, Math.floor(Math.log10(Math.abs(v)) + 1e-9) - Math.floor(Math.log10(step) + 1e-9));
  const [mantissa, exponent] = v.toExponential(digits).split("e");
  return `${mantissa}×10${[...exponent.replace("+", "")].map((c) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(c)]).join("")}`;
}

function element(tag, className, parent) {
  const el = document.createElement(tag);
  el.className = className;
  parent?.append(el);
  return el;
}

const bytes = (base64) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));

// ---- drawing ----

class Panel {
  constructor(look, host) {
    this.look = look;
    this.root = element("div", "stmx-panel", host);
    this.title = element("div", "stmx-title", this.root);
    this.canvas = element("canvas", "stmx-canvas", this.root);
    this.canvas.setAttribute("role", "img");
    if (look.labels.some((label) => label)) this.legend();
    if (look.kind === "image") this.prepareImage();
  }

  prepareImage() {
    const [rows, columns] = this.look.shape;
    this.picture = new OffscreenCanvas(columns, rows);
    this.pixels = new ImageData(columns, rows);
    const rgb = bytes(this.look.colours);
    this.colours = Uint32Array.from({ length: 256 },
      (_, i) => ((255 << 24) | (rgb[3 * i + 2] << 16) | (rgb[3 * i + 1] << 8) | rgb[3 * i]) >>> 0);
  }

  legend() {
    const list = element("ul", "stmx-legend", this.root);
    this.swatches = this.look.labels.map((label) => {
      const item = element("li", "", list), swatch = element("canvas", "stmx-swatch", item);
      swatch.setAttribute("aria-hidden", "true");
      item.append(label);
      return swatch;
    });
  }

  // The theme's text colour, font and curve colours, read at every drawing because readers switch themes.
  ink() {
    const style = getComputedStyle(this.canvas);
    const curves = [0, 1, 2, 3].map((k) => style.getPropertyValue(`--stmx-${k}`).trim() || style.color);
    return { text: style.color, family: style.fontFamily, curves };
  }

  // Height wanted at this width: images keep their aspect.
  height(width) {
    if (this.look.kind !== "image") return Math.round(0.78 * width);
    return this.imageBox(width).h + 100;
  }

  imageBox(width) {
    const [x0, x1, y0, y1] = this.look.extent, aspect = (y1 - y0) / (x1 - x0);
    const w = Math.min(width - 58 - 10, 360 / aspect);
    return { l: Math.round(58 + (width - 68 - w) / 2), t: 8, w: Math.round(w), h: Math.round(w * aspect) };
  }

  resize(width, height) {
    this.W = width;
    this.H = height;
    Object.assign(this.canvas.style, { width: `${width}px`, height: `${height}px` });
    this.root.style.width = `${width}px`;
  }

  draw(frame, settings) {
    const scale = Math.max(1, window.devicePixelRatio || 1), pen = sized(this.canvas, this.W, this.H, scale);
    this.colour = this.ink();
    this.title.textContent = frame.title;
    this.canvas.setAttribute("aria-label", `${frame.title ? `${frame.title}. ` : ""}${frame.alt} At ${settings}.`);
    Object.assign(pen, { fillStyle: this.colour.text, strokeStyle: this.colour.text, lineWidth: 1,
      font: `12px ${this.colour.family}`, lineJoin: "round" });
    if (this.look.kind === "image") this.drawImage(pen, frame);
    else this.drawLines(pen, frame);
    this.swatches?.forEach((swatch, k) => this.drawSwatch(sized(swatch, 24, 12, scale), k));
  }

  drawImage(pen, frame) {
    const box = this.imageBox(this.W), [x0, x1, y0, y1] = this.look.extent;
    const words = new Uint32Array(this.pixels.data.buffer);
    for (let i = 0; i < words.length; i++) words[i] = this.colours[frame.levels[i]];
    this.picture.getContext("2d").putImageData(this.pixels, 0, 0);
    // Pixels are shown as pixels unless they are so small that rounding would make them unequal.
    pen.imageSmoothingEnabled = box.w / this.picture.width < 2.5;
    pen.drawImage(this.picture, box.l, box.t, box.w, box.h);
    const X = (x) => box.l + (x - x0) / (x1 - x0) * box.w, Y = (y) => box.t + (y1 - y) / (y1 - y0) * box.h;
    frame.points.forEach((group, k) => group.forEach(([x, y]) => marker(pen, k, X(x), Y(y), "#000", "#fff")));
    this.axes(pen, box, [x0, x1], [y0, y1]);
    this.colourBar(pen, box, frame.scale);
  }

  colourBar(pen, box, [lo, hi]) {
    const l = 58, w = this.W - 68, t = box.t + box.h + 44, h = 9;
    for (let i = 0; i < w; i++) {
      const c = this.colours[Math.round(255 * i / (w - 1))];
      pen.fillStyle = `rgb(${c & 255},${(c >> 8) & 255},${(c >> 16) & 255})`;
      pen.fillRect(l + i, t, 1, h);
    }
    pen.strokeRect(l - 0.5, t - 0.5, w + 1, h + 1);
    pen.fillStyle = this.colour.text;
    xTicks(pen, ticks(lo, hi, 4), (v) => l + (v - lo) / (hi - lo) * w, t + h + 1);
    const how = this.look.fixed ? "fixed scale" : "scale set per frame";
    pen.fillText([this.look.clabel, how].filter(Boolean).join(", "), l + w / 2, t + h + 34, w + 60);
  }

  drawLines(pen, frame) {
    const { x, y, xlim, ylim } = frame, n = this.look.shape[1];
    const yMarks = ticks(...ylim, 5), widest = Math.max(...yMarks.map((m) => pen.measureText(m.text).width));
    const l = Math.max(58, Math.ceil(widest) + 34), box = { l, t: 8, w: this.W - l - 10, h: this.H - 50 };
    const X = (v) => box.l + (v - xlim[0]) / (xlim[1] - xlim[0]) * box.w;
    const Y = (v) => box.t + (ylim[1] - v) / (ylim[1] - ylim[0]) * box.h;
    this.axes(pen, box, xlim, ylim);
    pen.save();
    pen.beginPath();
    pen.rect(box.l, box.t, box.w, box.h);
    pen.clip();
    for (let j = 0; j * n < y.length; j++) {
      this.curvePen(pen, j);
      pen.beginPath();
      for (let i = 0; i < n; i++) pen.lineTo(X(x[i]), Y(y[j * n + i]));
      pen.stroke();
    }
    pen.restore();
  }

  curvePen(pen, j) {
    pen.strokeStyle = this.colour.curves[j % 4];
    pen.lineWidth = 1.8;
    pen.setLineDash(DASHES[j % 4]);
  }

  drawSwatch(pen, k) {
    if (this.look.kind === "image") return marker(pen, k, 12, 6, this.colour.text, "transparent", 0.8);
    this.curvePen(pen, k);
    pen.beginPath();
    pen.moveTo(0, 6);
    pen.lineTo(24, 6);
    pen.stroke();
  }

  axes(pen, box, xlim, ylim) {
    pen.strokeRect(box.l - 0.5, box.t - 0.5, box.w + 1, box.h + 1);
    const bottom = box.t + box.h;
    xTicks(pen, ticks(...xlim, Math.max(2, box.w / 55)), (v) => box.l + (v - xlim[0]) / (xlim[1] - xlim[0]) * box.w, bottom);
    yTicks(pen, ticks(...ylim, Math.max(2, Math.min(6, box.h / 34))), (v) => bottom - (v - ylim[0]) / (ylim[1] - ylim[0]) * box.h, box.l);
    pen.fillText(this.look.xlabel, box.l + box.w / 2, bottom + 34, box.w + 60);
    pen.save();
    pen.translate(this.picture ? Math.max(13, box.l - 45) : 13, box.t + box.h / 2);
    pen.rotate(-Math.PI / 2);
    pen.textAlign = "center";
    pen.fillText(this.look.ylabel, 0, 0, box.h + 40);
    pen.restore();
  }
}

function sized(canvas, width, height, scale) {
  canvas.width = Math.round(width * scale); // clears it, too
  canvas.height = Math.round(height * scale);
  const pen = canvas.getContext("2d");
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  return pen;
}

function xTicks(pen, marks, X, y) {
  pen.textAlign = "center";
  for (const { v, text } of marks) {
    pen.fillRect(Math.round(X(v)) - 0.5, y, 1, 4);
    const right = pen.canvas.width / pen.getTransform().a - pen.measureText(text).width / 2 - 1;
    pen.fillText(text, Math.min(X(v), right), y + 16); // the last label must not run off the canvas
  }
}

function yTicks(pen, marks, Y, x) {
  pen.textAlign = "right";
  for (const { v, text } of marks) {
    pen.fillRect(x - 4, Math.round(Y(v)) - 0.5, 4, 1);
    pen.fillText(text, x - 7, Y(v) + 4);
  }
}

// Circle, cross or square, with a rim: visible on any colour.
function marker(pen, kind, x, y, rim, core, size = 1) {
  const r = MARKER * size, path = new Path2D();
  if (kind === 0) path.arc(x, y, r, 0, 2 * Math.PI);
  else if (kind === 2) path.rect(x - r, y - r, 2 * r, 2 * r);
  else for (const s of [-1, 1]) { path.moveTo(x - r, y - s * r); path.lineTo(x + r, y + s * r); }
  pen.setLineDash([]);
  for (const [colour, width] of [[rim, core === "transparent" ? 1.6 : 3.4], [core, 1.6]]) {
    pen.strokeStyle = colour;
    pen.lineWidth = width;
    pen.stroke(path);
  }
  pen.strokeStyle = pen.fillStyle;
}

// Panels in rows as wide as the host allows; drawn again when its width or the theme changes.
class Board {
  constructor(looks, host) {
    this.host = host;
    this.panels = looks.map((look) => new Panel(look, host));
    new ResizeObserver(() => this.fit()).observe(host);
    const repaint = () => { this.paint(); setTimeout(() => this.paint(), 400); }; // themes fade
    const watch = new MutationObserver(repaint), names = ["data-theme", "data-mode", "data-jp-theme-light"];
    for (const el of [document.documentElement, document.body]) watch.observe(el, { attributes: true, attributeFilter: names });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
    document.fonts?.ready.then(() => this.paint());
  }

  fit() {
    const width = this.host.clientWidth || 560, n = this.panels.length;
    const columns = Math.min(n, Math.max(1, Math.floor((width + GAP) / (NARROWEST + GAP))));
    const W = Math.min(WIDEST, Math.floor((width - GAP * (columns - 1)) / columns));
    const images = this.panels.filter((p) => p.look.kind === "image");
    const tallest = Math.max(...(images.length ? images : this.panels).map((p) => p.height(W)));
    for (const p of this.panels) p.resize(W, columns > 1 ? Math.max(tallest, p.height(W)) : p.height(W));
    this.paint();
  }

  show(frames, settings) {
    this.shown = [frames, settings];
    if (!this.panels[0].W) return this.fit();
    this.paint();
  }

  paint() {
    if (!this.shown || !this.panels[0].W) return;
    this.panels.forEach((p, k) => p.draw(this.shown[0][k], this.shown[1]));
  }
}
