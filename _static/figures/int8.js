// Float to integer and back: where a value lands on the grid, and how far off it comes back.
(function () {
  "use strict";
  // To the nearest whole number, halves to the even one, as NumPy and the lab round.
  function round(value) {
    const low = Math.floor(value), part = value - low;
    return part < 0.5 || (part === 0.5 && low % 2 === 0) ? low : low + 1;
  }

  // The grid: scale, zero point, lowest and highest code.
  function grid({ bits, kind, max }) {
    const highest = 2 ** (bits - 1) - 1;
    if (kind === "symmetric") return { scale: max / highest, zero: 0, low: -highest, high: highest, from: -max };
    const low = -highest - 1;
    return { scale: max / (highest - low), zero: low, low, high: highest, from: 0 };
  }
  const code = (x, g) => Math.min(g.high, Math.max(g.low, round(x / g.scale) + g.zero));
  const back = (q, g) => g.scale * (q - g.zero);

  BookFigures.define("int8", {
    controls: [
      { key: "x", type: "range", label: "The value x", min: -1.5, max: 1.5, step: 0.01, value: 0.43, format: (v) => BookFigures.number(v, 2) },
      { key: "bits", type: "range", label: "Bits", min: 2, max: 8, value: 3, format: (b) => `${b} (${2 ** b} codes at most)` },
      { key: "max", type: "range", label: "Largest value of the grid", min: 0.25, max: 1.5, step: 0.05, value: 1, format: (v) => BookFigures.number(v, 2) },
      { key: "kind", type: "choice", label: "Grid", value: "symmetric", options: [["symmetric", "symmetric, for weights"], ["affine", "affine, after ReLU"]] },
    ],
    draw(state, figure) {
      const { s, number, width } = figure;
      const { x } = state, g = grid(state), q = code(x, g), value = back(q, g), error = value - x;
      const svg = figure.canvas(300);
      const edge = 12, room = width - 2 * edge;

      // A number line from a to b, with the grid's points, x (orange) and what comes back (blue).
      function line(y, a, b, title, every) {
        const at = (v) => edge + room * (v - a) / (b - a);
        svg.append(s("text", { x: 0, y: y - 52, class: "muted" }, title), s("path", { d: `M${edge} ${y}H${width - edge}`, class: "line" }));
        const ticks = [];
        for (let k = g.low; k <= g.high; k++) {
          const v = back(k, g);
          if (v < a - 1e-9 || v > b + 1e-9) continue;
          ticks.push(`M${at(v)} ${y - 6}v12`);
          if ((k - g.zero) % every === 0 || k === q) {
            const near = k !== q && Math.abs(at(v) - at(value)) < 30;
            if (!near) svg.append(s("text", { x: at(v), y: y + 24, class: `middle ${k === q ? "strong blue" : "muted"}` }, number(k)));
          }
        }
        svg.append(s("path", { d: ticks.join(""), class: "line-muted", style: ticks.length > 40 ? "stroke-width:.8" : null }));
        const [from, to] = [at(x), at(value)];
        svg.append(
          s("path", { d: `M${from} ${y - 26}L${to} ${y - 9}`, class: "line-muted" }),
          s("circle", { cx: from, cy: y - 30, r: 6, class: "orange" }),
          s("circle", { cx: to, cy: y, r: 6, class: "blue" }),
        );
        if (y < 100) svg.append(s("text", { x: Math.min(width - 70, Math.max(4, from + 11)), y: y - 26, class: "orange strong" }, `x = ${number(x, 2)}`));
      }
      const codes = g.high - g.low + 1;
      line(72, -1.5, 1.5, "The whole grid, with its codes", Math.ceil(codes / (width > 480 ? 16 : 8)));
      const middle = Math.min(back(g.high, g), Math.max(back(g.low, g), x));
      const reach = Math.max(3.2 * g.scale, Math.abs(x - middle) * 1.1);
      line(182, middle - reach, middle + reach, "Around x, magnified", Math.ceil(reach / g.scale / 4));

      const digits = g.scale < 0.05 ? 4 : 3, D = number(g.scale, digits);
      const zero = g.zero ? ` − ${number(-g.zero)}` : "";
      const steps = [`Δ = ${number(state.max, 2)}${g.from ? "" : " − 0"} over ${number((state.max - g.from) / g.scale - (g.from ? codes / 2 - 0.5 : 0))} steps = ${D}`,
        `q = round(${number(x, 2)} / ${D})${zero} = ${number(round(x / g.scale) + g.zero)}${q === round(x / g.scale) + g.zero ? "" : `, clipped to ${number(q)}`}`,
        `x̂ = ${D} · ${g.zero ? `(${number(q)} + ${number(-g.zero)})` : q < 0 ? `(${number(q)})` : number(q)} = ${number(value, digits)}`];
      steps.forEach((text, k) => svg.append(s("text", { x: 0, y: 244 + 24 * k, class: k === 2 ? "strong" : "" }, text)));
      const clipped = Math.abs(error) > g.scale / 2 * (1 + 1e-9);
      return {
        title: clipped ? `The value lies outside of the grid and is clipped: it comes back ${number(Math.abs(error), 3)} off`
          : `${codes} codes, ${D} apart: inside of the grid no value comes back more than ${number(g.scale / 2, digits)} off`,
        says: `${number(x, 2)} gets the code ${number(q)} and comes back as ${number(value, digits)}, ${number(Math.abs(error), digits)} ${error < 0 ? "too low" : "too high"}.`,
      };
    },
  });
})();
