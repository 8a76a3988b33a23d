// Softmax and temperature: five scores, and the probabilities that they become.
(function () {
  "use strict";
  const NAMES = ["shirt", "pullover", "T-shirt", "coat", "sneaker"];
  const SCORES = [12, 8, 7, 6, -3];
  const key = (k) => "z" + k;

  // Subtracting the largest score changes nothing, and no exponential gets too large.
  function softmax(z, t) {
    const largest = Math.max(...z);
    const powers = z.map((value) => Math.exp((value - largest) / t));
    const sum = powers.reduce((a, b) => a + b);
    return powers.map((power) => power / sum);
  }

  BookFigures.define("softmax", {
    state: { z0: { value: 12, min: -5, max: 15 }, z1: { value: 8, min: -5, max: 15 }, z2: { value: 7, min: -5, max: 15 },
      z3: { value: 6, min: -5, max: 15 }, z4: { value: -3, min: -5, max: 15 } },
    controls: [
      { key: "T", type: "range", label: "Temperature T", value: 4, values: [0.25, 0.5, 1, 1.5, 2, 3, 4, 6, 8, 12, 20, 50] },
      { key: "class", type: "select", label: "Change the score of", value: 0, options: NAMES.map((name, k) => [k, name]) },
      { key: "score", type: "range", label: "Its score", value: 12, min: -5, max: 15, format: (v) => BookFigures.number(v) },
    ],
    draw(state, figure) {
      // The score's slider belongs to the chosen class: whoever moves it moves that class's score.
      if (figure.before && figure.before.class === state.class && figure.before.score !== state.score) {
        state[key(state.class)] = state.score;
      }
      state.score = state[key(state.class)];
      figure.before = { ...state };
      const { s, number, percent, width } = figure;
      const z = NAMES.map((name, k) => state[key(k)]);
      const p = softmax(z, state.T);
      const top = 34, row = 34, left = 74, zero = left + 52, room = width - zero - 60;
      const svg = figure.canvas(top + 5 * row + 6);
      svg.append(
        s("text", { x: left + 40, y: 18, class: "muted end" }, "score"),
        s("text", { x: zero, y: 18, class: "muted" }, "probability"),
        s("path", { d: `M${zero} ${top - 6}V${top + 5 * row}`, class: "line" }),
      );
      const best = p.indexOf(Math.max(...p));
      NAMES.forEach((name, k) => {
        const y = top + k * row;
        const mark = k === state.class ? "strong" : "";
        svg.append(
          s("text", { x: left - 8, y: y + 18, class: `end ${mark}` }, name),
          s("text", { x: left + 40, y: y + 18, class: `end ${mark}` }, number(z[k])),
          s("rect", { x: zero, y, width: Math.max(0.75, room * p[k]), height: row - 10, class: k === best ? "blue" : "gray" }),
          s("text", { x: zero + room * p[k] + 6, y: y + 18, class: k === best ? "strong" : "" }, percent(p[k], 1)),
        );
      });
      const order = [...p.keys()].sort((a, b) => z[b] - z[a]);
      const [first, second] = order;
      const lead = z[first] - z[second];
      const factor = Math.exp(lead / state.T);
      const times = factor >= 1e6 ? "more than a million times" : factor >= 100 ? `${number(factor)} times` : `${number(factor, 1)} times`;
      return {
        title: lead ? `At T = ${state.T} a lead of ${number(lead)} ${lead === 1 ? "point makes" : "points makes"} the ${NAMES[first]} ${times} as likely as the ${NAMES[second]}`
          : `Equal scores get equal probabilities, at every temperature`,
        says: `T = ${state.T}: ${order.map((k) => `${NAMES[k]} ${percent(p[k], 1)}`).join(", ")}.`,
      };
    },
  });
})();
