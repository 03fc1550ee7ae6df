/* A whole questionnaire on one page: what is not asked is put away, and a digit chooses. Without it everything stands there. */
(function () {
  "use strict";
  var form = document.querySelector("form.entry"), groups, follows;
  if (!form) { return; }
  groups = [].slice.call(form.querySelectorAll("fieldset"));
  follows = groups.filter(function (group) { return group.hasAttribute("data-if"); });

  /* A select of the second reader that says nothing means what was typed. */
  function chosen(name) {
    return [].filter.call(form.querySelectorAll("[name='" + name + "']"), function (field) {
      return !field.closest("fieldset").disabled;
    }).map(function (field) {
      if (field.type === "select-one") { return field.value || field.getAttribute("data-typed"); }
      return field.checked ? field.value : null;
    });
  }

  /* A question that is put away keeps what was chosen in it, and sends nothing. One that was refused stays. */
  function look() {
    follows.forEach(function (group) {
      var codes = group.getAttribute("data-codes").split(" ");
      var asked = chosen(group.getAttribute("data-if")).some(function (code) { return codes.indexOf(code) >= 0; });
      group.hidden = group.disabled = !asked && !group.querySelector(".bad");
    });
  }

  function next(group) {
    var later = groups.slice(groups.indexOf(group) + 1).filter(function (other) { return !other.hidden; })[0];
    var field = later && later.querySelector("input,select,textarea");
    if (field) { field.focus(); }
  }

  form.addEventListener("change", look);
  form.addEventListener("keydown", function (event) {
    var at = event.target, group, choice;
    if (at.type !== "radio" || !/^[0-9]$/.test(event.key) || event.ctrlKey || event.altKey || event.metaKey) { return; }
    group = at.closest("fieldset");
    choice = [].filter.call(group.querySelectorAll("input[type=radio]"), function (field) {
      return field.value === event.key;
    })[0];
    if (choice) {
      event.preventDefault();
      choice.checked = true;
      look();
      next(group);
    }
  });
  look();
})();
