/* Reads the page aloud with the browser's own voice. The button shows only where there is a voice for the page's
   language; without it the page loses nothing. ES5, as form.js. Only comments like this one. */
(function (w, d) {
var voices = w.speechSynthesis, place = d.querySelector('[data-read]'), button, start, left;
if (!voices || !w.SpeechSynthesisUtterance || !place) return;
button = place.querySelector('button');
start = button.textContent;

function language() { return d.documentElement.lang; }

/* Some phones name their voices "zh_CN", and only some time after the page is there. */
function offer() {
  var spoken = language().slice(0, 2).toLowerCase();
  place.hidden = ![].some.call(voices.getVoices() || [], function (voice) {
    return voice.lang.slice(0, 2).toLowerCase() === spoken;
  });
}

function rest() {
  left = 0;
  button.textContent = start;
}

/* Line by line, because some phones stop in the middle of a long text. */
function lines() {
  return d.querySelector('main').innerText.split('\n').filter(function (line) {
    return line.trim() && line.trim() !== start;
  });
}

function say(line) {
  var said = new w.SpeechSynthesisUtterance(line);
  said.lang = language();
  said.rate = 0.9;
  said.onend = said.onerror = function () {
    left -= 1;
    if (left < 1) rest();
  };
  voices.speak(said);
}

button.onclick = function () {
  var all;
  if (left) {
    rest();
    voices.cancel();
    return;
  }
  all = lines();
  left = all.length;
  button.textContent = button.getAttribute('data-stop');
  voices.cancel();
  all.forEach(say);
};
w.addEventListener('pagehide', function () { voices.cancel(); });
if (voices.addEventListener) voices.addEventListener('voiceschanged', offer);
offer();
})(window, document);
