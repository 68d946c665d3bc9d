import { useStrippedSources } from "../../src/start/stripped-sources.ts";

// The machine's process.

useStrippedSources();
await import("./answer-parent.ts");
