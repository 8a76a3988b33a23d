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
});
