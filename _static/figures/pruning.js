// Pruning: weights vanish, the file shrinks, and the accuracy holds, falls, and comes back.
(function () {
  "use strict";
  const mean = (list) => list.reduce((a, b) => a + b) / list.length;

  BookFigures.define("pruning", {
    controls: [
      { key: "cut", type: "range", label: "Weights deleted in fc6 and fc7", min: 0, max: 7, value: 7, format: (k) => k },
    ],
    start(figure) {
      figure.rows = figure.data.rows.map(([sparsity, bytes, deleted, retrained]) => ({ sparsity, bytes, deleted, retrained: mean(retrained) }));
      figure.control("cut").format = (k) => figure.percent(figure.rows[k].sparsity, figure.rows[k].sparsity > 0.99 ? 1 : 0);
      figure.pointer((x) => {
        const far = figure.places.map((place) => Math.abs(place - x));
        figure.set("cut", far.indexOf(Math.min(...far)));
      });
    },
    draw({ cut }, figure) {
      const { s, number, percent, width, rows } = figure;
      const now = rows[cut], block = figure.data.fc7, wide = width >= 480;
      const net = wide ? Math.min(230, width * 0.38) : width, high = wide ? 300 : 170;
      const svg = figure.canvas(wide ? 300 : 170 + 260);

      // Real weights between some of fc7's units: those that are among the smallest are gone.
      const lines = { blue: [], gone: [] };
      block.forEach((line, i) => line.forEach((rank, j) => {
        const path = wide ? `M14 ${20 + i * 15.5}L${net - 14} ${20 + j * 15.5}` : `M${14 + i * (net - 28) / 17} 34L${14 + j * (net - 28) / 17} ${high - 12}`;
        lines[rank < now.sparsity ? "gone" : "blue"].push(path);
      }));
      svg.append(
        s("path", { d: lines.gone.join(""), class: "line", style: "stroke-width:.6;opacity:.35" }),
        s("path", { d: lines.blue.join(""), class: "line-blue", style: "stroke-width:1.2" }),
        ...block.flatMap((_, i) => [0, 1].map((end) => s("circle", { r: 4, class: "muted",
          cx: wide ? (end ? net - 14 : 14) : 14 + i * (net - 28) / 17, cy: wide ? 20 + i * 15.5 : end ? high - 12 : 34 }))),
        ...(wide ? [] : [s("text", { x: 0, y: 14, class: "muted" }, `${lines.blue.length} of ${block.length ** 2} weights drawn are left`)]),
      );

      // Accuracy against the file's size, small files to the right.
      const box = wide ? { x: net + 66, y: 26, w: width - net - 86, h: 220 } : { x: 42, y: high + 30, w: width - 62, h: 180 };
      const [most, least] = [rows[0].bytes, rows[rows.length - 1].bytes];
      const at = (bytes) => box.x + box.w * Math.log(most / bytes) / Math.log(most / least);
      const up = (right) => box.y + box.h * (1 - right);
      figure.places = rows.map((row) => at(row.bytes));
      const curve = (key) => "M" + rows.map((row) => `${at(row.bytes)} ${up(row[key])}`).join("L");
      svg.append(
        ...[0, 0.5, 1].map((right) => s("g", {}, s("path", { d: `M${box.x} ${up(right)}h${box.w}`, class: "line", style: "stroke-width:.7" }),
          s("text", { x: box.x - 6, y: up(right) + 5, class: "muted end small" }, percent(right)))),
        ...[rows[0], rows[rows.length - 1]].map((row, k) => s("text", { x: at(row.bytes), y: box.y + box.h + 19, class: `muted small ${k ? "end" : "middle"}` }, `${number(row.bytes / 1000)} kB`)),
        s("text", { x: box.x, y: box.y - 10, class: "muted small" }, "validation images right"),
        s("text", { x: box.x + box.w, y: box.y + box.h + 36, class: "muted end small" }, "size of the file →"),
        s("path", { d: `M${at(now.bytes)} ${box.y}v${box.h}`, class: "line-muted dashed" }),
        s("path", { d: curve("deleted"), class: "line-orange" }),
        s("path", { d: curve("retrained"), class: "line-blue" }),
        s("text", { x: at(rows[7].bytes) - 8, y: up(rows[7].deleted) + 4, class: "orange end halo" }, "deleted"),
        s("text", { x: at(rows[4].bytes), y: up(1) + 10 + box.h * 0.24, class: "blue end halo" }, "and retrained"),
        s("circle", { cx: at(now.bytes), cy: up(now.deleted), r: 6, class: "orange" }),
        s("circle", { cx: at(now.bytes), cy: up(now.retrained), r: 6, class: "blue" }),
      );
      const share = percent(now.sparsity, now.sparsity > 0.99 ? 1 : 0);
      return {
        title: cut ? `${share} deleted: ${percent(now.deleted)} are still right, and ${percent(now.retrained)} after two epochs of retraining`
          : `Nothing deleted: ${percent(now.deleted)} of the validation images are named rightly`,
        says: `${share} of the weights of fc6 and fc7 are gone; the packed file takes ${number(now.bytes / 1000)} kB, ${number(most / now.bytes, 1)} times less. Right: ${percent(now.deleted, 1)}, retrained ${percent(now.retrained, 1)}.`,
        alt: `A drawn part of fc7 with ${lines.blue.length} of ${block.length ** 2} weights left, and two curves over the file's size: accuracy after deleting falls, accuracy after retraining stays high.`,
      };
    },
  });
})();
