/* The board keeps itself fresh. Without this script the Refresh link does the same. */
(function () {
  "use strict";
  var every = 30000;
  function find(root) { return root.querySelector("main[data-board]"); }
  function stale() {
    var board = find(document), said = document.getElementById("updated");
    if (said && said.textContent.indexOf(board.dataset.stale) < 0) {
      said.textContent += ". " + board.dataset.stale;
      said.className = "gap";
    }
  }
  function swap(text) {
    var fresh = new DOMParser().parseFromString(text, "text/html");
    var board = find(document), next = find(fresh);
    if (!next) { throw new Error("no board"); }
    /* Whoever stands on a link must stand on the same one afterwards. */
    var at = document.activeElement, link = board.contains(at) ? at.getAttribute("href") : null;
    var chips = board.querySelector(".counts"), along = chips ? chips.scrollLeft : 0;
    board.replaceChildren.apply(board, Array.prototype.slice.call(next.childNodes));
    document.title = fresh.title;
    chips = board.querySelector(".counts");
    if (chips) { chips.scrollLeft = along; }
    if (link) {
      Array.prototype.some.call(board.querySelectorAll("a"), function (other) {
        if (other.getAttribute("href") !== link) { return false; }
        other.focus({ preventScroll: true });
        return true;
      });
    }
  }
  function refresh() {
    if (String(getSelection())) { return; }
    fetch(location.href, { headers: { "X-Refresh": "1" }, credentials: "same-origin" })
      .then(function (answer) {
        if (!answer.ok) { throw new Error(answer.status); }
        /* Signed out meanwhile: go to the page that says why. */
        if (answer.redirected) { location.assign(answer.url); return null; }
        return answer.text();
      })
      .then(function (text) { if (text !== null) { swap(text); } })
      .catch(stale);
  }
  if (find(document) && window.fetch && window.DOMParser) {
    setInterval(refresh, every);
    document.addEventListener("visibilitychange", function () { if (!document.hidden) { refresh(); } });
  }
})();
