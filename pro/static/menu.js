/* A folded menu goes away by a tap beside it and by Escape, as menus do. Without this it closes by its own word. */
(function () {
  "use strict";
  var folded = Array.prototype.slice.call(document.querySelectorAll(".hd .more"));
  document.addEventListener("click", function (event) {
    folded.forEach(function (more) {
      if (!more.contains(event.target)) { more.open = false; }
    });
  });
  document.addEventListener("keydown", function (event) {
    if (event.key !== "Escape") { return; }
    folded.forEach(function (more) {
      if (!more.open) { return; }
      if (more.contains(document.activeElement)) { more.querySelector("summary").focus(); }
      more.open = false;
    });
  });
})();
