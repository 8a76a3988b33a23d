// The frame that all interactive figures of the book share: controls with labels, the state in the
// address, what a screen reader is told, and a few lines to draw with. A figure is one call:
//
//   BookFigures.define("softmax", {
//     controls: [{ key: "t", type: "range", label: "Temperature", min: 0.25, max: 8, step: 0.25, value: 1 }],
//     draw(state, figure) {                   // after every change, and when the width changes
//       const svg = figure.canvas(220);       // an empty drawing of that height, one unit a pixel
//       svg.append(figure.s("text", { x: 10, y: 30 }, "p = " + state.t));
//       return { title: "the finding", says: "what it shows now, in words" };
//     },
//   });
//
// Controls: "range" (min, max, step, or a list of values), "choice" (buttons of which one is in),
// "select", "check" and "button" (press(state, figure)). `format` makes the text beside a range.
// `state` adds whole numbers that no control sets: { cell: { value: 0, min: 0, max: 8 } }.
// The address of a state is #NAME?key=value&key=value; values that are not allowed are ignored.
// `controls` may be a function of the data. Optional: start(figure), once. figure.data is what the page brings (JSON);
// figure.before is draw's own, and empty after a state came from the address.
(function () {
  "use strict";
  const NAMESPACE = "http://www.w3.org/2000/svg";
  const live = [];
  const base = document.currentScript.src.replace(/[^/]*$/, ""); // where pictures lie

  // An element with attributes and children; texts are children too. `h` makes HTML, `s` SVG.
  function fill(element, attributes, children) {
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
    }
    element.append(...children.flat().filter((child) => child !== null && child !== undefined));
    return element;
  }
  const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
  const s = (tag, attributes, ...children) => fill(document.createElementNS(NAMESPACE, tag), attributes, children);

  // Numbers as the book prints them: a real minus, thousands in threes.
  const number = (value, digits = 0) => (Object.is(Number(value.toFixed(digits)), -0) ? 0 : value)
    .toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits }).replace("-", "−");
  const percent = (share, digits = 0) => number(100 * share, digits) + "%";
  const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

  // --- one control: its element, and how a text from the address becomes its value --------------
  const kinds = {
    range(control, figure) {
      const { values } = control;
      const [min, max, step] = values ? [0, values.length - 1, 1] : [control.min, control.max, control.step || 1];
      const id = figure.unique(control.key);
      const input = h("input", { type: "range", id, min, max, step });
      const shown = h("output", { for: id });
      input.addEventListener("input", () => figure.set(control.key, values ? values[input.value] : Number(input.value)));
      control.show = (value) => {
        input.value = values ? values.indexOf(value) : value;
        shown.textContent = (control.format || String)(value, figure.state);
        input.setAttribute("aria-valuetext", shown.textContent);
      };
      control.read = (text) => {
        const value = Number(text);
        if (text === "" || Number.isNaN(value)) return undefined;
        if (values) return values.includes(value) ? value : undefined;
        const steps = Math.round((Math.min(max, Math.max(min, value)) - min) / step);
        return Number((min + steps * step).toFixed(6));
      };
      control.limit = (low, high) => { input.min = low; input.max = high; };
      return h("div", { class: "wide" }, h("div", { class: "figure-row" }, h("label", { for: id }, control.label), shown), input);
    },
    choice(control, figure) {
      const name = figure.unique(control.key);
      const inputs = control.options.map(([value]) => h("input", { type: "radio", name, value }));
      inputs.forEach((input, k) => input.addEventListener("change", () => figure.set(control.key, control.options[k][0])));
      control.show = (value) => inputs.forEach((input, k) => { input.checked = control.options[k][0] === value; });
      control.read = (text) => (control.options.find(([value]) => String(value) === text) || [])[0];
      return h("fieldset", {}, h("legend", {}, control.label),
        h("div", { class: "choices" }, inputs.map((input, k) => h("label", {}, input, control.options[k][1]))));
    },
    select(control, figure) {
      const id = figure.unique(control.key);
      const input = h("select", { id }, control.options.map(([value, label]) => h("option", { value }, label)));
      input.addEventListener("change", () => figure.set(control.key, control.read(input.value)));
      control.show = (value) => { input.value = value; };
      control.read = (text) => (control.options.find(([value]) => String(value) === text) || [])[0];
      return h("div", {}, h("label", { for: id }, control.label), h("div", {}, input));
    },
    check(control, figure) {
      const input = h("input", { type: "checkbox" });
      input.addEventListener("change", () => figure.set(control.key, Number(input.checked)));
      control.show = (value) => { input.checked = Boolean(value); };
      control.read = (text) => ({ 0: 0, 1: 1 })[text];
      return h("label", { class: "check" }, input, control.label);
    },
    button(control, figure) {
      const button = h("button", { type: "button" }, control.label);
      button.addEventListener("click", () => { control.press(figure.state, figure); figure.changed(); });
      control.enable = (on) => { button.disabled = !on; };
      return button;
    },
  };

  // --- one figure ------------------------------------------------------------------------------
  class Figure {
    constructor(element, name, spec) {
      const twins = live.filter((other) => other.spec === spec).length;
      Object.assign(this, { element, spec, name: twins ? `${name}-${twins + 1}` : name, width: 0, h, s, number, percent, still });
      const data = element.querySelector(".figure-data");
      this.data = data ? JSON.parse(data.textContent) : null;
      const controls = typeof spec.controls === "function" ? spec.controls(this.data) : spec.controls;
      this.controls = controls.map((control) => ({ ...control }));
      const own = Object.entries(spec.state || {}).map(([key, limits]) => ({
        key, value: limits.value, show() {},
        read: (text) => (/^-?\d+$/.test(text) ? Math.min(limits.max, Math.max(limits.min, Number(text))) : undefined),
      }));
      this.state = {};
      this.title = h("p", { class: "figure-title" });
      this.stage = h("div", { class: "figure-stage" });
      this.says = h("p", { class: "figure-says" });
      this.heard = h("p", { class: "figure-heard", role: "status" });
      this.form = h("div", { class: "figure-controls", role: "group", "aria-label": "Controls" });
      for (const control of this.controls) this.form.append(kinds[control.type](control, this));
      this.keyed = [...this.controls.filter((control) => control.type !== "button"), ...own];
      const reset = h("button", { type: "button", class: "figure-reset" }, "Reset");
      reset.addEventListener("click", () => { this.restore(""); this.changed(); });
      this.form.append(reset);
      this.box = h("div", { class: "figure-live" }, this.title, this.stage, this.form, this.says, this.heard);
      element.querySelector(".figure-static").after(this.box);
      element.classList.add("is-live");
      if (spec.start) spec.start(this);
      this.restore(location.hash);
      new ResizeObserver(() => { if (this.stage.clientWidth !== this.width) this.draw(); }).observe(this.stage);
    }

    unique(key) { return `figure-${this.name}-${key}`; }

    control(key) { return this.controls.find((control) => control.key === key); }

    // The state that the address names, where it names this figure; the first state otherwise.
    restore(hash) {
      const mine = hash.startsWith(`#${this.name}?`);
      const given = new URLSearchParams(mine ? hash.slice(this.name.length + 2) : "");
      for (const { key, value, read } of this.keyed) {
        const wanted = given.has(key) ? read(given.get(key)) : undefined;
        this.state[key] = wanted === undefined ? value : wanted;
      }
      this.before = null;
      this.draw();
      if (mine) this.element.scrollIntoView({ block: "nearest" });
    }

    set(key, value) { this.state[key] = value; this.changed(); }

    // After a change by the reader: draw, tell, and put the state into the address.
    changed() {
      this.draw();
      clearTimeout(this.later);
      this.later = setTimeout(() => {
        this.heard.textContent = this.says.textContent;
        const state = this.keyed.map(({ key }) => [key, this.state[key]]);
        history.replaceState(history.state, "", `#${this.name}?${new URLSearchParams(state)}`);
      }, 300);
    }

    draw() {
      this.width = this.stage.clientWidth;
      if (!this.width) return; // not shown, as in a closed tab: drawn when it is
      const { title, says, alt } = this.spec.draw(this.state, this) || {};
      this.title.textContent = title || "";
      this.says.textContent = says || "";
      if (this.svg) this.svg.setAttribute("aria-label", alt || `${title}. ${says}`);
      for (const control of this.keyed) control.show(this.state[control.key]);
    }

    // An empty drawing as wide as the figure. What was drawn before is gone.
    canvas(height) {
      this.svg = this.svg || this.stage.appendChild(s("svg", { role: "img" }));
      fill(this.svg, { viewBox: `0 0 ${this.width} ${height}`, height }, []).replaceChildren();
      return this.svg;
    }

    // Finger, mouse and pen on the drawing: a shortcut for what the controls do.
    pointer(move) {
      const tell = (event) => {
        const box = this.svg.getBoundingClientRect();
        move(event.clientX - box.left, event.clientY - box.top);
      };
      this.stage.addEventListener("pointerdown", (event) => { this.held = true; tell(event); });
      this.stage.addEventListener("pointermove", (event) => { if (this.held && event.buttons) tell(event); });
      for (const end of ["pointerup", "pointercancel", "pointerleave"]) {
        this.stage.addEventListener(end, () => { this.held = false; });
      }
    }
  }

  window.BookFigures = {
    h, s, number, percent, still, base, all: live,
    define(name, spec) {
      // Those that stand above the script at once, before what is below them; others when they are there.
      const begin = () => {
        for (const element of document.querySelectorAll(`figure.interactive-${name}:not(.is-live)`)) live.push(new Figure(element, name, spec));
      };
      begin();
      if (document.readyState === "loading") addEventListener("DOMContentLoaded", begin);
    },
  };
  addEventListener("hashchange", () => {
    for (const figure of live) if (location.hash.startsWith(`#${figure.name}?`)) figure.restore(location.hash);
  });
  // What is drawn pixel by pixel must be drawn again when the page turns dark.
  new MutationObserver(() => live.forEach((figure) => figure.draw()))
    .observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
})();
