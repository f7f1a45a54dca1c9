// The exporter's server-sent events, with reconnection.

const RETRY_AFTER = 2000; // ms
const SILENT_AFTER = 45000; // ms; the connection may be dead without an error
const ANSWER_WITHIN = 5000; // ms; the exporter sends the first event at once
const CHECK_INTERVAL = 5000; // ms
const HIDDEN_CLOSE_AFTER = 60000; // ms; browsers allow few connections per server, other tabs need them

/**
 * Opens `url` and calls `handlers[event](data)` for each event. Events that say that the exporter
 * is alive, while a snapshot takes long, need no handler. Calls
 * `onConnection(connected)` when the connection is lost or established. Returns a function that
 * ends it.
 */
export function listen(url, handlers, onConnection) {
  let source = null;
  let retryTimer = 0;
  let hiddenTimer = 0;
  let lastEventAt = performance.now();
  let answered = false; // since it was opened
  let connected = null;

  function setConnected(value) {
    if (connected === value) return;
    connected = value;
    onConnection(connected);
  }

  function close() {
    clearTimeout(retryTimer);
    source?.close();
    source = null;
  }

  function open() {
    close();
    lastEventAt = performance.now();
    answered = false;
    source = new EventSource(url);
    source.addEventListener("error", () => {
      setConnected(false);
      // The browser reconnects by itself, unless the server answered with an error.
      if (source?.readyState === EventSource.CLOSED) retryTimer = setTimeout(open, RETRY_AFTER);
    });
    for (const [name, handle] of Object.entries({ alive() {}, ...handlers })) {
      source.addEventListener(name, (event) => {
        lastEventAt = performance.now();
        answered = true;
        const data = JSON.parse(event.data);
        setConnected(true);
        handle(data);
      });
    }
  }

  const checks = setInterval(() => {
    const silence = source ? performance.now() - lastEventAt : 0;
    if (!answered && silence > ANSWER_WITHIN) setConnected(false);
    if (silence > SILENT_AFTER) open();
  }, CHECK_INTERVAL);

  function onVisibility() {
    clearTimeout(hiddenTimer);
    if (document.hidden) hiddenTimer = setTimeout(close, HIDDEN_CLOSE_AFTER);
    else if (!source) open();
  }
  document.addEventListener("visibilitychange", onVisibility);

  open();
  return () => {
    clearInterval(checks);
    clearTimeout(hiddenTimer);
    document.removeEventListener("visibilitychange", onVisibility);
    close();
  };
}

/** The exporter's clock, estimated from the timestamps of its events. */
export class ServerClock {
  #timestamp = Date.now() / 1000;
  #receivedAt = performance.now();

  /** Sets the clock to the timestamp of an event that has just arrived, in seconds. */
  set(timestamp) {
    this.#timestamp = timestamp;
    this.#receivedAt = performance.now();
  }

  /** Returns the exporter's time in seconds since 1970. */
  now() {
    return this.#timestamp + (performance.now() - this.#receivedAt) / 1000;
  }
}
