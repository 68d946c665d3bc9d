/** Names of everything the queue keeps in Redis, below one prefix. */
export interface Keys {
  /** List of turns (JSON), the next one first. The running turn stays at the head until it is over. */
  mailbox(threadKey: string): string;
  /**
   * Hash: `version` (fencing token), `root` and `at` of the lineage, `completed` (the turn closed last), and of the
   * running turn `turn`, `worker`, `starts`, `stoppedBy`.
   */
  thread(threadKey: string): string;
  /** List of journal entries (JSON), the newest last. */
  journal(threadKey: string): string;
  /** List of the thread's states (JSON), the newest last: see `Lineage`. */
  lineage(threadKey: string): string;
  /** Sorted set of the threads that have a journal, by when a turn of theirs was closed last. */
  threads: string;
  /** A random name for all that is kept under this prefix, by which stores know whose their content is. */
  installation: string;
  /** Exists while a turn id must not be taken a second time. */
  seen(turnId: string): string;
  /** Sorted set of the threads whose mailbox is not empty, by when they began to wait. */
  waiting: string;
  /** Sorted set of worker ids, by when they were last seen. */
  workers: string;
  /** One worker's last sign of life (JSON), with an expiry. */
  worker(workerId: string): string;
  /** Id of the worker in whose machine a thread goes on between turns, with an expiry. */
  hold(threadKey: string): string;
  /** Where the proxy reaches a worker (JSON), with an expiry: see `CarrierAddress`. */
  carrier(workerId: string): string;
  /** Exists while somebody waits for a thread to be woken. */
  awaited(threadKey: string): string;
  /** Exists while it makes no sense to try and wake a thread. */
  unwakable(threadKey: string): string;
  /** Hash of a thread's exposed ports: port → name. */
  exposed(threadKey: string): string;
  /** Hash of all exposed ports: name → thread and port (JSON). */
  exposures: string;
  /** Channel that stops are published on. */
  stops: string;
  /** Channel for the keys of threads that one worker holds and another has a turn for. */
  wanted: string;
  /** Prefix of BullMQ's own keys. */
  bullmq: string;
}

export function keys(prefix: string): Keys {
  return {
    mailbox: (threadKey) => `${prefix}:mailbox:${threadKey}`,
    thread: (threadKey) => `${prefix}:thread:${threadKey}`,
    journal: (threadKey) => `${prefix}:journal:${threadKey}`,
    lineage: (threadKey) => `${prefix}:lineage:${threadKey}`,
    threads: `${prefix}:threads`,
    installation: `${prefix}:installation`,
    seen: (turnId) => `${prefix}:seen:${turnId}`,
    waiting: `${prefix}:waiting`,
    workers: `${prefix}:workers`,
    worker: (workerId) => `${prefix}:worker:${workerId}`,
    hold: (threadKey) => `${prefix}:hold:${threadKey}`,
    carrier: (workerId) => `${prefix}:carrier:${workerId}`,
    awaited: (threadKey) => `${prefix}:awaited:${threadKey}`,
    unwakable: (threadKey) => `${prefix}:unwakable:${threadKey}`,
    exposed: (threadKey) => `${prefix}:exposed:${threadKey}`,
    exposures: `${prefix}:exposures`,
    stops: `${prefix}:stops`,
    wanted: `${prefix}:wanted`,
    bullmq: `${prefix}:bullmq`,
  };
}
