// A codebook: the values that k-means finds for a layer's real weights, and what the packed file weighs and gets right.
(function () {
  "use strict";
  const VALUES = [2, 4, 8, 16, 32, 64, 128, 256];

  BookFigures.define("codebook", {
    controls: [{ key: "M", type: "range", label: "Values in the codebook", values: VALUES, value: 8, format: (M) => `${M}, so ${Math.log2(M)} ${M > 2 ? "bits" : "bit"} a weight` }],
    draw({ M }, figure) {
      const { s, number, percent, width } = figure;
      const { low, high, counts } = figure.data.conv3, bins = counts.length;
      const V = counts.reduce((a, b) => a + b);
      const { values, off } = figure.data.books[M];
      const rows = new Map(figure.data.files.map(([values, bytes, right]) => [values, { bytes, right }]));
      const full = rows.get("float32"), now = rows.get(M);

      const top = 26, tall = 150, foot = top + tall, most = Math.max(...counts);
      const svg = figure.canvas(foot + 148);
      const at = (w) => width * (w - low) / (high - low);
      const shape = counts.map((n, k) => `L${at(low + (high - low) * k / bins)} ${foot - tall * n / most}H${at(low + (high - low) * (k + 1) / bins)}`).join("");
      svg.append(
        s("text", { x: 0, y: 14, class: "muted" }, `${number(V)} weights of conv3`),
        s("path", { d: `M0 ${foot}${shape}V${foot}Z`, class: "gray" }),
        s("path", { d: `M0 ${foot}H${width}`, class: "line" }),
        s("path", { d: values.map((v) => `M${at(v)} ${foot - 12}V${foot + 10}`).join(""), class: "line-blue", style: M > 64 ? "stroke-width:1" : null }),
        ...[low, 0, high].map((w, k) => s("text", { x: at(w), y: foot + 27, class: ["muted", "muted middle", "muted end"][k] }, number(w, w ? 2 : 0))),
      );
      const kilo = (bytes) => number(bytes / 1000);
      const bars = [["gray", "float32", full], ["blue", `${M} values`, now]];
      bars.forEach(([style, name, { bytes, right }], k) => {
        const y = foot + 48 + 48 * k, room = width * bytes / full.bytes;
        svg.append(s("rect", { x: 0, y: y + 20, width: room, height: 14, class: style }),
          s("text", { x: 0, y: y + 13, class: k ? "strong" : "" }, `${name}: ${kilo(bytes)} kB, ${percent(right, 1)} right`));
      });
      const lost = 100 * (full.right - now.right);
      const change = Math.abs(lost) < 0.05 ? "no fewer are right" : `${number(Math.abs(lost), 1)} points ${lost > 0 ? "fewer" : "more"} are right`;
      return {
        title: `${M} values a layer make the whole file ${number(full.bytes / now.bytes, 1)} times smaller; ${change}`,
        says: `Each weight of conv3 becomes one of ${M} values, and is ${off} off (root mean square). The whole network, packed, takes ${number(now.bytes)} bytes and names ${percent(now.right, 1)} of 1,000 validation images rightly, without retraining.`,
        alt: `A histogram of the weights of conv3, a bell around zero, with ${M} marks for the values of the codebook, and two bars for the files' sizes.`,
      };
    },
  });
})();
