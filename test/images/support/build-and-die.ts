import { buildImage } from "../../../images/build.ts";

// A process of its own that builds an image and is killed, without any warning, at the start of a step.
const [dataDir = "", rootfs = "", step] = process.argv.slice(2);
await buildImage({
  dataDir,
  rootfs,
  onProgress: (event) => {
    if (event.kind === "start" && event.step === step) process.kill(process.pid, "SIGKILL");
  },
});
