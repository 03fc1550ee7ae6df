/* Quicker, nothing more: sends a reply and adds the new bubbles to the thread. The page works without it. Written for
   the web views of old phones, as form.js is. Only comments like this one. */
(function (w, d) {
var pressed, busy, quiet = 0;
if (!w.DOMParser) return;

function id(name) { return d.getElementById(name); }

/* The text lies at the lower edge of the window, so that no answer moves under the finger. */
function warn(role, text, call) {
  var p = id('said'), a, words = d.body.dataset;
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
  d.body.style.paddingBottom = p.offsetHeight + 'px';
}

/* The second of two taps was meant for the question before. */
function hush() { quiet = Date.now() + 700; }

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
  d.body.setAttribute('data-fail', page.body.getAttribute('data-fail'));
  d.body.setAttribute('data-net', page.body.getAttribute('data-net'));
  thread(id('log'), page.getElementById('log'));
  id('quick').innerHTML = quick.innerHTML;
  id('quick').setAttribute('aria-label', quick.getAttribute('aria-label'));
  id('told').innerHTML = page.getElementById('told').innerHTML;
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
      hush();
    } else {
      button.className = button.className.replace(/ on$/, '');
      warn('alert', x.status ? words.fail : words.net, 1);
    }
  };
  x.send(sent(form, button));
}

d.addEventListener('click', function (e) {
  for (pressed = e.target; pressed && !/^(BUTTON|LABEL|A)$/.test(pressed.nodeName);) pressed = pressed.parentNode;
  /* A call is never held up. */
  if (pressed && Date.now() < quiet && !/^tel:/.test(pressed.getAttribute('href') || '')) e.preventDefault();
}, true);
d.addEventListener('submit', function (e) {
  if (e.target.id !== 'answer' || !id('quick') || !pressed || pressed.hasAttribute('formaction')) return;
  e.preventDefault();
  if (!busy) send(e.target, pressed);
});
/* A page that was loaded came by a tap as well. */
hush();
w.addEventListener('pageshow', function (e) { if (e.persisted) w.location.reload(); });
if (!w.location.hash && id('log').children.length > 2) id('now').scrollIntoView();
})(window, document);
