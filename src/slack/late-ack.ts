import type { App, Receiver, ReceiverEvent } from "@slack/bolt";

/**
 * Acknowledge an event after its listeners are done, and not at all when they failed: then Slack delivers it
 * again. Bolt acknowledges events before it calls a listener (`App.processEvent`), which would lose an event
 * that could not be put into the queue. Commands and clicks are acknowledged by their listeners as ever.
 */
export class LateAckReceiver implements Receiver {
  readonly #inner: Receiver;

  constructor(inner: Receiver) {
    this.#inner = inner;
  }

  init(app: App): void {
    const late: App = Object.create(app, {
      processEvent: { value: (event: ReceiverEvent) => processThenAck(app, event) },
    });
    this.#inner.init(late);
  }

  start(...args: unknown[]): Promise<unknown> {
    return this.#inner.start(...args);
  }

  stop(...args: unknown[]): Promise<unknown> {
    return this.#inner.stop(...args);
  }
}

async function processThenAck(app: App, event: ReceiverEvent): Promise<void> {
  if (event.body.type !== "event_callback") return app.processEvent(event);
  let answer: unknown;
  let isAcked = false;
  await app.processEvent({
    ...event,
    ack: async (response?: unknown) => {
      answer = response;
      isAcked = true;
    },
  });
  if (isAcked) await event.ack(answer);
}
