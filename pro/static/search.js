/* The key "/" leads to the search by participant number, as in other lists. Without this the field is reached by tab. */
(function () {
  "use strict";
  var fields = Array.prototype.slice.call(document.querySelectorAll(".seek input[type=search]"));
  function isShown(element) { return element.getClientRects().length > 0; }
  document.addEventListener("keydown", function (event) {
    var typing = event.target.closest && event.target.closest("input,textarea,select,[contenteditable]");
    if (event.key !== "/" || typing || event.ctrlKey || event.altKey || event.metaKey) { return; }
    var field = fields.filter(isShown)[0];
    if (!field) {
      /* Folded in the menu. */
      field = fields.filter(function (one) { return one.closest("details") && isShown(one.closest("details")); })[0];
      if (field) { field.closest("details").open = true; }
    }
    if (!field || !isShown(field)) { return; }
    event.preventDefault();
    field.focus();
    field.select();
  });
})();
