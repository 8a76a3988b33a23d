// A network from a packed file: its answers, and its gradients with respect to the picture.
//
// It runs chains of the layers that it knows, and refuses everything else by name.
window.ImageNetMoment = window.ImageNetMoment || {};

window.ImageNetMoment.engine = function (layers) {
  "use strict";

  class UnknownLayerError extends Error {}

  // What each layer may bring, with Keras's defaults: packed files leave out what is usual.
  const CONVOLUTION = { filters: null, kernel_size: null, strides: [1, 1], padding: "valid",
                        dilation_rate: [1, 1], groups: 1, use_bias: true, activation: "linear" };
  const KNOWN = {
    InputLayer: { batch_shape: null },
    Conv2D: CONVOLUTION,
    GroupedConv2D: CONVOLUTION,
    Dense: { units: null, use_bias: true, activation: "linear" },
    MaxPooling2D: { pool_size: [2, 2], strides: null, padding: "valid" },
    GlobalAveragePooling2D: { keepdims: false },
    LocalResponseNormalization: { n: 5, k: 2, alpha: 1e-4, beta: 0.75 },
    BatchNormalization: { axis: -1, momentum: 0.99, epsilon: 1e-3, center: true, scale: true },
    Activation: { activation: "linear" },
    ReLU: { max_value: null, negative_slope: 0, threshold: 0 },
    Softmax: { axis: -1 },
    Dropout: { rate: null },
    Flatten: {},
  };

  function refuse(layer, what) {
    throw new UnknownLayerError(`layer ${layer}: this page cannot run ${what}`);
  }

  function settingsOf(kind, given) {
    const name = String(given.name || kind);
    if (!Object.hasOwn(KNOWN, kind)) refuse(name, kind);
    const settings = { ...KNOWN[kind] };
    for (const [key, value] of Object.entries(given)) {
      if (key === "name" || (key === "data_format" && value === "channels_last")) continue;
      if (!Object.hasOwn(settings, key)) refuse(name, `${kind} with ${key} = ${value}`);
      settings[key] = value;
    }
    return [name, settings];
  }

  // The layers in order, each {name, kind, shape, forward, backward}. A softmax at the end is left
  // out, so that every network gives logits.
  function build(file) {
    const chain = file.layers.every(([, , from], i) => (i ? from.length === 1 && from[0] === i - 1
                                                          : from.length === 0));
    const last = file.layers.length - 1;
    if (!chain || String(file.inputs) !== "0" || String(file.outputs) !== String(last)) {
      throw new UnknownLayerError("this page runs chains of layers, without branches");
    }
    const arrays = [...file.arrays], made = [];
    let shape;

    function add(name, kind, layer) {
      made.push({ name, kind, ...layer });
      shape = layer.shape;
    }

    function weights(name, ...wanted) {
      const array = arrays.shift();
      if (!array || String(array.shape) !== String(wanted)) refuse(name, "weights of that shape");
      return array.values;
    }

    function addActivation(name, kind, isLast) {
      if (kind === "linear" || (kind === "softmax" && isLast)) return;
      if (!Object.hasOwn(layers.ACTIVATIONS, kind)) refuse(name, `the activation ${kind}`);
      add(name, "Activation", layers.activation(shape, kind));
    }

    file.layers.forEach(([kind, given], place) => {
      const [name, s] = settingsOf(kind, given), isLast = place === last;
      const makers = {
        InputLayer() {
          shape = s.batch_shape.slice(1);
          if (shape.length !== 3 || !shape.every(Number.isInteger)) refuse(name, "such images");
        },
        Conv2D() {
          const [kh, kw] = s.kernel_size, share = shape[2] / s.groups;
          const w = weights(name, kh, kw, share, s.filters);
          const b = s.use_bias ? weights(name, s.filters) : null;
          const { strides, padding, groups } = s;
          const options = { strides, padding, groups, dilation: s.dilation_rate };
          add(name, kind, layers.conv2d(shape, w, [kh, kw, share, s.filters], b, options));
          addActivation(name, s.activation, isLast);
        },
        Dense() {
          if (shape.length !== 1) refuse(name, "a Dense layer on a map that was not flattened");
          const w = weights(name, shape[0], s.units);
          const b = s.use_bias ? weights(name, s.units) : null;
          add(name, kind, layers.dense(shape[0], w, s.units, b));
          addActivation(name, s.activation, isLast);
        },
        MaxPooling2D() {
          add(name, kind, layers.maxPool(shape, s.pool_size, s.strides || s.pool_size, s.padding));
        },
        GlobalAveragePooling2D() {
          if (s.keepdims) refuse(name, "a GlobalAveragePooling2D that keeps its dimensions");
          add(name, kind, layers.globalAverage(shape));
        },
        LocalResponseNormalization() {
          add(name, kind, layers.localResponseNormalization(shape, s.n, s.k, s.alpha, s.beta));
        },
        BatchNormalization() {
          const depth = shape[shape.length - 1];
          if (s.axis !== -1 && s.axis !== shape.length) refuse(name, `the axis ${s.axis}`);
          const gamma = s.scale ? weights(name, depth) : new Float32Array(depth).fill(1);
          const beta = s.center ? weights(name, depth) : new Float32Array(depth);
          const mean = weights(name, depth), variance = weights(name, depth);
          const scale = gamma.map((g, c) => g / Math.sqrt(variance[c] + s.epsilon));
          add(name, kind, layers.scaleAndShift(shape, scale, beta.map((b, c) => b - mean[c] * scale[c])));
        },
        Activation: () => addActivation(name, s.activation, isLast),
        ReLU() {
          if (s.max_value !== null || s.negative_slope || s.threshold) refuse(name, "such a ReLU");
          addActivation(name, "relu", isLast);
        },
        Softmax() {
          if (!isLast) refuse(name, "a softmax that is not the last layer");
        },
        Dropout: () => add(name, kind, layers.same(shape)),
        Flatten: () => add(name, kind, layers.same([shape.reduce((a, b) => a * b, 1)])),
      };
      makers.GroupedConv2D = makers.Conv2D;
      if ((kind === "InputLayer") !== (place === 0)) refuse(name, "an input in that place");
      makers[kind]();
    });
    if (shape.length !== 1) throw new UnknownLayerError("the network ends in no row of classes");
    if (arrays.length) throw new UnknownLayerError("some weights belong to no layer");
    return made;
  }

  function softmax(logits) {
    const most = Math.max(...logits); // so that no exponential overflows
    const powers = Array.from(logits, (z) => Math.exp(z - most));
    const total = powers.reduce((a, b) => a + b, 0);
    return powers.map((power) => power / total);
  }

  class Network {
    constructor(file) {
      this.inputShape = (file.layers[0][1].batch_shape || []).slice(1);
      this.layers = build(file);
      this.classes = this.layers[this.layers.length - 1].shape[0];
    }

    // The logits of one image, a Float32Array of height × width × channels. `look(layer, y)` is
    // called with every layer's output; an output is overwritten by the next image.
    forward(image, look = () => {}) {
      let x = image;
      for (const layer of this.layers) {
        x = layer.forward(x);
        look(layer, x);
      }
      return Float32Array.from(x);
    }

    // From the gradient with respect to the logits of the last image to that with respect to its
    // pixels. From a layer further down, give that layer's number and its gradient.
    backward(gradient, from = this.layers.length - 1) {
      for (let i = from; i >= 0; i--) gradient = this.layers[i].backward(gradient);
      return Float32Array.from(gradient);
    }

    // ∂(cross-entropy with `label`) / ∂pixels, whose start at the logits is softmax − one-hot.
    lossGradient(image, label) {
      const dlogits = Float32Array.from(softmax(this.forward(image)));
      dlogits[label] -= 1;
      return this.backward(dlogits);
    }

    // Change every pixel by up to epsilon, so that the loss of `label` grows: `steps` steps up the
    // sign of the gradient, each followed by a step back into the box and into the range of pixels.
    // One step of epsilon is FGSM (Goodfellow and others 2015), more and shorter ones are PGD
    // (Madry and others 2018; here from the image itself, not from a random point near it).
    attack(image, label, epsilon, steps = 1, brightest = 1) {
      const size = steps === 1 ? epsilon : (2.5 * epsilon) / steps, x = Float32Array.from(image);
      for (let step = 0; step < steps; step++) {
        const gradient = this.lossGradient(x, label);
        for (let i = 0; i < x.length; i++) {
          const moved = x[i] + size * Math.sign(gradient[i]);
          const boxed = Math.min(Math.max(moved, image[i] - epsilon), image[i] + epsilon);
          x[i] = Math.min(Math.max(boxed, 0), brightest);
        }
      }
      return x;
    }

    // How strongly each pixel moves the logit of `label`: |∂ logit / ∂ pixel|, the largest over the
    // channels (Simonyan, Vedaldi and Zisserman 2014). Slopes, not reasons.
    saliency(image, label) {
      const [height, width, depth] = this.inputShape, map = new Float32Array(height * width);
      this.forward(image);
      const start = new Float32Array(this.classes);
      start[label] = 1;
      this.backward(start).forEach((slope, i) => {
        const pixel = Math.floor(i / depth);
        map[pixel] = Math.max(map[pixel], Math.abs(slope));
      });
      return map;
    }

    // How much the logit of `label` falls when a square around each pixel turns black (Zeiler and
    // Fergus 2014), averaged over all squares that cover the pixel; moved by `stride` pixels.
    occlusion(image, label, square = 6, stride = 3) {
      const [height, width, depth] = this.inputShape, before = this.forward(image)[label];
      const fall = new Float32Array(height * width), times = new Float32Array(height * width);
      for (let top = stride - square; top < height; top += stride) {
        for (let left = stride - square; left < width; left += stride) {
          const hidden = Float32Array.from(image), covered = [];
          for (let i = Math.max(top, 0); i < Math.min(top + square, height); i++) {
            for (let j = Math.max(left, 0); j < Math.min(left + square, width); j++) {
              covered.push(i * width + j);
              hidden.fill(0, (i * width + j) * depth, (i * width + j + 1) * depth);
            }
          }
          const change = before - this.forward(hidden)[label];
          for (const pixel of covered) {
            fall[pixel] += change;
            times[pixel] += 1;
          }
        }
      }
      return fall.map((sum, i) => sum / times[i]);
    }
  }

  return { Network, softmax, UnknownLayerError };
};

// A second thread that does the same on request: attacks and maps take tenths of a second, and the
// page should answer meanwhile. Its program is the text of the functions above.
window.ImageNetMoment.worker = function (file) {
  "use strict";
  const { layers, engine } = window.ImageNetMoment;
  const program = `
    "use strict";
    const { Network } = (${engine})((${layers})());
    let network;
    onmessage = ({ data: { id, file, method, given } }) => {
      try {
        if (file) network = new Network(file);
        else postMessage({ id, result: network[method](...given) });
      } catch (error) {
        postMessage({ id, error: String(error) });
      }
    };`;
  const address = URL.createObjectURL(new Blob([program], { type: "text/javascript" }));
  const worker = new Worker(address), waiting = new Map();
  let asked = 0;
  worker.onmessage = ({ data: { id, result, error } }) => {
    const [resolve, reject] = waiting.get(id);
    waiting.delete(id);
    if (error) reject(new Error(error));
    else resolve(result);
  };
  worker.postMessage({ file });

  // Call a method of the network there: run("attack", image, label, epsilon, steps).
  return function run(method, ...given) {
    return new Promise((resolve, reject) => {
      waiting.set(++asked, [resolve, reject]);
      worker.postMessage({ id: asked, method, given });
    });
  };
};
