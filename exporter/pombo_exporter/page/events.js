// The server's events, for as long as the page is open; opened again when they stop.

const AGAIN_AFTER = 2000; // ms
const SILENT_AFTER = 45000; // ms; a road that died without a word
const HIDDEN_AFTER = 60000; // ms; a browser opens few connections to a server, so let others have it

/** Opens `url` and calls `handlers[event](data)`; `changed(there)` when the server goes or comes. */
export function listen(url, handlers, changed) {
  let source = null;
  let timer = 0;
  let hiding = 0;
  let heard = performance.now();
  let there = null;

  function turn(now) {
    if (there === now) return;
    there = now;
    changed(now);
  }

  function close() {
    clearTimeout(timer);
    source?.close();
    source = null;
  }

  function open() {
    close();
    heard = performance.now();
    source = new EventSource(url);
    source.addEventListener("error", () => {
      turn(false);
      // The browser tries again by itself, unless the answer was an error.
      if (source?.readyState === EventSource.CLOSED) timer = setTimeout(open, AGAIN_AFTER);
    });
    for (const [name, handle] of Object.entries(handlers)) {
      source.addEventListener(name, (event) => {
        heard = performance.now();
        const data = JSON.parse(event.data);
        turn(true);
        handle(data);
      });
    }
  }

  setInterval(() => {
    if (source && performance.now() - heard > SILENT_AFTER) open();
  }, 5000);

  document.addEventListener("visibilitychange", () => {
    clearTimeout(hiding);
    if (document.hidden) hiding = setTimeout(close, HIDDEN_AFTER);
    else if (!source) open();
  });

  open();
}

/** The exporter's time of day, which goes on between its events. */
export class ServerClock {
  #said = Date.now() / 1000;
  #at = performance.now();

  /** Takes what the server says that the time is. */
  set(timestamp) {
    this.#said = timestamp;
    this.#at = performance.now();
  }

  /** Now, in seconds. */
  now() {
    return this.#said + (performance.now() - this.#at) / 1000;
  }
}
