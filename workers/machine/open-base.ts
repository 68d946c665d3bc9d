import { MachineError } from "./api.ts";
import { type BaseRecord, readBase } from "./base-file.ts";
import { type Sandbox, unpackBase } from "./sandbox.ts";

export interface OpenBase {
  folder: string;
  record: BaseRecord;
  sandbox: Sandbox;
}

/** @throws MachineError BAD_IMAGE, also for a base of another memory size. */
export async function openBase(folder: string, memoryBytes: number): Promise<OpenBase> {
  const { record, state } = await readBase(folder);
  if (record.memoryBytes !== memoryBytes) {
    throw new MachineError(
      "BAD_IMAGE",
      `the base is of a machine with ${record.memoryBytes >> 20} MB of memory, this one has ${memoryBytes >> 20} MB`,
    );
  }
  return { folder, record, sandbox: unpackBase(state, memoryBytes) };
}
