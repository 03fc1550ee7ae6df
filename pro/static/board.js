/* The board keeps itself fresh, and sounds while an emergency waits, for whoever asked for it. Without this script the
   Refresh link does the same in silence. */
(function () {
  "use strict";
  var every = 30000, sound, wanted;
  function find(root) { return root.querySelector("main[data-board]"); }
  function stale() {
    var board = find(document), said = document.getElementById("updated");
    if (said && said.textContent.indexOf(board.dataset.stale) < 0) {
      said.textContent += ". " + board.dataset.stale;
      said.className = "gap";
    }
  }
  function remember(on) {
    wanted = on;
    try { localStorage.setItem("sound", on ? "1" : ""); } catch (_) { /* A closed store forgets; the button still works. */ }
  }
  function note(at) {
    var tone = sound.createOscillator(), volume = sound.createGain();
    tone.frequency.value = 880;
    volume.gain.value = 0.3;
    tone.connect(volume);
    volume.connect(sound.destination);
    tone.start(sound.currentTime + at);
    tone.stop(sound.currentTime + at + 0.2);
  }
  function ring() {
    var loud = document.getElementById("loud");
    if (!wanted || !sound || sound.state !== "running" || !loud || !Number(loud.dataset.loud)) { return; }
    [0, 0.3, 0.6].forEach(note);
  }
  function say() {
    var line = document.getElementById("sound"), button = line && line.querySelector("button"), words;
    if (!button || !window.AudioContext) { return; }
    words = button.dataset;
    line.hidden = false;
    button.setAttribute("aria-pressed", String(Boolean(wanted)));
    button.textContent = !wanted ? words.off : sound && sound.state === "running" ? words.on : words.asleep;
  }
  function wake(then) {
    sound = sound || new AudioContext();
    sound.resume().then(function () { say(); then(); });
  }
  function press(e) {
    if (!e.target.closest || !e.target.closest("#sound button")) { return; }
    remember(!(wanted && sound && sound.state === "running"));
    if (wanted) { wake(function () { note(0); }); } else { say(); }
  }
  function swap(text) {
    var fresh = new DOMParser().parseFromString(text, "text/html");
    var board = find(document), next = find(fresh);
    if (!next) { throw new Error("no board"); }
    /* Whoever stands on a link or a button must stand on the same one afterwards. */
    var at = document.activeElement, link = board.contains(at) ? at.getAttribute("href") : null;
    var button = board.contains(at) && at.closest("#sound"), form = board.contains(at) && at.closest(".list form");
    var act = form && form.getAttribute("action");
    var chips = board.querySelector(".counts"), along = chips ? chips.scrollLeft : 0;
    board.replaceChildren.apply(board, Array.prototype.slice.call(next.childNodes));
    document.title = fresh.title;
    say();
    chips = board.querySelector(".counts");
    if (chips) { chips.scrollLeft = along; }
    if (button) { board.querySelector("#sound button").focus({ preventScroll: true }); }
    if (link) {
      Array.prototype.some.call(board.querySelectorAll("a"), function (other) {
        if (other.getAttribute("href") !== link) { return false; }
        other.focus({ preventScroll: true });
        return true;
      });
    }
    if (act) {
      Array.prototype.some.call(board.querySelectorAll(".list form"), function (other) {
        if (other.getAttribute("action") !== act) { return false; }
        other.querySelector("button").focus({ preventScroll: true });
        return true;
      });
    }
    ring();
  }
  function busy() {
    /* Somebody reads out a selection, or is choosing what to see. */
    var at = document.activeElement;
    return String(getSelection()) || at && at.closest && at.closest(".narrow");
  }
  function refresh() {
    if (busy()) { ring(); return; }
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
    try { wanted = Boolean(localStorage.getItem("sound")); } catch (_) { wanted = false; }
    document.addEventListener("click", press);
    say();
    if (wanted && window.AudioContext) { wake(ring); }
    setInterval(refresh, every);
    document.addEventListener("visibilitychange", function () { if (!document.hidden) { refresh(); } });
  }
})();
