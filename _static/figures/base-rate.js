// The base rate: of all alarms, how many are right? In numbers of people, and as a hundred alarms.
(function () {
  "use strict";
  const CASES = {
    own: ["my own numbers"],
    trial: ["diabetic eyes, in the trial", 23.8, 87.2, 9.3],
    place: ["the same, where 5% are ill", 5, 87.2, 9.3],
    crowd: ["one face in 10,000", 0.01, 90, 0.1],
  };
  const RARE = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 23.8, 30, 40, 50];
  const FALSE = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 9.3, 15, 20, 30];
  const share = (value) => (value >= 1 ? `${value}%` : `${value}% (1 in ${BookFigures.number(100 / value)})`);

  // Of n people: right alarms, missed, false alarms, rightly quiet.
  function count(n, rare, found, wrong) {
    const ill = n * rare / 100, well = n - ill;
    return { hit: ill * found / 100, missed: ill * (1 - found / 100), alarm: well * wrong / 100, quiet: well * (1 - wrong / 100) };
  }
  const whole = (value) => BookFigures.number(value, value < 9.95 && value % 1 ? 1 : 0);

  BookFigures.define("base-rate", {
    controls: [
      { key: "case", type: "select", label: "An example", value: "crowd", options: Object.entries(CASES).map(([k, [name]]) => [k, name]) },
      { key: "rare", type: "range", label: "Have it (prevalence)", values: RARE, value: 0.01, format: share },
      { key: "found", type: "range", label: "Found, of those who have it (sensitivity)", min: 50, max: 100, step: 0.1, value: 90, format: (v) => `${v}%` },
      { key: "wrong", type: "range", label: "False alarms, of those who have not (1 − specificity)", values: FALSE, value: 0.1, format: share },
    ],
    draw(state, figure) {
      const now = [state.rare, state.found, state.wrong];
      const before = figure.before;
      if (before && before !== state.case && CASES[state.case].length > 1) [state.rare, state.found, state.wrong] = CASES[state.case].slice(1);
      else if (CASES[state.case].slice(1).some((value, k) => value !== now[k])) state.case = "own";
      figure.before = state.case;

      const { s, number, percent, width } = figure;
      const n = state.rare < 0.01 || state.wrong < 0.01 ? 1e6 : 1e4;
      const { hit, missed, alarm } = count(n, state.rare, state.found, state.wrong);
      const right = hit / (hit + alarm), blue = Math.round(100 * right);
      const dot = Math.min(22, (width > 480 ? 300 : width) / 10), top = 26, side = 10 * dot;
      const wide = width > 480, svg = figure.canvas(top + side + (wide ? 6 : 118));
      svg.append(s("text", { x: 0, y: 14, class: "muted" }, "Of a hundred alarms"));
      for (let k = 0; k < 100; k++) {
        const good = k < blue;
        svg.append(s("circle", { cx: (k % 10 + 0.5) * dot, cy: top + (Math.floor(k / 10) + 0.5) * dot, r: dot * 0.36,
          class: good ? "blue" : "line-orange", style: good ? null : "stroke-width:2" }));
      }
      const x = wide ? side + 34 : 0, y = wide ? top + 24 : top + side + 26;
      const lines = [["strong blue", `${blue} ${blue === 1 ? "is" : "are"} right`], ["strong orange", `${100 - blue} ${blue === 99 ? "is" : "are"} false`],
        ["muted", `Of ${number(n)} people`], ["", `${whole(hit)} found, ${whole(missed)} missed`], ["", `${whole(alarm)} false alarms`]];
      lines.forEach(([style, text], k) => svg.append(s("text", { x, y: y + 22 * k + (wide && k > 1 ? 18 : 0), class: style }, text)));
      return {
        title: right < 0.5 ? `Most alarms are false: ${percent(right, right < 0.1 ? 1 : 0)} of them are right` : `${percent(right, right > 0.99 ? 1 : 0)} of the alarms are right`,
        says: `Of ${number(n)} people ${whole(hit + missed)} have it. ${whole(hit)} of them raise an alarm, and so do ${whole(alarm)} of the others: ${whole(hit)} of ${whole(hit + alarm)} alarms are right.`,
      };
    },
  });
})();
