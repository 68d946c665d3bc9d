import type { Cpu, VirtIO } from "./v86-internals.ts";

/**
 * Keeps a line of the interrupt controller raised for as long as a virtio device on it has something to tell. Lines are
 * shared (three of ours are on one) and level-triggered, so that a line is as high as the highest of its devices (PCI 3.0,
 * 2.2.6). v86 lowers it for all of them when the guest asks any: what another device had told between the guest's question to that
 * one and its question to this was lost, and the guest waited for an answer that it had.
 *
 * @param devices on the bus, all of them.
 */
export function shareInterrupts({ devices: { pci } }: Pick<Cpu, "devices">): void {
  const devices = Object.values(pci.devices).filter(isVirtIO);
  const lower = pci.lower_irq.bind(pci);
  pci.lower_irq = (id) => {
    lower(id);
    // Raising what is raised changes nothing, so nobody has to know which line is whose.
    for (const { isr_status: told, pci_id } of devices) if (told !== 0) pci.raise_irq(pci_id);
  };
}

function isVirtIO(device: object | undefined): device is VirtIO {
  return device !== undefined && "isr_status" in device;
}
