import { compileFunction } from "node:vm";
import type { TurnLanguage } from "../src/queue/index.ts";

/** What the machine is asked to run for a turn. */
export interface Program {
  command: string;
  files?: Record<string, Uint8Array>;
}

/** Bash runs in the resident shell itself, so that what it sets stays; the others get a file of their own. */
export function programOf(language: TurnLanguage, source: string): Program {
  switch (language) {
    case "bash":
      return { command: source };
    case "python":
      return withFile("python3", "main.py", source);
    case "js":
      return withFile("node", isModule(source) ? "main.mjs" : "main.cjs", source);
  }
}

function withFile(interpreter: string, name: string, source: string): Program {
  return {
    command: `${interpreter} "$MOM_TURN/${name}"`,
    files: { [name]: Buffer.from(source) },
  };
}

/** What V8 says where only a module may say so (compare `containsModuleSyntax` in Node's node_contextify.cc). */
const MODULE_ONLY =
  /Cannot use import statement|Unexpected token 'export'|Cannot use 'import\.meta'/;

/**
 * Whether a program must run as an ECMAScript module. It is only parsed here, never run; whatever else is
 * wrong with it the guest's own interpreter tells best.
 */
function isModule(source: string): boolean {
  const problem = syntaxProblem(source);
  if (problem === undefined) return false;
  // Right but for an `await` outside of functions.
  return MODULE_ONLY.test(problem) || syntaxProblem(`(async () => {${source}\n})`) === undefined;
}

function syntaxProblem(source: string): string | undefined {
  try {
    compileFunction(source, ["exports", "require", "module", "__filename", "__dirname"]);
    return undefined;
  } catch (error) {
    return String(error);
  }
}
