// The board's event stream. It tells whether it is alive: heartbeats come every few seconds, and their absence is shown.

const STALE_AFTER_MS = 10_000;
const RETRY_MS = 2_000;
const LOOK_EVERY_MS = 500;

export class Feed {
  #source = null;
  #heard = null;
  #since = performance.now();
  #opened = 0;

  // told: {snapshot, patient, heartbeat: (data) => void, health: ({state, silentMs, heardAt}) => void}
  constructor(url, told) {
    this.url = url;
    this.told = told;
    this.#open();
    setInterval(() => this.#look(), LOOK_EVERY_MS);
  }

  #open() {
    this.#source?.close();
    this.#opened = performance.now();
    this.#source = new EventSource(this.url);
    for (const name of ["snapshot", "patient", "heartbeat"]) {
      this.#source.addEventListener(name, (event) => {
        this.#since = performance.now();
        this.#heard = Date.now();
        this.told[name](JSON.parse(event.data));
      });
    }
  }

  #look() {
    const silentMs = performance.now() - this.#since;
    const stale = silentMs > STALE_AFTER_MS;
    const state = stale ? "stale" : this.#heard === null ? "connecting" : "live";
    this.told.health({ state, silentMs, heardAt: this.#heard });
    // A browser gives up on a refused stream, and waits forever on a dead connection: open a new one.
    const closed = this.#source.readyState === EventSource.CLOSED;
    const triedMs = performance.now() - this.#opened;
    if ((closed && triedMs > RETRY_MS) || (stale && triedMs > STALE_AFTER_MS)) this.#open();
  }
}
