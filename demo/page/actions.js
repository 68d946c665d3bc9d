/** What the person does, sent to the server. What comes of it arrives with the events. */
export class Actions {
  #me;

  /** @param {() => string} me */
  constructor(me) {
    this.#me = me;
  }

  /**
   * @param {string} channel
   * @param {string} text
   * @param {File[]} files
   * @param {string | undefined} threadTs
   */
  async say(channel, text, files, threadTs) {
    const form = new FormData();
    form.set("user", this.#me());
    form.set("channel", channel);
    form.set("text", text);
    if (threadTs) form.set("thread_ts", threadTs);
    for (const file of files) form.append("files", file, file.name);
    await this.#post("say", form);
  }

  /** @param {string} channel @param {string} text */
  slash(channel, text) {
    return this.#send("slash", { channel, text });
  }

  /** @param {string} channel @param {string} ts @param {string} text */
  edit(channel, ts, text) {
    return this.#send("edit", { channel, ts, text });
  }

  /** @param {string} channel @param {string} ts */
  remove(channel, ts) {
    return this.#send("delete", { channel, ts });
  }

  /** @param {string} channel @param {string} ts @param {string} name */
  react(channel, ts, name) {
    return this.#send("react", { channel, ts, name });
  }

  /** @param {string} channel @param {string} ts @param {string} blockId @param {string} actionId */
  click(channel, ts, blockId, actionId) {
    return this.#send("click", { channel, ts, block_id: blockId, action_id: actionId });
  }

  /** @param {string} channel @param {string} threadTs */
  stop(channel, threadTs) {
    return this.#send("stop", { channel, thread_ts: threadTs });
  }

  /** @param {string} action @param {Record<string, string>} fields */
  #send(action, fields) {
    return this.#post(action, JSON.stringify({ user: this.#me(), ...fields }), {
      "Content-Type": "application/json",
    });
  }

  /** @param {string} action @param {BodyInit} body @param {Record<string, string>} [headers] */
  async #post(action, body, headers = {}) {
    const response = await fetch(`/_page/${action}`, { method: "POST", headers, body });
    if (response.ok) return;
    const answer = await response.json().catch(() => ({}));
    throw new Error(answer.message ?? `Slack answered ${response.status}.`);
  }
}
