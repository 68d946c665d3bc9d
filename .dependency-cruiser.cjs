// The import rules of docs/architecture.md, checked by `./mom test`. Each room names what it may import;
// everything else of ours is closed to it. Packages are free.
const rooms = {
  "src/start": [],
  "src/config": [],
  "src/queue": ["src/config"],
  "src/slack": ["src/queue", "src/config"],
  "src/proxy": ["src/queue", "src/config"],
  "workers/ninep": [],
  "workers/snapshots": [],
  relay: [],
  demo: [],
  "workers/machine": ["workers/ninep", "relay", "src/start"],
  images: ["workers/machine"],
};

const ours = "^(src|workers|relay|images|demo|test)/";

const roomRules = Object.entries(rooms).map(([room, allowed]) => ({
  name: `${room} imports only ${[room, ...allowed].join(", ")}`,
  severity: "error",
  from: { path: `^${room}/` },
  to: { path: ours, pathNot: [room, ...allowed].map((name) => `^${name}/`) },
}));

module.exports = {
  forbidden: [
    ...roomRules,
    {
      name: "the worker imports only src/queue, src/config, workers/machine, workers/snapshots",
      severity: "error",
      from: { path: "^workers/[^/]+\\.ts$|^workers/(?!ninep|snapshots|machine)[^/]+/" },
      to: {
        path: ours,
        pathNot: [
          "^src/(queue|config)/",
          "^workers/(machine|snapshots)/",
          "^workers/(?!ninep/)[^/]+\\.ts$",
          "^workers/(?!ninep|snapshots|machine)[^/]+/",
        ],
      },
    },
    {
      name: "only tests and `mom test` import tests",
      severity: "error",
      from: { pathNot: "^(test|src/cli)/" },
      to: { path: "^test/" },
    },
    { name: "no cycles", severity: "error", from: {}, to: { circular: true } },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
  },
};
