import { findGuest, type Guest } from "../../src/cli/guest.ts";
import { machineConfig } from "../../src/config/index.ts";

/**
 * The image and the base that end-to-end tests start their machines from: what `./mom test` has built and names in
 * `MOM_IMAGE`, or, for a test started by hand, the newest in the data folder.
 */
export function testGuest(): Promise<Guest> {
  return findGuest(machineConfig(process.env));
}
