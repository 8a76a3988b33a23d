// What one sees inside of the network: the maps of its first layer, an attack, and two maps of what
// matters. Each view resolves to what to show and a sentence on it.
window.ImageNetMoment = window.ImageNetMoment || {};

window.ImageNetMoment.views = function (tools) {
  "use strict";
  const { h, paint, percent, classes, width, height, brightest } = tools;
  const DARK = [20, 24, 32], ORANGE = [255, 170, 60], BLUE = [90, 170, 255], GRAY = [128, 128, 128];
  const best = (shares) => shares.indexOf(Math.max(...shares));

  // The colour between two, `share` of the way from the first.
  function blend(from, to, share) {
    const part = Math.min(Math.max(share, 0), 1);
    return from.map((value, c) => value + (to[c] - value) * part);
  }
  function card(values, caption, colour, label) {
    const small = h("canvas", { width, height, role: "img", "aria-label": label || caption });
    paint(small, values, colour);
    return h("figure", { class: "net-card" }, small, h("figcaption", {}, caption));
  }

  return {
    best,

    async first({ first, maps }) {
      if (!maps) return [[], "This network has no layer that gives maps."];
      const [rows, columns, count] = first.shape, most = maps.reduce((a, b) => Math.max(a, b), 1e-9);
      const few = Math.min(count, 24);
      const tiles = h("div", { class: "net-maps", role: "img", "aria-label": `${few} maps of the first layer` });
      for (let k = 0; k < few; k++) {
        const tile = h("canvas", { width: columns, height: rows });
        paint(tile, maps.filter((_, i) => i % count === k), (value) => blend(DARK, ORANGE, value / most));
        tiles.append(tile);
      }
      return [[tiles], `The first layer has ${count} filters. Each looks at every place of the picture through a`
        + " small window; its map is bright where the window holds what it answers to: an edge in one direction,"
        + " a patch of cloth."];
    },

    async attack({ network, run, rival, state, picture, shares, winner }) {
      const box = (state.eps / 255) * brightest;
      const changed = await run("attack", picture, winner, box, state.steps, brightest);
      const after = network.softmax(network.forward(changed)), now = best(after);
      const most = Math.max(box, 1e-9), channels = picture.length / (width * height);
      const added = Array.from({ length: width * height }, (_, pixel) => { // of colours, the most changed
        const at = pixel * channels;
        const all = Array.from({ length: channels }, (_, c) => changed[at + c] - picture[at + c]);
        return all.reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a));
      });
      const shade = (value) => blend(GRAY, value < 0 ? BLUE : ORANGE, Math.abs(value) / most);
      const cards = [
        card(picture, `${classes[winner]}, ${percent(shares[winner])}`, null, "before"),
        card(added, state.eps ? `added, ×${Math.round(brightest / most / 2) || 1}` : "nothing added", shade,
          "what was added, magnified: orange is brighter, blue darker"),
        card(changed, `${classes[now]}, ${percent(after[now])}`, null, "after"),
      ];
      const held = now === winner ? `It still says ${classes[now]}, ${percent(after[now])}.`
        : `It now says ${classes[now]}, ${percent(after[now])}, and said ${classes[winner]} before.`;
      const other = await rival();
      let beside = "";
      if (other) {
        const own = best(other.forward(picture));
        const moved = other.attack(picture, own, box, state.steps, brightest);
        const chances = network.softmax(other.forward(moved)), said = best(chances);
        cards.push(card(moved, `robust network: ${classes[said]}, ${percent(chances[said])}`, null,
          "after the same attack on a robust network"));
        beside = ` The robust network, attacked in the same way, ${said === own ? "still says" : "now says"}`
          + ` ${classes[said]}${said === own ? "" : `, and said ${classes[own]} before`}.`;
      }
      return [cards, `${held}${beside} No pixel has changed by more than ${state.eps} of 255 steps of brightness. Each goes the`
        + " way that the gradient of the loss points, brighter or darker; the weights stay as they are."];
    },

    async matters({ run, state, picture, winner }) {
      const hiding = state.map === "hiding";
      const map = await run(hiding ? "occlusion" : "saliency", picture, winner);
      const most = map.reduce((a, b) => Math.max(a, b), 1e-9);
      const name = classes[winner];
      const text = hiding ? `Orange: where a black square of 6×6 pixels lowers the score of ${name} most. Black is`
          + " itself a guess: to this network it means “nothing there”, and a hole can look like another garment."
        : `Orange: pixels whose brightness moves the score of ${name} most, for a very small change. That is a`
          + " slope and not a reason: pixels of the empty ground often have one, too.";
      const shade = (value) => blend(DARK, ORANGE, value / most);
      return [[card(picture, "the picture"), card(map, hiding ? "hide and see" : "slopes", shade)],
        `${text} Compare the two maps; where they disagree, neither is “what it looked at”.`];
    },
  };
};
