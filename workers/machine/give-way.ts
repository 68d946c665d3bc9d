/** Longer than it takes to wake a process and have it read a message. */
const ANSWER_MS = 0.5;
const nothing = new Int32Array(new SharedArrayBuffer(4));

/**
 * Let the process run that has just been sent an answer. Linux wakes it on the very processor that this process runs on, expecting
 * that who has answered will sleep, and there it waits for a tick of the clock where we go on, also beside another
 * processor with nothing to do: 3.5 ms of 7.5 in every second turn.
 */
export function giveWay(): void {
  Atomics.wait(nothing, 0, 0, ANSWER_MS);
}
