// The little of WebAssembly's JavaScript interface that is used here: Node's typings have none, and the DOM
// library's would bring a browser's names along.
declare namespace WebAssembly {
  interface Module {
    readonly __module: never;
  }
  interface Instance {
    readonly exports: Record<string, unknown>;
  }
  type Imports = Record<string, Record<string, unknown>>;
  const Module: { exports(module: Module): { name: string; kind: string }[] };
  function compile(source: Uint8Array): Promise<Module>;
  function instantiate(module: Module, imports: Imports): Promise<Instance>;
}
