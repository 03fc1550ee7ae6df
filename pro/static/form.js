/* Quicker, nothing more: sends an answer and shows the next screen without loading the page anew. Every page works
   without it. Written for the web views of old phones: ES5, no storage, no promises. Only comments like this one. */
(function (w, d) {
var pressed, busy, quiet = 0, here = place();
if (!w.history.pushState || !w.DOMParser) return;

function place() { return w.location.pathname + w.location.search; }

/* The text lies at the lower edge of the window, so that no option moves under the finger. */
function say(role, text, call) {
  var p = d.getElementById('said'), a, words = d.body.dataset;
  if (p) p.parentNode.removeChild(p);
  d.body.style.paddingBottom = '';
  if (!text) return;
  p = d.createElement('div');
  p.id = 'said';
  p.className = 'warn';
  p.setAttribute('role', role);
  p.textContent = text;
  if (call) {
    a = d.createElement('a');
    a.className = 'call';
    a.href = 'tel:' + words.number;
    a.textContent = words.call;
    p.appendChild(a);
  }
  d.body.insertBefore(p, d.getElementById('off'));
  /* The end of the page can still be scrolled above it. */
  d.body.style.paddingBottom = p.offsetHeight + 'px';
}

/* What the page said about the answer before must not be read as being about this one. */
function takeBack() {
  var saved = d.querySelector('.prog [role]');
  if (saved) saved.parentNode.removeChild(saved);
}

function fields(form, button) {
  return [].filter.call(form.elements, function (e) {
    return e.name && (e === button || e.type !== 'submit' && (e.checked || e.type !== 'checkbox'));
  }).map(function (e) {
    return encodeURIComponent(e.name) + '=' + encodeURIComponent(e.value);
  }).join('&');
}

/* The second of two taps was meant for the screen before. */
function hush() { quiet = Date.now() + 700; }

function show(html, to) {
  var page = new w.DOMParser().parseFromString(html, 'text/html'), head, saved, text;
  d.title = page.title;
  d.documentElement.lang = page.documentElement.lang;
  d.body.innerHTML = page.body.innerHTML;
  /* "Saving…" is gone with the page before, and so is its room. */
  d.body.style.paddingBottom = '';
  d.body.setAttribute('data-fail', page.body.getAttribute('data-fail'));
  d.body.setAttribute('data-net', page.body.getAttribute('data-net'));
  if (to && to !== here) w.history.pushState(null, '', to);
  here = place();
  w.scrollTo(0, 0);
  head = d.querySelector('.err,h1');
  if (head) { head.tabIndex = -1; head.focus(); }
  /* A screen reader speaks a status only when it changes. */
  saved = d.querySelector('.prog [role]');
  if (saved) {
    text = saved.textContent;
    saved.textContent = '';
    w.setTimeout(function () { saved.textContent = text; }, 200);
  }
}

function send(form, button) {
  var x = new w.XMLHttpRequest(), words = d.body.dataset;
  var slow = w.setTimeout(function () { say('status', words.wait); }, 2000);
  busy = 1;
  /* What was pressed is framed while it is saved, so that a second wish is not taken for granted. */
  if (/^opt/.test(button.className)) button.className += ' on';
  say();
  x.open('POST', form.getAttribute('action'));
  x.timeout = 30000;
  x.setRequestHeader('Content-Type', 'application/x-www-form-urlencoded');
  x.setRequestHeader('X-Fetch', '1');
  x.onloadend = function () {
    w.clearTimeout(slow);
    busy = 0;
    if (x.status && x.status < 500 && /^text\/html/.test(x.getResponseHeader('Content-Type'))) {
      show(x.responseText, x.getResponseHeader('X-Location'));
      hush();
    } else {
      button.className = button.className.replace(/ on$/, '');
      takeBack();
      say('alert', x.status ? words.fail : words.net, 1);
    }
  };
  x.send(fields(form, button));
}

d.addEventListener('click', function (e) {
  for (pressed = e.target; pressed && !/^(BUTTON|LABEL|A)$/.test(pressed.nodeName);) pressed = pressed.parentNode;
  /* A call is never held up. */
  if (pressed && Date.now() < quiet && !/^tel:/.test(pressed.getAttribute('href') || '')) e.preventDefault();
}, true);
d.addEventListener('submit', function (e) {
  if (!e.target.hasAttribute('data-quick') || !pressed || pressed.hasAttribute('formaction')) return;
  e.preventDefault();
  if (!busy) send(e.target, pressed);
});
/* A page that was loaded came by a tap as well. */
hush();
w.addEventListener('popstate', function () { if (place() !== here) w.location.reload(); });
w.addEventListener('pageshow', function (e) { if (e.persisted) w.location.reload(); });
})(window, document);
