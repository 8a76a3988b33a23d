// Paired runs: what one pair says of a part of AlexNet, what five say, and what others would have said.
(function () {
  "use strict";
  // The threshold of Student's distribution at 95%, for two pairs, three, and so on to twenty.
  const STUDENT = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131, 2.12, 2.11, 2.101, 2.093];

  // Mean and half-width of the interval, in points.
  function estimate(points) {
    const n = points.length, mean = points.reduce((a, b) => a + b) / n;
    const square = points.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (n - 1);
    return { mean, half: n > 1 ? STUDENT[n - 2] * Math.sqrt(square / n) : Infinity };
  }

  // The pairs in the order of their seeds at first, in another after every turn.
  function order(points, turn) {
    const list = points.slice();
    let place = turn;
    for (let k = list.length - 1; turn && k > 0; k--) {
      place = (place * 48271 + 11) % 2147483647;
      const other = place % (k + 1);
      [list[k], list[other]] = [list[other], list[k]];
    }
    return list;
  }

  BookFigures.define("pairs", {
    controls: ({ first, rows }) => [
      { key: "part", type: "select", label: "What is changed", value: first, options: Object.keys(rows).map((name) => [name, name]) },
      { key: "pairs", type: "range", label: "Pairs of runs", min: 1, max: Math.max(...Object.values(rows).map((all) => all.length)), value: 1 },
      { key: "again", type: "button", label: "Other runs", press: (state) => { state.turn = (state.turn + 1) % 100; } },
    ],
    state: { turn: { value: 0, min: 0, max: 99 } },
    draw(state, figure) {
      const { s, number, width } = figure, { part, turn } = state, all = figure.data.rows[part];
      const n = state.pairs = Math.min(state.pairs, all.length), taken = order(all, turn).slice(0, n);
      const now = estimate(taken), whole = estimate(all);
      const most = 1.12 * Math.max(0.6, ...all.map(Math.abs)), row = 17, top = 12;
      const x = (points) => Math.max(2, Math.min(width - 2, width / 2 * (1 + points / most)));
      const sign = (points) => (points > 0 ? "+" : "") + number(points, 2);
      const foot = top + row * all.length + 8, svg = figure.canvas(foot + 84);
      svg.append(
        s("path", { d: `M${x(0)} 0V${foot + 46}`, class: "line-muted" }),
        s("path", { d: `M0 ${foot + 46}H${width}`, class: "line" }),
        ...[-most / 1.12, 0, most / 1.12].map((points) => s("text", { x: x(points), y: foot + 64, class: "muted small middle" }, points ? sign(points) : "0")),
        s("text", { x: 0, y: foot + 82, class: "muted small" }, "← the change costs"),
        s("text", { x: width, y: foot + 82, class: "muted small end" }, "it gains [points] →"),
      );
      taken.forEach((points, k) => {
        const style = points > 0 ? "green" : "orange", y = top + row * (k + 0.5);
        svg.append(s("path", { d: `M${x(0)} ${y}H${x(points)}`, class: `line-${style}` }), s("circle", { cx: x(points), cy: y, r: 5, class: style }));
      });
      const told = n > 1 && Math.abs(now.mean) > now.half, y = foot + 22;
      if (n > 1) svg.append(s("path", { d: `M${x(now.mean - now.half)} ${y}H${x(now.mean + now.half)}`, class: "line-blue", style: "stroke-width:6;stroke-linecap:round" }));
      svg.append(s("circle", { cx: x(now.mean), cy: y, r: 7, class: "blue" }),
        s("circle", { cx: x(now.mean), cy: y, r: 3, class: "ground" }));
      const span = `${sign(now.mean - now.half)} to ${sign(now.mean + now.half)}`;
      const other = all.filter((points) => points * whole.mean < 0).length;
      return {
        title: n < 2 ? `One pair says that “${part}” ${now.mean > 0 ? "gains" : "costs"} ${number(Math.abs(now.mean), 2)} points`
          : told ? `${n} pairs: “${part}” ${now.mean > 0 ? "gains" : "costs"}, by ${span} points` : `${n} pairs cannot tell: ${span} points`,
        says: `${n < 2 ? "One difference has no interval." : `Mean ${sign(now.mean)} points, 95% interval ${span}.`} All ${all.length} pairs: mean ${sign(whole.mean)}, and ${other || "none"} of them on the other side of zero.`,
        alt: `${n} of ${all.length} paired differences as bars from zero, in points of accuracy: ${taken.map(sign).join(", ")}.${n > 1 ? ` Below them their mean with its interval, ${span}.` : ""}`,
      };
    },
  });
})();
