/* Quicker, nothing more: sends a reply and adds the new bubbles to the thread. The page works without it. Written for
   the web views of old phones, as form.js is. Only comments like this one. */
(function (w, d) {
var pressed, busy, quiet = 0;
if (!w.DOMParser) return;

function id(name) { return d.getElementById(name); }

function warn(role, text) {
  var p = id('said');
  if (p) p.parentNode.removeChild(p);
  if (!text) return;
  p = d.createElement('p');
  p.id = 'said';
  p.className = 'warn';
  p.setAttribute('role', role);
  p.textContent = text;
  id('answer').insertBefore(p, id('more'));
}

function sent(form, button) {
  return [].filter.call(form.elements, function (e) {
    return e.name && (e === button || e.type !== 'submit' && (e.checked || e.type !== 'checkbox'));
  }).map(function (e) {
    return encodeURIComponent(e.name) + '=' + encodeURIComponent(e.value);
  }).join('&');
}

/* Advice and the last page take the whole screen, at once. */
function whole(page) {
  var head;
  d.title = page.title;
  d.body.innerHTML = page.body.innerHTML;
  w.scrollTo(0, 0);
  head = d.querySelector('.err,h1');
  if (head) { head.tabIndex = -1; head.focus(); }
}

/* Bubbles that stay are left alone, so that a screen reader speaks the new ones only. */
function thread(log, from) {
  var old = log.children, fresh = from.children, n = 0;
  while (n < old.length && n < fresh.length && old[n].textContent === fresh[n].textContent) {
    old[n].removeAttribute('id');
    if (fresh[n].id) old[n].id = fresh[n].id;
    n += 1;
  }
  while (old.length > n) log.removeChild(old[n]);
  while (fresh.length > n) log.appendChild(fresh[n]);
}

/* A field of the same kind stays as it is, and with it the keyboard of the phone. True if it has the focus. */
function field(page) {
  var old = id('t'), fresh = page.getElementById('t'), typing = old && d.activeElement === old;
  if (old && fresh && old.nodeName === fresh.nodeName && old.getAttribute('inputmode') === fresh.getAttribute('inputmode')) {
    old.value = fresh.value;
    d.querySelector('label[for=t]').textContent = page.querySelector('label[for=t]').textContent;
  } else {
    id('say').innerHTML = page.getElementById('say').innerHTML;
    if (typing && fresh) id('t').focus();
  }
  return typing && fresh;
}

function show(html) {
  var page = new w.DOMParser().parseFromString(html, 'text/html'), quick = page.getElementById('quick');
  if (!quick) return whole(page);
  if (page.documentElement.lang !== d.documentElement.lang) return w.location.reload();
  d.title = page.title;
  thread(id('log'), page.getElementById('log'));
  id('quick').innerHTML = quick.innerHTML;
  id('quick').setAttribute('aria-label', quick.getAttribute('aria-label'));
  id('more').innerHTML = page.getElementById('more').innerHTML;
  if (!field(page)) id('quick').focus();
  id('now').scrollIntoView();
}

function send(form, button) {
  var x = new w.XMLHttpRequest(), words = d.body.dataset;
  var slow = w.setTimeout(function () { warn('status', words.wait); }, 2000);
  busy = 1;
  if (button.className === 'chip') button.className += ' on';
  warn();
  x.open('POST', form.getAttribute('action'));
  x.timeout = 30000;
  x.setRequestHeader('Content-Type', 'application/x-www-form-urlencoded');
  x.setRequestHeader('X-Fetch', '1');
  x.onloadend = function () {
    w.clearTimeout(slow);
    busy = 0;
    if (x.status && x.status < 500 && /^text\/html/.test(x.getResponseHeader('Content-Type'))) {
      warn();
      show(x.responseText);
      /* The second of two taps was meant for the question before. */
      quiet = Date.now() + 400;
    } else {
      button.className = button.className.replace(/ on$/, '');
      warn('alert', words.fail);
    }
  };
  x.send(sent(form, button));
}

d.addEventListener('click', function (e) {
  for (pressed = e.target; pressed && !/^(BUTTON|LABEL)$/.test(pressed.nodeName);) pressed = pressed.parentNode;
  if (pressed && Date.now() < quiet) e.preventDefault();
}, true);
d.addEventListener('submit', function (e) {
  if (e.target.id !== 'answer' || !id('quick') || !pressed || pressed.hasAttribute('formaction')) return;
  e.preventDefault();
  if (!busy) send(e.target, pressed);
});
w.addEventListener('pageshow', function (e) { if (e.persisted) w.location.reload(); });
if (!w.location.hash && id('log').children.length > 2) id('now').scrollIntoView();
})(window, document);
