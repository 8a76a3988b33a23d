// The layers of a convolutional network, forward and backward to the input.
//
// What `helpers/layers.py` does for many images, this does for one. A layer is made once, for the
// shape of its input; then `forward(x)` returns its output, and `backward(dy)`, called after it,
// turns the gradient with respect to that output into the one with respect to x. Images are rows of
// pixels, and a pixel is a row of channels: value (i, j, c) stands at (i · width + j) · depth + c.
// Chapter 2 explains the forward passes, chapter 3 derives the backward ones.
window.ImageNetMoment = window.ImageNetMoment || {};

window.ImageNetMoment.layers = function () {
  "use strict";

  // Pixels before the first, and windows that fit, along one axis. As in TensorFlow, "same" puts
  // an odd pixel after the last.
  function places(size, reach, stride, padding) {
    const count = padding === "same" ? Math.ceil(size / stride)
                                     : Math.floor((size - reach) / stride) + 1;
    const pads = padding === "same" ? Math.max((count - 1) * stride + reach - size, 0) : 0;
    return { count, before: Math.floor(pads / 2) };
  }

  // For each window along one axis: the pixels i of the input that lie in it, each with its place t
  // in the window. Pixels of the padding are left out: they are 0 and add nothing.
  function windows(size, kernel, stride, dilation, { count, before }) {
    return Array.from({ length: count }, (_, o) => {
      const inside = Array.from({ length: kernel }, (_, t) => [o * stride + t * dilation - before, t]);
      return inside.filter(([i]) => i >= 0 && i < size);
    });
  }

  // y[at + k] += Σ values[i] · w[rows[i] + k], over i below n, for k below count. All the time of a
  // network goes by in these two loops. Four rows at once keep the processor busy: y is read and
  // written once for four products.
  function addRows(y, at, count, w, rows, values, n) {
    let i = 0;
    for (; i + 3 < n; i += 4) {
      const a = values[i], b = values[i + 1], c = values[i + 2], d = values[i + 3];
      const ra = rows[i], rb = rows[i + 1], rc = rows[i + 2], rd = rows[i + 3];
      for (let k = 0; k < count; k++) {
        y[at + k] += a * w[ra + k] + b * w[rb + k] + c * w[rc + k] + d * w[rd + k];
      }
    }
    for (; i < n; i++) {
      const a = values[i], ra = rows[i];
      for (let k = 0; k < count; k++) y[at + k] += a * w[ra + k];
    }
  }

  // The other way: dx[places[i]] += Σ dy[at + k] · w[rows[i] + k], over k below count, for i below n.
  function addProducts(dx, places, dy, at, count, w, rows, n) {
    let i = 0;
    for (; i + 3 < n; i += 4) {
      const ra = rows[i], rb = rows[i + 1], rc = rows[i + 2], rd = rows[i + 3];
      let a = 0, b = 0, c = 0, d = 0;
      for (let k = 0; k < count; k++) {
        const g = dy[at + k];
        a += g * w[ra + k];
        b += g * w[rb + k];
        c += g * w[rc + k];
        d += g * w[rd + k];
      }
      dx[places[i]] += a;
      dx[places[i + 1]] += b;
      dx[places[i + 2]] += c;
      dx[places[i + 3]] += d;
    }
    for (; i < n; i++) {
      let a = 0;
      for (let k = 0; k < count; k++) a += dy[at + k] * w[rows[i] + k];
      dx[places[i]] += a;
    }
  }

  // y[p,q,k] = b[k] + Σ x[ps + rd, qs + td, c] w[r,t,c,k]. For each window and group its values are
  // gathered, each with the row of w, over all k, that it is multiplied by. Zeros, as half of the
  // values after a ReLU are, are passed over.
  function conv2d([height, width, depth], w, [kh, kw, share, filters], b, settings) {
    const { strides, dilation, padding, groups } = settings;
    const down = places(height, dilation[0] * (kh - 1) + 1, strides[0], padding);
    const right = places(width, dilation[1] * (kw - 1) + 1, strides[1], padding);
    const inRows = windows(height, kh, strides[0], dilation[0], down);
    const inColumns = windows(width, kw, strides[1], dilation[1], right);
    const y = new Float32Array(down.count * right.count * filters);
    const dx = new Float32Array(height * width * depth);
    const own = filters / groups; // filters of a group; each sees `share` channels
    const most = kh * kw * share;
    const where = new Int32Array(most), rows = new Int32Array(most), values = new Float64Array(most);

    // List the values of x in a window that group g sees: where they stand, and their rows of w.
    // Returns how many they are.
    function gather(p, q, g, x, zerosToo) {
      let n = 0;
      for (const [i, r] of inRows[p]) {
        for (const [j, t] of inColumns[q]) {
          const pixel = (i * width + j) * depth + g * share, kernel = (r * kw + t) * share;
          for (let c = 0; c < share; c++) {
            const value = x[pixel + c];
            if (value === 0 && !zerosToo) continue;
            where[n] = pixel + c;
            rows[n] = (kernel + c) * filters + g * own;
            values[n++] = value;
          }
        }
      }
      return n;
    }

    function eachWindow(visit) {
      for (let p = 0; p < down.count; p++) {
        for (let q = 0; q < right.count; q++) {
          for (let g = 0; g < groups; g++) visit(p, q, g, (p * right.count + q) * filters + g * own);
        }
      }
    }

    function forward(x) {
      for (let i = 0; i < y.length; i++) y[i] = b ? b[i % filters] : 0;
      eachWindow((p, q, g, at) => {
        addRows(y, at, own, w, rows, values, gather(p, q, g, x, false));
      });
      return y;
    }

    function backward(dy) {
      dx.fill(0);
      eachWindow((p, q, g, at) => {
        if (dy.subarray(at, at + own).every((value) => value === 0)) return;
        addProducts(dx, where, dy, at, own, w, rows, gather(p, q, g, dx, true));
      });
      return dx;
    }

    return { shape: [down.count, right.count, filters], forward, backward };
  }

  // The largest value of each window; of equal ones the first wins, and gets the gradient.
  function maxPool([height, width, depth], [kh, kw], strides, padding) {
    const down = places(height, kh, strides[0], padding);
    const right = places(width, kw, strides[1], padding);
    const rows = windows(height, kh, strides[0], 1, down);
    const columns = windows(width, kw, strides[1], 1, right);
    const y = new Float32Array(down.count * right.count * depth);
    const winner = new Uint32Array(y.length), dx = new Float32Array(height * width * depth);

    function forward(x) {
      y.fill(-Infinity);
      rows.forEach((inRows, p) => columns.forEach((inColumns, q) => {
        const out = (p * columns.length + q) * depth;
        for (const [i] of inRows) {
          for (const [j] of inColumns) {
            const pixel = (i * width + j) * depth;
            for (let c = 0; c < depth; c++) {
              if (x[pixel + c] > y[out + c]) {
                y[out + c] = x[pixel + c];
                winner[out + c] = pixel + c;
              }
            }
          }
        }
      }));
      return y;
    }

    function backward(dy) {
      dx.fill(0);
      for (let i = 0; i < dy.length; i++) dx[winner[i]] += dy[i]; // one x may win several windows
      return dx;
    }

    return { shape: [down.count, right.count, depth], forward, backward };
  }

  // y = x / s^β with s = k + α Σ x², over the n channels around each. α is on the sum, as the paper
  // prints it; s^(3/4) is two square roots.
  function localResponseNormalization(shape, n, k, alpha, beta) {
    const depth = shape[2], size = shape[0] * shape[1] * depth, radius = Math.floor(n / 2);
    const y = new Float32Array(size), dx = new Float32Array(size);
    const scale = new Float32Array(size), power = new Float32Array(size);
    let x;

    // The sum of a[c'] over the channels c' at most `radius` from c, for all c of the pixel at `at`.
    const line = new Float64Array(depth);
    function around(at, valueAt, use) {
      for (let c = 0; c < depth; c++) line[c] = valueAt(at + c);
      for (let c = 0; c < depth; c++) {
        let sum = 0;
        const last = Math.min(c + radius, depth - 1);
        for (let e = Math.max(c - radius, 0); e <= last; e++) sum += line[e];
        use(at + c, sum);
      }
    }

    function forward(input) {
      x = input;
      for (let at = 0; at < size; at += depth) {
        around(at, (i) => x[i] * x[i], (i, sum) => {
          const s = k + alpha * sum;
          scale[i] = s;
          power[i] = beta === 0.75 ? 1 / Math.sqrt(s * Math.sqrt(s)) : s ** -beta;
          y[i] = x[i] * power[i];
        });
      }
      return y;
    }

    // dx_c = dy_c s_c^−β − 2αβ x_c Σ_e dy_e x_e s_e^(−β−1), over the e whose window holds c.
    function backward(dy) {
      for (let at = 0; at < size; at += depth) {
        around(at, (i) => (dy[i] * x[i] * power[i]) / scale[i], (i, sum) => {
          dx[i] = dy[i] * power[i] - 2 * alpha * beta * x[i] * sum;
        });
      }
      return dx;
    }

    return { shape, forward, backward };
  }

  // y = x w + b, for w (inputs, outputs).
  function dense(inputs, w, outputs, b) {
    const y = new Float32Array(outputs), dx = new Float32Array(inputs);
    const all = Int32Array.from({ length: inputs }, (_, i) => i), rowOf = all.map((i) => i * outputs);
    const rows = new Int32Array(inputs), values = new Float64Array(inputs);

    function forward(x) {
      let n = 0;
      for (let i = 0; i < inputs; i++) {
        if (x[i] === 0) continue;
        rows[n] = rowOf[i];
        values[n++] = x[i];
      }
      for (let k = 0; k < outputs; k++) y[k] = b ? b[k] : 0;
      addRows(y, 0, outputs, w, rows, values, n);
      return y;
    }

    function backward(dy) {
      dx.fill(0);
      addProducts(dx, all, dy, 0, outputs, w, rowOf, inputs);
      return dx;
    }

    return { shape: [outputs], forward, backward };
  }

  // Functions of one value: y, and dy/dx given x and y. At 0 the slope of a ReLU is 0, by convention.
  const ACTIVATIONS = {
    relu: [(x) => (x > 0 ? x : 0), (x) => (x > 0 ? 1 : 0)],
    relu6: [(x) => Math.min(Math.max(x, 0), 6), (x) => (x > 0 && x < 6 ? 1 : 0)],
    tanh: [Math.tanh, (x, y) => 1 - y * y],
    sigmoid: [(x) => 1 / (1 + Math.exp(-x)), (x, y) => y * (1 - y)],
  };

  function activation(shape, kind) {
    const [value, slope] = ACTIVATIONS[kind], size = shape.reduce((a, b) => a * b, 1);
    const y = new Float32Array(size), dx = new Float32Array(size);
    let x;

    function forward(input) {
      x = input;
      for (let i = 0; i < size; i++) y[i] = value(x[i]);
      return y;
    }

    function backward(dy) {
      for (let i = 0; i < size; i++) dx[i] = dy[i] * slope(x[i], y[i]);
      return dx;
    }

    return { shape, forward, backward };
  }

  // y = x · scale + shift, a scale and a shift for each channel: what a batch normalization is once
  // training is over.
  function scaleAndShift(shape, scale, shift) {
    const size = shape.reduce((a, b) => a * b, 1), depth = scale.length;
    const y = new Float32Array(size), dx = new Float32Array(size);

    function forward(x) {
      for (let i = 0; i < size; i++) y[i] = x[i] * scale[i % depth] + shift[i % depth];
      return y;
    }

    function backward(dy) {
      for (let i = 0; i < size; i++) dx[i] = dy[i] * scale[i % depth];
      return dx;
    }

    return { shape, forward, backward };
  }

  // The mean of each channel over the whole map.
  function globalAverage([height, width, depth]) {
    const count = height * width;
    const y = new Float32Array(depth), dx = new Float32Array(count * depth);

    function forward(x) {
      y.fill(0);
      for (let i = 0; i < x.length; i++) y[i % depth] += x[i] / count;
      return y;
    }

    function backward(dy) {
      for (let i = 0; i < dx.length; i++) dx[i] = dy[i % depth] / count;
      return dx;
    }

    return { shape: [depth], forward, backward };
  }

  // The same values under another shape: flattening, and dropout once training is over.
  function same(shape) {
    return { shape, forward: (x) => x, backward: (dy) => dy };
  }

  return { conv2d, maxPool, localResponseNormalization, dense, activation, scaleAndShift,
           globalAverage, same, ACTIVATIONS };
};
