// Top-1 and top-5 error on eight photographs: the reader says which of the guesses are right.
(function () {
  "use strict";
  const MASK = { value: 0, min: 0, max: 31 };

  BookFigures.define("top-five", {
    state: Object.fromEntries(Array.from({ length: 8 }, (_, k) => ["a" + k, MASK])),
    controls: [
      { key: "photo", type: "range", label: "Photograph", min: 0, max: 7, value: 0, format: (k) => `${k + 1} of 8` },
      { key: "back", type: "button", label: "◂ Back", press: (state) => { state.photo -= 1; } },
      { key: "next", type: "button", label: "Next ▸", press: (state) => { state.photo += 1; } },
    ],
    start(figure) {
      const { h } = figure;
      figure.names = Object.keys(figure.data);
      figure.boxes = Array.from({ length: 5 }, (_, k) => {
        const input = h("input", { type: "checkbox" });
        const name = h("span", {}), share = h("span", { class: "figure-share" }), bar = h("span", { class: "figure-bar" });
        input.addEventListener("change", () => figure.set("a" + figure.state.photo, figure.state["a" + figure.state.photo] ^ (1 << k)));
        return { input, name, share, bar, label: h("label", { class: "figure-guess" }, input, name, share, bar) };
      });
      figure.sum = h("p", { class: "figure-sum" });
      figure.picture = h("div", { class: "figure-photo", role: "img" });
      figure.stage.append(h("div", { class: "figure-top-five" }, figure.picture,
        h("fieldset", { class: "figure-guesses" }, h("legend", {}, "I would accept"), figure.boxes.map((box) => box.label))), figure.sum);
    },
    draw(state, figure) {
      const { names, number } = figure, name = names[state.photo], guesses = figure.data[name];
      figure.picture.style.backgroundImage = `url("${BookFigures.base}photographs.webp")`;
      figure.picture.style.backgroundPosition = `${state.photo % 4 / 3 * 100}% ${Math.floor(state.photo / 4) * 100}%`;
      figure.picture.setAttribute("aria-label", `Photograph ${state.photo + 1}: ${name}`);
      guesses.forEach(([guess, probability], k) => {
        const box = figure.boxes[k];
        box.input.checked = Boolean(state["a" + state.photo] & (1 << k));
        box.name.textContent = guess;
        box.share.textContent = `${number(100 * probability, 1)}%`;
        box.bar.style.width = `${100 * probability}%`;
      });
      figure.control("back").enable(state.photo > 0);
      figure.control("next").enable(state.photo < 7);
      const masks = names.map((_, k) => state["a" + k]);
      const top1 = masks.filter((mask) => !(mask & 1)).length, top5 = masks.filter((mask) => !mask).length;
      const mark = (mask) => (mask & 1 ? "●" : mask ? "◐" : "○");
      figure.sum.textContent = masks.map(mark).join(" ") + "  (● first guess right, ◐ a later one, ○ none)";
      return {
        title: `By your judgment so far: top-1 error ${top1} of 8, top-5 error ${top5} of 8`,
        says: `Photograph ${state.photo + 1}, ${name}: the network says ${guesses.map(([guess]) => guess).join(", ")}.`,
      };
    },
  });
})();
