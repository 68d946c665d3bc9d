import { useStrippedSources } from "../../src/start/stripped-sources.js";

// The machine's process.

useStrippedSources();
await import("./answer-parent.ts");
