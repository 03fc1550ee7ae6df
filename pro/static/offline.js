/* Says so while the phone has no network, before a tap fails. It looks again and again, because form.js shows new pages and
   not every old web view tells when the network goes. Only comments like this one. */
(function (w, d) {
function look() {
  var p = d.getElementById('off'), words = d.body.dataset, off = w.navigator.onLine === false, a;
  if (!p || off === !!p.firstChild) return;
  p.className = off ? 'warn' : '';
  p.textContent = off ? words.off : '';
  if (off) {
    a = d.createElement('a');
    a.className = 'call';
    a.href = 'tel:' + words.number;
    a.textContent = words.call;
    p.appendChild(a);
  }
  /* The end of the page can still be scrolled above it. */
  d.body.style.paddingBottom = off ? p.offsetHeight + 'px' : '';
}
w.setInterval(look, 1000);
w.addEventListener('offline', look);
w.addEventListener('online', look);
look();
})(window, document);
