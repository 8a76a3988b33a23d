// The base rate: of all alarms, how many are right? In numbers of people, and as a hundred alarms.
(function () {
  "use strict";
  const CASES = {
    own: ["my own numbers"],
    trial: ["diabetic eyes, in the trial", 23.8, 87.2, 9.3],
    place: ["the same, where 5% are ill", 5, 87.2, 9.3],
    crowd: ["one face in 10,000", 0.01, 90, 0.1],
    rarer: ["the same, far fewer false alarms", 0.01, 90, 0.0003],
  };
  const RARE = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 23.8, 30, 40, 50];
  const FALSE = [0.0003, 0.001, 0.003, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 9.3, 15, 20, 30];
  const share = (value) => (value >= 1 ? `${value}%` : `${value}% (1 in ${BookFigures.number(100 / value)})`);

  // Of n people: right alarms, missed, false alarms, rightly quiet.
  function count(n, rare, found, wrong) {
    const ill = n * rare / 100, well = n - ill;
    return { hit: ill * found / 100, missed: ill * (1 - found / 100), alarm: well * wrong / 100, quiet: well * (1 - wrong / 100) };
  }
  const whole = (value) => BookFigures.number(value, value < 9.95 && value % 1 ? 1 : 0);

  // The crowd: gray dots for those who are rightly left alone, the others in their places.
  function crowd({ s }, svg, side, top, { hit, missed, alarm }) {
    const pitch = side / 100, groups = [["hit", hit], ["missed", missed], ["alarm", alarm]].map(([kind, people]) => [kind, Math.round(people)]);
    const few = groups.reduce((sum, [, people]) => sum + people, 0) <= 60, r = few ? 5.5 : pitch * 0.42;
    svg.append(
      s("pattern", { id: "crowd", width: pitch, height: pitch, patternUnits: "userSpaceOnUse" }, s("circle", { cx: pitch / 2, cy: pitch / 2, r: pitch * 0.3, class: "gray" })),
      s("g", { transform: `translate(0 ${top})` }, s("rect", { width: side, height: side, fill: "url(#crowd)" })),
    );
    // A generator of full period: no place comes twice.
    let place = 1234;
    for (const [kind, people] of groups) {
      const spots = [];
      for (let k = 0; k < people; k++) {
        place = (place * 4621 + 2113) % 10000;
        const [cx, cy] = [(place % 100 + 0.5) * pitch, top + (Math.floor(place / 100) + 0.5) * pitch];
        spots.push(`M${(cx - r).toFixed(1)} ${cy.toFixed(1)}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0`);
      }
      const ring = few ? 2.5 : 0.9;
      svg.append(s("path", { d: spots.join(""), class: { hit: "blue", missed: "line-blue", alarm: "line-orange" }[kind],
        style: kind === "hit" ? null : `stroke-width:${ring};fill:var(--fig-ground)` }));
    }
  }

  BookFigures.define("base-rate", {
    controls: [
      { key: "case", type: "select", label: "An example", value: "crowd", options: Object.entries(CASES).map(([k, [name]]) => [k, name]) },
      { key: "rare", type: "range", label: "Prevalence: have it", values: RARE, value: 0.01, format: share },
      { key: "found", type: "range", label: "Sensitivity: of these, found", min: 50, max: 100, step: 0.1, value: 90, format: (v) => `${v}%` },
      { key: "wrong", type: "range", label: "1 − specificity: false alarms", values: FALSE, value: 0.1, format: share },
    ],
    draw(state, figure) {
      const now = [state.rare, state.found, state.wrong];
      const before = figure.before;
      if (before && before !== state.case && CASES[state.case].length > 1) [state.rare, state.found, state.wrong] = CASES[state.case].slice(1);
      else if (CASES[state.case].slice(1).some((value, k) => value !== now[k])) state.case = "own";
      figure.before = state.case;

      const { s, number, percent, width } = figure;
      // So many people that at least ten have it and one false alarm is raised.
      const n = [1e4, 1e5, 1e6].find((people) => people * state.rare >= 1000 && people * state.wrong >= 100) || 1e6;
      const { hit, missed, alarm } = count(n, state.rare, state.found, state.wrong);
      const right = hit / (hit + alarm), blue = Math.round(100 * right);
      const wide = width >= 480, side = Math.min(300, wide ? width * 0.54 : width), top = 24;
      const dot = wide ? Math.min(19, (width - side - 26) / 10) : 13, x = wide ? side + 26 : 0;
      const y = wide ? top : top + side + 42, svg = figure.canvas(wide ? top + side + 4 : y + 10 * dot + 4);
      crowd(figure, svg, side, top, count(1e4, state.rare, state.found, state.wrong));
      svg.append(s("text", { x: 0, y: 14, class: "muted" }, "Ten thousand people"), s("text", { x, y: y - 10, class: "muted" }, "A hundred alarms"));
      for (let k = 0; k < 100; k++) {
        svg.append(s("circle", { cx: x + (k % 10 + 0.5) * dot, cy: y + (Math.floor(k / 10) + 0.5) * dot, r: dot * 0.34,
          class: k < blue ? "blue" : "line-orange", style: k < blue ? null : "stroke-width:1.8" }));
      }
      const lines = [["strong blue", `${blue} right`], ["strong orange", `${100 - blue} false`]];
      lines.forEach(([style, text], k) => svg.append(s("text", { class: style,
        x: wide ? x : 10 * dot + 18, y: y + (wide ? 10 * dot + 26 : 20) + 24 * k }, text)));
      return {
        title: right < 0.5 ? `Most alarms are false: ${percent(right, right < 0.1 ? 1 : 0)} of them are right` : `${percent(right, right > 0.99 ? 1 : 0)} of the alarms are right`,
        says: `Of ${number(n)} people ${whole(hit + missed)} have it. ${whole(hit)} of them raise an alarm, and so do ${whole(alarm)} of the others: ${whole(hit)} of ${whole(hit + alarm)} alarms are right.`,
      };
    },
  });
})();
