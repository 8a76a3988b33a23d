// Names that a screen reader can say: the sidebar's arrows have none, and the theme gives every
// solution the same one, whatever it shows.
document.addEventListener("DOMContentLoaded", () => {
  for (const arrow of document.querySelectorAll(".bd-sidenav summary")) {
    const chapter = arrow.closest("li").querySelector("a");
    arrow.setAttribute("aria-label", "Lab of: " + chapter.textContent.trim());
  }
  for (const solution of document.querySelectorAll("details.hide > summary")) {
    solution.removeAttribute("aria-label");
  }
  reachWhatScrolls();
  addEventListener("resize", reachWhatScrolls);
});

// What is wider than the screen scrolls inside itself, so the keyboard must get there.
function reachWhatScrolls() {
  for (const wide of document.querySelectorAll("article div.math, article .output pre")) {
    if (wide.scrollWidth > wide.clientWidth) wide.tabIndex = 0;
    else wide.removeAttribute("tabindex");
  }
}

// On paper nothing can be opened, and the ground is white: print with all answers open and in the
// light theme, then go back to what was on the screen.
let opened = [], theme = "";
addEventListener("beforeprint", () => {
  opened = [...document.querySelectorAll("article details:not([open])")];
  for (const details of opened) details.open = true;
  for (const image of document.images) image.loading = "eager";  // those that nobody scrolled to
  ({ theme } = document.documentElement.dataset);
  document.documentElement.dataset.theme = "light";
});
addEventListener("afterprint", () => {
  for (const details of opened) details.open = false;
  document.documentElement.dataset.theme = theme;
});
