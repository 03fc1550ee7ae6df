/* Warns two minutes before the sign-out for want of a step. Without it everything that was typed survives all the same. */
(function () {
  "use strict";
  var box = document.getElementById("idle"), warn = 120, timer, said, button, words;
  if (!box || !window.fetch) { return; }
  said = box.querySelector("[role=alert]");
  button = box.querySelector("button");
  words = box.dataset;

  function wait(left) {
    clearTimeout(timer);
    box.hidden = true;
    said.textContent = "";
    timer = setTimeout(ask, Math.max(1, left - warn) * 1000);
  }
  function over() {
    box.hidden = false;
    button.hidden = true;
    said.textContent = words.over;
  }
  function show(left) {
    box.hidden = false;
    said.textContent = said.dataset.soon;
    timer = setTimeout(ask, Math.max(5, left + 1) * 1000);
  }
  /* Another tab may have been busy: the server knows. Asking is no step. */
  function heard(answer) {
    if (answer.redirected || answer.status === 401) { over(); return; }
    if (!answer.ok) { throw new Error(answer.status); }
    answer.json().then(function (told) {
      if (told.left > warn) { wait(told.left); } else { show(told.left); }
    });
  }
  function later() { timer = setTimeout(ask, 30000); }
  function ask() {
    clearTimeout(timer);
    fetch(words.here, { headers: { "X-Refresh": "1" }, credentials: "same-origin" }).then(heard).catch(later);
  }
  button.addEventListener("click", function () {
    var proof = document.querySelector("[name=csrf_token]");
    fetch(words.here, {
      method: "POST",
      credentials: "same-origin",
      headers: { "Content-Type": "application/x-www-form-urlencoded" },
      body: "csrf_token=" + encodeURIComponent(proof ? proof.value : "")
    }).then(heard).catch(later);
  });
  wait(Number(words.ends));
})();
