import type { Cpu, StatefulDevice } from "./v86-internals.ts";

/** In v86's list of devices' states (src/cpu.js): its own time stamp counter, and our clocks behind its end. */
const STATE_TSC = 43;
const STATE_CLOCKS = 101;
/** src/pit.js OSCILLATOR_FREQ, in counts a millisecond. */
const PIT_PER_MS = 1193.1816666;
/** src/rust/cpu/cpu.rs TSC_RATE. */
const TSC_PER_MS = 1_000_000n;

/**
 * Save and restore what v86 leaves out of a state or gets wrong (v86 0.5.462, src/cpu.js):
 * - our own devices, by where they stand in the state;
 * - `last_result`, `fpu_status_word` and `mxcsr`, whose views into wasm memory are replaced, not written;
 * - the PIT's start times, which are readings of the saving process's clock;
 * - the time stamp counter, which is the guest's clock: it goes on from where it would be had the guest never
 *   slept, so that the guest's time is right from the first tick on.
 */
export function extendState(cpu: Cpu, devices: Record<number, StatefulDevice>): void {
  const getState = cpu.get_state.bind(cpu);
  const setState = cpu.set_state.bind(cpu);
  cpu.get_state = () => {
    const state = getState();
    for (const [at, device] of Object.entries(devices)) state[Number(at)] = device;
    state[STATE_CLOCKS] = [performance.now(), Date.now()];
    return state;
  };
  cpu.set_state = (state) => {
    const live = {
      last_result: cpu.last_result,
      fpu_status_word: cpu.fpu_status_word,
      mxcsr: cpu.mxcsr,
    };
    setState(state);
    for (const name of ["last_result", "fpu_status_word", "mxcsr"] as const) {
      const saved = cpu[name];
      if (saved !== live[name]) live[name].set(saved);
      cpu[name] = live[name];
    }
    for (const [at, device] of Object.entries(devices)) {
      device.set_state(state[Number(at)] as unknown[]);
    }

    const [savedTickMs = 0, savedAtMs = 0] = state[STATE_CLOCKS] as number[];
    const startTimes = cpu.devices.pit.counter_start_time;
    for (let counter = 0; counter < startTimes.length; counter++) {
      startTimes[counter] = (startTimes[counter] ?? 0) + performance.now() - savedTickMs;
    }
    // A clock of the host that was set back must not set the guest's back: kernels do not expect that.
    const asleepMs = Math.max(0, Date.now() - savedAtMs);
    setTimeStampCounter(cpu, toUint64(state[STATE_TSC]) + BigInt(asleepMs) * TSC_PER_MS);
  };
}

/**
 * Has the guest begin with its timer's interrupt. Linux counts the time since its last tick in 64 bits of a nanosecond's
 * fractions, 2^41 ns or 37 minutes: a program that asked before the first tick after a longer sleep would be told a time that
 * is wrong by that. The tick makes up for sleeps of any length.
 */
export function beginWithTick(cpu: Cpu): void {
  const { counter_start_time: startTimes, counter_start_value: startValues } = cpu.devices.pit;
  const nowMs = performance.now();
  startTimes[0] = nowMs - ((startValues[0] ?? 0) + 2) / PIT_PER_MS;
  cpu.run_hardware_timers(false, nowMs);
  cpu.handle_irqs();
}

/**
 * v86's `set_tsc` forgets the offset that an earlier call left (src/rust/cpu/cpu.rs), so what it is given must
 * have that taken off.
 */
function setTimeStampCounter(cpu: Cpu, value: bigint): void {
  cpu.store_current_tsc();
  const uncorrected = BigInt(Math.round(performance.now() * Number(TSC_PER_MS)));
  const offset = uncorrected - toUint64(cpu.current_tsc);
  const corrected = BigInt.asUintN(64, value - offset);
  cpu.set_tsc(Number(corrected & 0xffff_ffffn), Number(corrected >> 32n));
}

function toUint64(words: unknown): bigint {
  const [low = 0, high = 0] = words as Uint32Array;
  return (BigInt(high) << 32n) | BigInt(low);
}
