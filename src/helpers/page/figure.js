// The figure: draw a garment or choose a picture, and see what the network says, what its first
// layer sees, how it is deceived, and which pixels matter. The network is loaded on the first use.
window.ImageNetMoment = window.ImageNetMoment || {};

window.ImageNetMoment.figure = function (element, config) {
  "use strict";
  const { GRID, draw, pictureOf, pictureFrom, toText, fromText } = window.ImageNetMoment.drawing();
  const { classes, brightest, shape, samples, scripts, kilobytes } = config;
  const [height, width, depth] = shape;
  const NAME = "network", SIZE = 336, PEN = 26; // of the canvas; the pen's width in GRID
  const VIEWS = [["first", "First layer"], ["attack", "Deceive it"], ["matters", "What matters"]];

  function h(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes)) {
      if (typeof value === "function") made.addEventListener(key, value);
      else if (value !== false && value !== null) made.setAttribute(key, value);
    }
    made.append(...children.flat());
    return made;
  }
  const percent = (share) => (share > 0.995 && share < 1 ? "over 99%" : Math.round(100 * share) + "%");
  const bytesOf = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const pictures = samples.map(({ pixels }) => (
    Float32Array.from(bytesOf(pixels), (value) => (value / 255) * brightest)));

  const begins = (VIEWS.find(([key]) => key === config.view) || VIEWS[0])[0]; // the view to begin with
  const state = { sample: null, strokes: [], view: begins, eps: 8, steps: 10, map: "slopes", fill: true };
  let photograph = null, invert = false; // a reader's own picture; it stays out of the address
  let network = null, loading = null, run = null, first = null, pen = null, turn = 0;

  const views = window.ImageNetMoment.views({ h, paint, percent, classes, width, height, brightest });

  // --- the network: loaded once, on the first use -------------------------------------------------
  function script(source) {
    return new Promise((resolve, reject) => {
      const error = () => reject(new Error("a script is missing"));
      document.head.append(h("script", { src: source, load: resolve, error }));
    });
  }

  async function load() {
    told.textContent = "The network is being loaded.";
    const begun = performance.now();
    await Promise.all(scripts.map(script)); // each defines one function; their order does not matter
    const { packedFile, layers, engine, worker, packed } = window.ImageNetMoment;
    const file = await packedFile().unpack(bytesOf(packed)), { Network, softmax } = engine(layers());
    network = new Network(file);
    network.softmax = softmax;
    first = network.layers.find((layer) => layer.shape.length === 3 && layer.kind === "Activation")
      || network.layers.find((layer) => layer.shape.length === 3);
    run = (...call) => {
      try {
        run = worker(file);
      } catch { // a browser that allows no second thread: in this one then
        run = async (method, ...given) => network[method](...given);
      }
      return run(...call);
    };
    const count = file.arrays.reduce((sum, { values }) => sum + values.length, 0);
    const digest = file.digest.toString(16).padStart(8, "0");
    const seconds = ((performance.now() - begun) / 1000).toFixed(1);
    told.textContent = `This page has just ${scripts.length ? "loaded" : "unpacked"} a whole ${config.name}`
      + ` in ${kilobytes} kB and ${seconds} s: ${count.toLocaleString("en-US")} weights, whose checksum,`
      + ` ${digest}, is the one in its file. What you draw stays in the page.`;
  }

  // A second network that the attack is tried on, too; loaded on the first attack, after the first
  // network, since its script replaces that one's file.
  let rivalLoading = null;
  async function loadRival() {
    if (!config.rival) return null;
    await Promise.all(config.rival.scripts.map(script));
    const { packedFile, layers, engine, packed } = window.ImageNetMoment;
    const { Network } = engine(layers());
    return new Network(await packedFile().unpack(bytesOf(packed)));
  }
  const rival = () => (rivalLoading = rivalLoading || loadRival());

  // --- the parts of the page ----------------------------------------------------------------------
  const canvas = h("canvas", {
    class: "net-canvas", width: SIZE, height: SIZE, tabindex: 0, role: "application",
    "aria-label": "Drawing", "aria-describedby": "net-keys",
  });
  const context = canvas.getContext("2d");
  const keys = h("p", { id: "net-keys", class: "net-hidden" },
    "Arrow keys move the pen, with Shift in small steps. Space sets it down and lifts it. Delete clears.");
  const hint = h("p", { class: "net-hint", "aria-hidden": "true" }, "Draw here: a T-shirt, trousers, a shoe");
  const keyHint = h("p", { class: "net-keyhint", "aria-hidden": "true" }, "arrows move, space draws, delete clears");
  const label = h("p", { class: "net-label", "aria-hidden": "true" });
  const clear = h("button", { type: "button", click: () => { restore({}); changed(); } }, "Clear");
  const fill = h("input", { type: "checkbox", checked: "", change: () => { state.fill = fill.checked; changed(); } });
  const given = h("canvas", { width, height, role: "img", "aria-label": "What the network is given" });
  const says = h("p", { class: "net-says" }, "Draw, or choose a picture.");
  const heard = h("p", { class: "net-hidden", role: "status", "aria-live": "polite" });
  const told = h("p", { class: "net-told" }, `The network, ${kilobytes} kB, is loaded when you begin.`);
  const bars = classes.map((name) => {
    const bar = h("span", { class: "net-bar" }), share = h("span", { class: "net-share" });
    const track = h("span", { class: "net-track", "aria-hidden": "true" }, bar);
    return { bar, share, row: h("li", {}, h("span", { class: "net-name" }, name), track, share) };
  });
  const thumbnails = pictures.map((picture, k) => {
    const small = h("canvas", { width, height, "aria-hidden": "true" });
    paint(small, picture);
    const title = classes[samples[k].label], click = () => { restore({ sample: k }); changed(); };
    return h("button", {
      type: "button", class: "net-sample", title, click,
      "aria-pressed": "false", "aria-label": `Picture ${k + 1}: ${title}`,
    }, small);
  });
  const stage = h("div", { class: "net-stage" });
  const explains = h("p", { class: "net-explains" });
  const controls = h("div", { class: "net-controls" });

  function choice(legend, key, options) {
    const inputs = options.map(([value, text]) => {
      const change = () => { state[key] = value; changed(); };
      const input = h("input", { type: "radio", name: `net-${key}`, change });
      return { input, value, label: h("label", {}, input, h("span", {}, text)) };
    });
    const set = h("fieldset", { class: "net-choice" }, h("legend", {}, legend), inputs.map(({ label }) => label));
    set.show = () => inputs.forEach(({ input, value }) => { input.checked = state[key] === value; });
    return set;
  }

  const slider = h("input", {
    id: "net-eps", type: "range", min: 0, max: 32, step: 1,
    input: () => { state.eps = Number(slider.value); changed(); },
  });
  const slid = h("output", { for: "net-eps" });
  const sets = {
    view: choice("Look inside", "view", VIEWS),
    steps: choice("Attack", "steps", [[1, "one step (FGSM)"], [10, "ten steps (PGD)"]]),
    map: choice("Map", "map", [["slopes", "slopes"], ["hiding", "hide and see"]]),
  };
  const epsilon = h("div", { class: "net-slider" },
    h("label", { for: "net-eps" }, "Change of a pixel, at most "), slid, slider);

  const own = h("input", { type: "file", accept: "image/*", id: "net-own", change: async () => {
    if (!own.files.length) return;
    try {
      const opened = await createImageBitmap(own.files[0]);
      restore({});
      photograph = opened;
      changed();
    } catch {
      says.textContent = heard.textContent = "This file is no picture that the browser can open.";
    }
  } });
  const inverted = h("input", { type: "checkbox", change: () => { invert = inverted.checked; changed(); } });
  const upload = config.images ? [
    h("label", { class: "net-own", for: "net-own" }, "Your own picture ", own),
    h("label", {}, inverted, " dark on white: invert"),
  ] : [];
  const choices = samples.length
    ? h("div", { class: "net-samples", role: "group", "aria-label": "Pictures from the test set" }, thumbnails) : [];
  const list = h("ol", { class: "net-bars", "aria-label": "How sure the network is of each class" },
    bars.map(({ row }) => row));

  const box = h("div", { class: "net" },
    h("div", { class: "net-input" },
      h("div", { class: "net-paper" }, canvas, hint, keyHint, label), keys),
    h("div", { class: "net-output" },
      h("div", { class: "net-answer" }, given, says), heard, list),
    h("div", { class: "net-tools" }, clear, h("label", {}, fill, " fill outlines")),
    choices,
    upload.length ? h("div", { class: "net-tools net-upload" }, upload) : [],
    h("div", { class: "net-inside" }, sets.view, controls, stage, explains),
    told);

  // --- pictures -----------------------------------------------------------------------------------
  // Paint numbers on a canvas of their size; colour(value) gives red, green, blue.
  function paint(target, values, colour) {
    const pen = target.getContext("2d"), image = pen.createImageData(target.width, target.height);
    const channels = values.length / (target.width * target.height);
    for (let i = 0; i < target.width * target.height; i++) {
      const at = i * channels, last = Math.min(channels, 3) - 1;
      const rgb = colour ? colour(values[at])
        : [0, 1, 2].map((c) => (255 * values[at + Math.min(c, last)]) / brightest);
      image.data.set([...rgb, 255], 4 * i);
    }
    pen.putImageData(image, 0, 0);
  }

  // --- what is looked at ----------------------------------------------------------------------------
  function current() {
    if (photograph) return pictureFrom(photograph, shape, brightest, invert);
    if (state.sample !== null) return pictures[state.sample];
    return state.strokes.length ? pictureOf(state.strokes, shape, brightest, state.fill) : null;
  }

  function paper(picture) {
    context.fillStyle = "#000";
    context.fillRect(0, 0, SIZE, SIZE);
    if (picture && !state.strokes.length) {
      const small = h("canvas", { width, height });
      paint(small, picture);
      context.imageSmoothingEnabled = false;
      context.drawImage(small, 0, 0, SIZE, SIZE);
    }
    context.save();
    context.scale(SIZE / GRID, SIZE / GRID);
    draw(context, state.strokes, PEN, "#fff");
    if (pen && pen.keyboard) {
      context.strokeStyle = pen.down ? "#ffaa3c" : "#5aaaff";
      context.lineWidth = 5;
      context.beginPath();
      context.arc(pen.x, pen.y, 16, 0, 7);
      context.stroke();
    }
    context.restore();
  }

  function answer(picture) {
    let maps = null;
    const shares = network.softmax(network.forward(picture, (layer, y) => {
      if (layer === first) maps = Float32Array.from(y);
    }));
    const winner = views.best(shares);
    bars.forEach(({ bar, share, row }, k) => {
      bar.style.width = 100 * shares[k] + "%";
      share.textContent = percent(shares[k]);
      row.classList.toggle("net-winner", k === winner);
    });
    const truth = state.sample === null ? "" : ` The label says ${classes[samples[state.sample].label]}.`;
    label.textContent = `${classes[winner]}, ${percent(shares[winner])}`;
    says.textContent = `It says ${label.textContent}.${truth}`;
    return { shares, winner, maps };
  }

  // --- after every change ---------------------------------------------------------------------------
  async function show() {
    const mine = ++turn, picture = current();
    paper(picture);
    box.classList.toggle("net-empty", !picture);
    thumbnails.forEach((button, k) => button.setAttribute("aria-pressed", String(k === state.sample)));
    Object.values(sets).forEach((set) => set.show());
    Object.assign(slider, { value: state.eps });
    slid.textContent = `${state.eps} of 255`;
    slider.setAttribute("aria-valuetext", slid.textContent);
    fill.checked = state.fill;
    fill.disabled = !state.strokes.length;
    const wanted = { first: [], attack: [sets.steps, epsilon], matters: [sets.map] }[state.view];
    const shown = [...controls.children]; // a control that stays must not lose the focus
    const same = wanted.length === shown.length && wanted.every((part, k) => part === shown[k]);
    if (!same) controls.replaceChildren(...wanted);
    if (!picture) {
      bars.forEach(({ bar, share, row }) => {
        bar.style.width = share.textContent = "";
        row.classList.remove("net-winner");
      });
      paint(given, new Float32Array(width * height));
      stage.replaceChildren();
      explains.textContent = "";
      says.textContent = "Draw, or choose a picture.";
      label.textContent = "";
      return;
    }
    paint(given, picture);
    try {
      await (loading = loading || load());
      if (mine !== turn) return;
      const answered = answer(picture);
      const [parts, text] = await views[state.view]({ network, run, first, rival, state, picture, ...answered });
      if (mine !== turn) return; // the reader has gone on meanwhile
      stage.replaceChildren(...parts);
      explains.textContent = text;
      element.dataset.answered = mine; // for tests
    } catch (error) {
      says.textContent = told.textContent = heard.textContent = `The network cannot run here: ${error.message}`;
    }
  }

  // Tell a screen reader, and put the state into the address, once the reader pauses.
  let later = 0;
  function changed() {
    show();
    clearTimeout(later);
    later = setTimeout(() => {
      const attack = state.view === "attack" ? `. ${explains.textContent.split(". ")[0]}` : "";
      heard.textContent = says.textContent + attack;
      const { sample, strokes, view, eps, steps, map } = state, parts = { view };
      if (sample !== null) parts.sample = sample + 1;
      if (strokes.length) Object.assign(parts, { drawing: toText(strokes), fill: Number(state.fill) });
      if (view === "attack") Object.assign(parts, { eps, steps });
      if (view === "matters") parts.map = map;
      history.replaceState(history.state, "", `#${NAME}?${new URLSearchParams(parts)}`);
    }, 500);
  }

  function restore({ sample = null, strokes = [] }) {
    Object.assign(state, { sample, strokes });
    photograph = null;
    own.value = "";
    if (pen) pen.lift();
  }

  // What an address names, where it is this figure's; what is not allowed is passed over.
  function fromAddress() {
    if (!location.hash.startsWith(`#${NAME}?`)) return;
    const named = new URLSearchParams(location.hash.slice(NAME.length + 2));
    const whole = (key, least, most) => {
      const text = named.get(key), value = Number(text);
      return text !== null && /^\d{1,3}$/.test(text) && value >= least && value <= most ? value : null;
    };
    const sample = whole("sample", 1, samples.length);
    restore(sample === null ? { strokes: fromText(named.get("drawing") || "") } : { sample: sample - 1 });
    const view = VIEWS.find(([key]) => key === named.get("view"));
    Object.assign(state, view && { view: view[0] }, whole("eps", 0, 32) !== null && { eps: whole("eps", 0, 32) });
    if (named.get("steps") === "1") state.steps = 1;
    if (named.get("map") === "hiding") state.map = "hiding";
    state.fill = named.get("fill") !== "0";
    show();
    element.scrollIntoView({ block: "nearest" });
  }

  // --- begin ------------------------------------------------------------------------------------------
  let waiting = false;
  function soon() { // a moving finger asks more often than a picture can be drawn
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      show();
    });
  }

  pen = window.ImageNetMoment.pen(canvas, GRID, {
    begin(stroke) {
      if (state.sample !== null || photograph) restore({});
      state.strokes.push(stroke);
    },
    clear: () => restore({}),
    moved: soon, // drawn, but still drawing
    paused: changed,
    placed: () => paper(current()), // only the mark of the pen has changed
    say: (text) => { heard.textContent = text; },
  });
  const still = element.querySelector(".figure-static");
  if (still) still.after(box);
  else element.append(box);
  element.classList.add("is-live");
  addEventListener("hashchange", fromAddress);
  show();
  fromAddress();
};

// In the book: every figure of this kind that the page has. What it needs is found beside this file.
(function () {
  "use strict";
  const here = document.currentScript && document.currentScript.src.replace(/[^/]*$/, "");
  const begin = () => {
    for (const element of document.querySelectorAll("figure.interactive-network:not(.is-live)")) {
      const config = JSON.parse(element.querySelector(".figure-data").textContent);
      const beside = (names) => names.map((name) => here + name);
      const rival = config.rival && { ...config.rival, scripts: beside(config.rival.scripts) };
      window.ImageNetMoment.figure(element, { ...config, rival, scripts: beside(config.scripts) });
    }
  };
  begin(); // those above the script, before what stands below them
  if (document.readyState === "loading") addEventListener("DOMContentLoaded", begin);
})();
