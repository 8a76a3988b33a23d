// The pen: strokes from finger, mouse or keyboard on a canvas. A stroke is a list of [x, y], whole
// numbers below `grid`. `tell` hears of it: begin(stroke), moved(), paused(), placed(), clear(), say(text).
window.ImageNetMoment = window.ImageNetMoment || {};

window.ImageNetMoment.pen = function (canvas, grid, tell) {
  "use strict";
  const STEP = 18, LEAST = 7; // of a key; the shortest move of a finger that becomes a point
  const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  // `keyboard`: it is moved by keys, so its place is marked; `down`: the keys draw.
  const pen = { x: grid / 2, y: grid / 2, down: false, keyboard: false, lift };
  let stroke = null;

  function lift() {
    stroke = null;
    pen.down = false;
  }

  const inside = (value) => Math.min(Math.max(Math.round(value), 0), grid - 1);

  function begin(x, y) {
    const fresh = [[inside(x), inside(y)]];
    tell.begin(fresh); // this may lift the pen, if another picture was there
    stroke = fresh;
  }

  function goOn(x, y, least) {
    const [a, b] = stroke[stroke.length - 1];
    if (Math.hypot(x - a, y - b) >= least) stroke.push([inside(x), inside(y)]);
  }

  function placeOf(event) {
    const { left, top, width, height } = canvas.getBoundingClientRect();
    return [((event.clientX - left) / width) * grid, ((event.clientY - top) / height) * grid];
  }

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    canvas.setPointerCapture(event.pointerId);
    lift();
    pen.keyboard = false;
    begin(...placeOf(event));
    tell.moved();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!stroke || pen.keyboard || !canvas.hasPointerCapture(event.pointerId)) return;
    const events = event.getCoalescedEvents ? event.getCoalescedEvents() : []; // all since the last
    for (const one of events.length ? events : [event]) goOn(...placeOf(one), LEAST);
    tell.moved();
  });
  for (const end of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(end, () => {
      if (!stroke || pen.keyboard) return;
      lift();
      tell.paused();
    });
  }

  canvas.addEventListener("keydown", (event) => {
    const move = MOVES[event.key];
    const known = move || [" ", "Delete", "Backspace"].includes(event.key);
    if (!known || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    pen.keyboard = true;
    if (move) {
      const step = event.shiftKey ? STEP / 3 : STEP;
      Object.assign(pen, { x: inside(pen.x + move[0] * step), y: inside(pen.y + move[1] * step) });
      if (pen.down) goOn(pen.x, pen.y, 1);
    } else if (event.key === " ") {
      const down = !pen.down;
      if (down) begin(pen.x, pen.y);
      else stroke = null;
      pen.down = down;
      tell.say(down ? "Pen down" : "Pen up");
    } else {
      tell.clear();
      tell.say("Cleared");
    }
    if (!move || pen.down) tell.paused();
    else tell.placed();
  });
  canvas.addEventListener("focus", () => {
    pen.keyboard = canvas.matches(":focus-visible");
    tell.placed();
  });
  canvas.addEventListener("blur", () => {
    lift();
    pen.keyboard = false;
    tell.placed();
  });
  return pen;
};
