import type { Readable, Writable } from 'node:stream';

/**
 * The port: what the rest of the server may ask of a sandbox. Nothing here names Docker or Kubernetes, and no type of
 * theirs leaks through. Implementations live in folders beside this file.
 */

/** The unprivileged user that the agent, the setup script and git run as inside the sandbox. */
export const AGENT_UID = 10001;
/** The user of PID 1 and the egress forwarder: another one, so that the agent can neither stop nor trace them. */
export const RELAY_UID = 10002;

export interface SandboxSpec {
  readonly runId: string;
  readonly image: string;
  /** Cores, fractions allowed. */
  readonly cpus: number;
  readonly memoryBytes: number;
  /** The hard limit of `/workspace`. */
  readonly diskBytes: number;
  /** RLIMIT_NPROC of the agent's user. */
  readonly maxProcesses: number;
  /** A folder of the host that holds `egress.sock`; it appears inside as `/run/caisson`, and nothing else of the host does. */
  readonly egressFolder: string;
  /** Read-only folders of the host, for installed agents. */
  readonly readOnlyMounts: readonly { readonly source: string; readonly target: string }[];
  /** Called with the sandbox's id after it exists and before its first process runs, so that the witness knows it. */
  readonly onIdentified: (sandboxId: string) => void;
}

export interface ExecOptions {
  /** Added to the sandbox's own environment. Values are never shown by the engine's inspection of the container. */
  readonly env?: Readonly<Record<string, string>>;
  /** Default `/workspace`. */
  readonly cwd?: string;
  /** A terminal: stdout carries everything, stderr nothing. */
  readonly tty?: { readonly columns: number; readonly rows: number };
  /** Aborting ends the streams and rejects `exit`; it does not stop the process (see `killAll`). */
  readonly signal?: AbortSignal;
}

/** One process started inside. The streams also end, and `exit` rejects, when the sandbox itself dies. */
export interface SandboxProcess {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly exit: Promise<number>;
  resize(columns: number, rows: number): Promise<void>;
}

export interface SandboxExit {
  /** Null where the engine could not say, because it was itself gone. */
  readonly exitCode: number | null;
  readonly outOfMemory: boolean;
  readonly reason: 'exited' | 'out_of_memory' | 'destroyed' | 'engine_lost';
}

/** What was looked for after destruction, and was not there. */
export interface Absence {
  readonly container: boolean;
  readonly mount: boolean;
  readonly loopDevice: boolean;
  readonly socket: boolean;
}

export interface SandboxStats {
  readonly cpuMs: number;
  readonly memoryBytes: number;
  /** What counts against the host's own limit: the threads of the sandbox's kernel, not the agent's processes. */
  readonly processes: number;
}

export interface Sandbox {
  readonly id: string;
  readonly runId: string;
  /** What the sandbox's own kernel says it is, asked from inside. */
  readonly kernel: string;
  readonly coldStartMs: number;
  /** Resolves once, when the sandbox is gone for whatever reason; never rejects. */
  readonly exited: Promise<SandboxExit>;
  exec(argv: readonly string[], options?: ExecOptions): Promise<SandboxProcess>;
  /** Ends every process of the agent's user. PID 1 and the egress forwarder go on. */
  killAll(): Promise<void>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  stats(): Promise<SandboxStats>;
  /** Legal in every state, and more than once. Resolves when everything of it was released and looked for. */
  destroy(): Promise<Absence>;
}

export interface SandboxSummary {
  readonly id: string;
  readonly runId: string;
  readonly running: boolean;
}

export interface RuntimeInfo {
  /** The name of the engine's runtime entry, `caisson` say. */
  readonly runtime: string;
  /** False means that runs are not isolated by gVisor; the server then refuses to start them. */
  readonly sandboxed: boolean;
  /** The Unix socket (SOCK_SEQPACKET) that this runtime reports to, which the witness must listen on before any run. */
  readonly traceSocket: string | undefined;
}

export interface SandboxRuntime {
  describe(): Promise<RuntimeInfo>;
  create(spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox>;
  /** The sandboxes of this server, running or not. */
  list(): Promise<readonly SandboxSummary[]>;
  /** Destroys what an earlier process of this server left: containers, mounts, loop devices, folders. Returns the run ids. */
  reap(): Promise<readonly string[]>;
}
