// A convolution, step by step: where the window stands, and the sum that it makes there.
(function () {
  "use strict";
  const IMAGE = [[1, 1, 2, 8, 9], [1, 2, 3, 9, 9], [2, 2, 8, 9, 9], [1, 3, 9, 9, 8], [2, 8, 9, 9, 9]];
  const SIZE = IMAGE.length;
  const KERNELS = {
    right: ["right − left", [[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]]],
    below: ["below − above", [[-1, -1, -1], [0, 0, 0], [1, 1, 1]]],
    middle: ["middle − neighbors", [[0, -1, 0], [-1, 4, -1], [0, -1, 0]]],
    sum: ["sum of all nine", [[1, 1, 1], [1, 1, 1], [1, 1, 1]]],
  };

  // The output's size: how many places there are for the window.
  const places = (S, P, D) => Math.floor((SIZE + 2 * P - 2 * D - 1) / S) + 1;

  // The pixel at a place of the padded image; the rings around it are zeros.
  function pixel(row, column, P) {
    const line = IMAGE[row - P];
    return line && column >= P && column < P + SIZE ? line[column - P] : 0;
  }

  // Pixels and weights under the window whose output is (i, j).
  function terms(kernel, i, j, { S, P, D }) {
    return kernel.map((line, r) => line.map((w, t) => ({ x: pixel(i * S + r * D, j * S + t * D, P), w })));
  }
  const sum = (rows) => rows.flat().reduce((z, { x, w }) => z + x * w, 0);

  BookFigures.define("convolution", {
    controls: [
      { key: "step", type: "range", label: "Step", min: 0, max: 48, value: 4,
        format: (v, state) => `${v + 1} of ${places(state.S, state.P, state.D) ** 2}` },
      { key: "back", type: "button", label: "◂ Back", press: (state) => { state.step -= 1; } },
      { key: "next", type: "button", label: "Next ▸", press: (state) => { state.step += 1; } },
      { key: "kernel", type: "select", label: "Kernel", value: "right", options: Object.entries(KERNELS).map(([k, [name]]) => [k, name]) },
      { key: "S", type: "choice", label: "Stride", value: 1, options: [[1, "1"], [2, "2"], [3, "3"]] },
      { key: "P", type: "choice", label: "Padding", value: 0, options: [[0, "0"], [1, "1"], [2, "2"]] },
      { key: "D", type: "choice", label: "Dilation", value: 1, options: [[1, "1"], [2, "2"]] },
    ],
    start(figure) {
      figure.pointer((x, y) => {
        const grid = figure.out;
        const [row, column] = [Math.floor((y - grid.y) / grid.cell), Math.floor((x - grid.x) / grid.cell)];
        if (row < 0 || column < 0 || row >= grid.n || column >= grid.n) return;
        figure.set("step", row * grid.n + column);
      });
    },
    draw(state, figure) {
      const { s, number, width } = figure;
      const { S, P, D } = state;
      const n = places(S, P, D), padded = SIZE + 2 * P, kernel = KERNELS[state.kernel][1];
      state.step = Math.max(0, Math.min(state.step, n * n - 1));
      figure.control("step").limit(0, n * n - 1);
      figure.control("back").enable(state.step > 0);
      figure.control("next").enable(state.step < n * n - 1);
      const [i, j] = [Math.floor(state.step / n), state.step % n];

      const area = width >= 480 ? 252 : 176, top = 26, gap = 34;
      const cell = Math.min(44, area / padded, (width - gap) / (padded + n));
      const svg = figure.canvas(top + area + 118);
      const left = Math.max(0, (width - gap - (padded + n) * cell) / 2);
      const text = Math.min(14, cell * 0.62);
      const y = top + (area - padded * cell) / 2;
      figure.out = { x: left + padded * cell + gap, y: top + (area - n * cell) / 2, cell, n };

      // A square of the image or of the output, with its number.
      function square(x, y, value, style, ink) {
        svg.append(
          s("rect", { x, y, width: cell, height: cell, class: `rim ${style}` }),
          s("text", { x: x + cell / 2, y: y + cell / 2 + text * 0.36, class: `middle ${ink}`, style: `font-size:${text}px` }, number(value)),
        );
      }
      const read = new Set();
      for (let r = 0; r < 3; r++) for (let t = 0; t < 3; t++) read.add(`${i * S + r * D},${j * S + t * D}`);
      for (let r = 0; r < padded; r++) {
        for (let c = 0; c < padded; c++) {
          const ring = r < P || c < P || r >= P + SIZE || c >= P + SIZE;
          const on = read.has(`${r},${c}`);
          square(left + c * cell, y + r * cell, pixel(r, c, P), on ? "soft-orange" : ring ? "faint" : "ground", on ? "strong" : ring ? "muted" : "");
        }
      }
      const span = (2 * D + 1) * cell;
      svg.append(s("rect", { x: left + j * S * cell, y: y + i * S * cell, width: span, height: span, class: "line-orange" }));
      for (let r = 0; r < n; r++) {
        for (let c = 0; c < n; c++) {
          const here = r === i && c === j;
          square(figure.out.x + c * cell, figure.out.y + r * cell, sum(terms(kernel, r, c, state)), here ? "soft-blue" : "ground press", here ? "strong" : "");
        }
      }
      svg.append(
        s("rect", { x: figure.out.x + j * cell, y: figure.out.y + i * cell, width: cell, height: cell, class: "line-blue" }),
        s("text", { x: left + padded * cell / 2, y: y - 9, class: "middle muted" }, P ? "image, padded" : "image"),
        s("text", { x: figure.out.x + n * cell / 2, y: figure.out.y - 9, class: "middle muted" }, "output"),
      );

      // The kernel, and beside each of its rows that row's share of the sum.
      const now = terms(kernel, i, j, state), z = sum(now), small = 26, base = top + area + 34;
      const x = Math.max(0, (width - 3 * small - 230) / 2);
      svg.append(s("text", { x: x + 1.5 * small, y: base - 9, class: "middle muted" }, "kernel"));
      now.forEach((line, r) => {
        line.forEach(({ w }, t) => svg.append(
          s("rect", { x: x + t * small, y: base + r * small, width: small, height: small, class: "rim ground" }),
          s("text", { x: x + (t + 0.5) * small, y: base + r * small + 18, class: "middle" }, number(w))));
        const product = line.map(({ x: value, w }) => `${number(value)}·${w < 0 ? `(${number(w)})` : w}`).join(" + ");
        svg.append(s("text", { x: x + 3 * small + 12, y: base + r * small + 18 }, (r ? "+ " : "") + product,
          r === 2 ? s("tspan", { class: "strong blue" }, ` = ${number(z)}`) : null));
      });
      const unread = padded - ((n - 1) * S + 2 * D + 1);
      const rest = unread ? ` The last ${unread === 1 ? "row and column are" : `${unread} rows and columns are`} not read.` : "";
      const reach = 2 * D + 1;
      return {
        title: `A window of ${reach} pixels has ${n} ${n === 1 ? "place" : "places"} across ${padded}${S > 1 ? `, ${S} apart` : ""}: the output is ${n}×${n}`,
        says: `Row ${i + 1}, column ${j + 1} of the output is ${number(z)}.${rest}`,
      };
    },
  });
})();
