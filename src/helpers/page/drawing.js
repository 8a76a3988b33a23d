// From strokes of a finger, a mouse or the arrow keys, or from a photograph, to what a network is
// given: brightness by pixel, as in the pictures that it learned from.
window.ImageNetMoment = window.ImageNetMoment || {};

window.ImageNetMoment.drawing = function () {
  "use strict";
  const GRID = 512; // a point of a stroke is two whole numbers below this, so that it fits an address
  const FINE = 4; // a picture is drawn four times as fine, then averaged
  const PEN = 1.2, INK = 0.65, CLOTH = 0.65; // width in pixels of the picture, brightness; chosen on
  // ten garments that we drew ourselves, twelve times each with a shaking hand: 87% right (with a pen of
  // 2.2 and brighter lines, 70%)
  const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

  function blank(width, height) {
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    return canvas.getContext("2d", { willReadFrequently: true });
  }

  // Draw strokes, lists of [x, y], with a round pen.
  function draw(context, strokes, width, colour) {
    Object.assign(context, { strokeStyle: colour, lineWidth: width, lineCap: "round", lineJoin: "round" });
    for (const stroke of strokes) {
      context.beginPath();
      context.moveTo(stroke[0][0], stroke[0][1] + 0.01); // so that a single point is a dot
      for (const [x, y] of stroke) context.lineTo(x, y);
      context.stroke();
    }
  }

  // The strokes, moved and enlarged alike in both directions so that they just fill the picture.
  function fitted(strokes, width, height, margin) {
    const xs = strokes.flat().map(([x]) => x), ys = strokes.flat().map(([, y]) => y);
    const left = Math.min(...xs), top = Math.min(...ys);
    const wide = Math.max(...xs) - left, high = Math.max(...ys) - top;
    const scale = Math.min((width - 2 * margin) / Math.max(wide, 1), (height - 2 * margin) / Math.max(high, 1));
    return strokes.map((stroke) => stroke.map(([x, y]) => [
      width / 2 + (x - left - wide / 2) * scale, height / 2 + (y - top - high / 2) * scale,
    ]));
  }

  // The brightness of each pixel, 0 to 1.
  function brightness(context, width, height) {
    const { data } = context.getImageData(0, 0, width, height);
    return Float32Array.from({ length: width * height }, (_, i) => data[4 * i] / 255);
  }

  // Which pixels can be reached from the border without crossing a fence; 1 or 0.
  function reachable(fence, width, height) {
    const reached = new Uint8Array(width * height), pending = [];
    const visit = (x, y) => {
      const i = y * width + x;
      if (x < 0 || y < 0 || x >= width || y >= height || reached[i] || fence[i] > 0.5) return;
      reached[i] = 1;
      pending.push(i);
    };
    for (let x = 0; x < width; x++) [0, height - 1].forEach((y) => visit(x, y));
    for (let y = 0; y < height; y++) [0, width - 1].forEach((x) => visit(x, y));
    while (pending.length) {
      const i = pending.pop(), x = i % width, y = (i - x) / width;
      visit(x - 1, y);
      visit(x + 1, y);
      visit(x, y - 1);
      visit(x, y + 1);
    }
    return reached;
  }

  // Set the pixels around each that is set, too, up to `reach` away.
  function grown(set, width, height, reach) {
    const more = new Uint8Array(set.length);
    for (let i = 0; i < set.length; i++) {
      if (!set[i]) continue;
      const x = i % width, y = (i - x) / width;
      const first = Math.max(x - reach, 0), last = Math.min(x + reach, width - 1);
      for (let b = Math.max(y - reach, 0); b <= Math.min(y + reach, height - 1); b++) {
        more.fill(1, b * width + first, b * width + last + 1);
      }
    }
    return more;
  }

  // The picture of a drawing. What the network learned from are bright garments on black, each as
  // large as fits. So the drawing is centred and enlarged, its strokes are made thick, and what an
  // outline encloses is filled with cloth; a fence wider than the stroke closes small gaps.
  function pictureOf(strokes, [height, width, depth], brightest, fill = true) {
    const wide = FINE * width, high = FINE * height, pen = FINE * PEN, values = [];
    const [line, fence] = [blank(wide, high), blank(wide, high)];
    const points = fitted(strokes, wide, high, pen / 2);
    draw(line, points, pen, "#fff");
    draw(fence, points, 2 * pen, "#fff");
    const ink = brightness(line, wide, high);
    const outside = grown(reachable(brightness(fence, wide, high), wide, high), wide, high, Math.round(pen / 2));
    const shade = (i) => Math.max(ink[i] * INK, fill && !outside[i] ? CLOTH : 0);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        let sum = 0;
        for (let b = 0; b < FINE; b++) {
          for (let a = 0; a < FINE; a++) sum += shade((FINE * y + b) * wide + FINE * x + a);
        }
        for (let c = 0; c < depth; c++) values.push((sum / FINE ** 2) * brightest);
      }
    }
    return Float32Array.from(values);
  }

  // The picture of a photograph: shrunk until it fits, gray where the network wants one channel.
  // With `invert`, dark becomes bright: for things on a white ground.
  function pictureFrom(photograph, [height, width, depth], brightest, invert) {
    let from = photograph;
    const scale = Math.min(width / from.width, height / from.height);
    const wide = Math.max(1, Math.round(from.width * scale)), high = Math.max(1, Math.round(from.height * scale));
    let w = from.width, h = from.height;
    while (w > 2 * wide || h > 2 * high) { // by halves, or most of its pixels would not count
      w = Math.max(wide, Math.ceil(w / 2));
      h = Math.max(high, Math.ceil(h / 2));
      const smaller = blank(w, h);
      smaller.drawImage(from, 0, 0, w, h);
      from = smaller.canvas;
    }
    const context = blank(width, height);
    context.fillStyle = invert ? "#fff" : "#000";
    context.fillRect(0, 0, width, height);
    context.drawImage(from, (width - wide) / 2, (height - high) / 2, wide, high);
    const { data } = context.getImageData(0, 0, width, height), values = [];
    for (let i = 0; i < data.length; i += 4) {
      const [r, g, b] = data.subarray(i, i + 3);
      const colour = depth === 1 ? [0.299 * r + 0.587 * g + 0.114 * b] : [r, g, b];
      values.push(...colour.map((v) => ((invert ? 255 - v : v) / 255) * brightest));
    }
    return Float32Array.from(values);
  }

  // Strokes as text for an address, three characters a point, and back. A text from an address may
  // be anything: whatever is no drawing gives none.
  function toText(strokes) {
    const digits = ([x, y]) => DIGITS[x >> 3] + DIGITS[((x & 7) << 3) | (y >> 6)] + DIGITS[y & 63];
    return strokes.map((stroke) => stroke.map(digits).join("")).join(".");
  }

  function fromText(text) {
    if (text.length > 12000 || !/^([\w-]{3})+(\.([\w-]{3})+)*$/.test(text)) return [];
    return text.split(".").map((part) => part.match(/.../g).map((point) => {
      const [a, b, c] = [...point].map((digit) => DIGITS.indexOf(digit));
      return [(a << 3) | (b >> 3), ((b & 7) << 6) | c];
    }));
  }

  return { GRID, draw, pictureOf, pictureFrom, toText, fromText };
};
