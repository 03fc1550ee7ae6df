/* The folded menu goes away by a tap beside it and by Escape, as menus do. Without this it closes by its own word. */
(function () {
  "use strict";
  var more = document.querySelector("nav .more");
  if (!more) { return; }
  document.addEventListener("click", function (event) {
    if (!more.contains(event.target)) { more.open = false; }
  });
  document.addEventListener("keydown", function (event) {
    if (event.key !== "Escape" || !more.open) { return; }
    if (more.contains(document.activeElement)) { more.querySelector("summary").focus(); }
    more.open = false;
  });
})();
