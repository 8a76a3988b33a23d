// How far one number of AlexNet sees: its field on a photograph, and how many paths lead to it.
(function () {
  "use strict";
  const PIXELS = 227;
  // Kernel R, stride S, padding P of the layers, as in the chapter's table.
  const LAYERS = [["conv1", 11, 4, 0], ["pool1", 3, 2, 0], ["conv2", 5, 1, 2], ["pool2", 3, 2, 0],
    ["conv3", 3, 1, 1], ["conv4", 3, 1, 1], ["conv5", 3, 1, 1], ["pool5", 3, 2, 0]];

  // Field, jump and number of units of each layer: the chapter's recursion.
  function table() {
    let field = 1, jump = 1, units = PIXELS;
    return LAYERS.map(([name, R, S, P]) => {
      field += (R - 1) * jump;
      jump *= S;
      units = Math.floor((units + 2 * P - R) / S) + 1;
      return { name, field, jump, units };
    });
  }

  // One sent back from unit `place` of layer `last`: how many paths it finds to each pixel of a row.
  function paths(last, place) {
    let above = new Map([[place, 1]]);
    for (let l = last; l >= 0; l--) {
      const [, R, S, P] = LAYERS[l];
      const units = l ? table()[l - 1].units : PIXELS;
      const below = new Map();
      for (const [unit, count] of above) {
        for (let r = 0; r < R; r++) {
          const at = unit * S - P + r;
          if (at >= 0 && at < units) below.set(at, (below.get(at) || 0) + count);
        }
      }
      above = below;
    }
    return Array.from({ length: PIXELS }, (_, at) => above.get(at) || 0);
  }
  const ends = (row) => [row.findIndex((n) => n > 0), PIXELS - [...row].reverse().findIndex((n) => n > 0)];
  const rows = table();
  const where = (name) => (unit, state) => `${name} ${unit + 1} of ${rows[state.layer].units}`;

  BookFigures.define("receptive-field", {
    controls: [
      { key: "layer", type: "range", label: "Layer", min: 0, max: 7, value: 4, format: (l) => LAYERS[l][0] },
      { key: "x", type: "range", label: "Unit, across", min: 0, max: 54, value: 6, format: where("column") },
      { key: "y", type: "range", label: "Unit, down", min: 0, max: 54, value: 6, format: where("row") },
    ],
    start(figure) {
      figure.pointer((x, y) => {
        if (y > figure.side) return;
        const last = rows[figure.state.layer].units - 1;
        const unit = (at) => Math.round(last * Math.min(1, Math.max(0, at / figure.side)));
        figure.state.x = unit(x - figure.left);
        figure.set("y", unit(y));
      });
    },
    draw(state, figure) {
      const { s, percent, width } = figure;
      // Another layer has another number of units: stay about where we were.
      const last = rows[state.layer].units - 1, before = figure.before;
      for (const key of ["x", "y"]) {
        if (before && before.layer !== state.layer) state[key] = Math.round(state[key] / (rows[before.layer].units - 1) * last);
        state[key] = Math.min(state[key], last);
        figure.control(key).limit(0, last);
      }
      figure.before = { ...state };
      const wide = width >= 480;
      const side = Math.min(wide ? Math.min(330, width * 0.54) : 280, width), left = wide ? 0 : (width - side) / 2;
      const scale = side / PIXELS, profile = 52;
      Object.assign(figure, { side, left });
      const listTop = wide ? 6 : side + profile + 38, line = 26;
      const svg = figure.canvas(wide ? side + profile + 24 : listTop + 8 * line);
      const { name, field, units } = rows[state.layer];
      const across = paths(state.layer, state.x), down = paths(state.layer, state.y);
      const [[x0, x1], [y0, y1]] = [ends(across), ends(down)];

      // The photograph, dimmed where the unit does not see it.
      const at = (value) => value * scale;
      const hole = `M0 0H${side}V${side}H0ZM${at(x0)} ${at(y0)}V${at(y1)}H${at(x1)}V${at(y0)}Z`;
      svg.append(s("g", { transform: `translate(${left} 0)` },
        s("image", { href: BookFigures.base + "cat.webp", width: side, height: side, preserveAspectRatio: "none" }),
        s("path", { d: hole, fill: "#000", "fill-opacity": 0.72 }),
        s("rect", { x: at(x0), y: at(y0), width: at(x1 - x0), height: at(y1 - y0), fill: "none", stroke: "#ffb000", "stroke-width": 2.5 }),
      ));

      // Below it: the number of paths from each column of pixels.
      const most = Math.max(...across), foot = side + profile + 4;
      const curve = across.map((n, i) => `L${left + at(i)} ${foot - profile * 0.86 * n / most}H${left + at(i + 1)}`).join("");
      svg.append(
        s("path", { d: `M${left} ${foot}${curve}L${left + side} ${foot}Z`, class: "orange" }),
        s("path", { d: `M${left} ${foot}H${left + side}`, class: "line" }),
        s("text", { x: left, y: foot + 17, class: "muted small" }, "paths to the unit, by column of pixels"),
      );

      // The layers, each with the width of its field.
      const listLeft = wide ? side + 30 : left, name0 = listLeft + 46, room = (wide ? width : left + side) - name0 - 40;
      rows.forEach((row, l) => {
        const y = listTop + l * line, here = l === state.layer;
        svg.append(
          s("text", { x: listLeft, y: y + 15, class: here ? "strong" : "muted" }, row.name),
          s("rect", { x: name0 + 4, y: y + 3, width: room * row.field / PIXELS, height: 15, class: here ? "orange" : "gray" }),
          s("text", { x: name0 + 10 + room * row.field / PIXELS, y: y + 15, class: here ? "strong" : "muted" }, String(row.field)),
        );
      });
      const inner = (row, [from, to]) => {
        const third = (to - from) / 3, all = row.reduce((a, b) => a + b);
        return row.reduce((sum, n, i) => sum + n * Math.max(0, Math.min(i + 1, to - third) - Math.max(i, from + third)), 0) / all;
      };
      const middle = inner(across, [x0, x1]) * inner(down, [y0, y1]);
      const cut = x1 - x0 < field || y1 - y0 < field ? " The rest of its field lies outside of the picture." : "";
      return {
        title: `One number of ${name} sees ${field} pixels across, of ${PIXELS}`,
        says: `${name} has ${units}×${units} units a map. This one sees ${x1 - x0}×${y1 - y0} pixels.${cut} The middle ninth of what it sees has ${percent(middle)} of all paths to it.`,
        alt: `A photograph of a cat, dark but for a square of ${x1 - x0} by ${y1 - y0} pixels, and bars for the fields of AlexNet's layers: ${rows.map((r) => `${r.name} ${r.field}`).join(", ")}.`,
      };
    },
  });
})();
