/**
 * Where the sandboxes of a runtime report to. The engine's runtime entry fixes the path, so one server at a time owns a
 * runtime; the folder is made by the listener, since /run is empty after a boot.
 */
export function traceSocketPath(runtime: string): string {
  return `/run/caisson-trace/${runtime}/trace.sock`;
}
