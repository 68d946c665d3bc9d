// Programs hand process.execArgv on to workers and children, which need not be told where a snapshot lies.
require("node:v8").startupSnapshot.addDeserializeCallback(() => {
  process.execArgv.splice(process.execArgv.indexOf("--snapshot-blob"), 2);
});
// Node.js asks for the directory once and keeps it, in the snapshot too: this has it forget.
process.chdir(".");
// What is loaded by now is in the snapshot.
// @ts-expect-error: not in its types.
require("node:fs").writeSync(1, process.moduleLoadList.join("\n"));
