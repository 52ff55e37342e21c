import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { compilePolicy } from '../shared/policy/compile.ts';
import { CaissonError } from '../shared/protocol/errors.ts';
import { createAgentSession } from './agents/session.ts';
import { agentLaunch } from './agents/catalog.ts';
import { Agents } from './agents/agents.ts';
import { RunProofs } from './audit/run-proofs.ts';
import { ApiKeys } from './auth/api-keys.ts';
import { StreamTickets } from './auth/tickets.ts';
import { systemClock, type Clock } from './base/clock.ts';
import { Cleanup } from './base/lifecycle.ts';
import { createLogger, type Logger } from './base/logger.ts';
import { loadServerId } from './base/server-id.ts';
import type { Config } from './config/config.ts';
import type { Secrets } from './config/secrets.ts';
import { parseOperatorExceptions } from './egress/exceptions.ts';
import { createEgressGateway } from './egress/gateway.ts';
import { Environments } from './environments/environments.ts';
import { createEventLog, type RunEventLog } from './events/event-log.ts';
import { OrganizationKeys } from './orgs/organization-keys.ts';
import { Organizations } from './orgs/organizations.ts';
import { Admission } from './runs/admission.ts';
import { RunBlobs } from './runs/run-blobs.ts';
import type { RunDeps } from './runs/run-deps.ts';
import { RunIndex } from './runs/run-index.ts';
import { RunService } from './runs/run-service.ts';
import { createGvisorRuntime } from './sandbox/gvisor/runtime.ts';
import type { RuntimeInfo, SandboxRuntime } from './sandbox/sandbox.ts';
import { openEmbeddedStore } from './store/embedded/store.ts';
import type { Store } from './store/port.ts';
import { Uploads } from './uploads/uploads.ts';
import { createRedactor } from './vault/redactor.ts';
import { loadSigningKey } from './vault/signing-key.ts';
import { createVault, type Vault } from './vault/vault.ts';
import { createTraceSink, type Witness } from './witness/trace-sink.ts';

/** Every service of a server, constructed in one place and in the order in which they need each other. */
export interface Context {
  readonly config: Config;
  readonly serverId: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly store: Store;
  readonly vault: Vault;
  readonly organizations: Organizations;
  readonly apiKeys: ApiKeys;
  readonly tickets: StreamTickets;
  readonly environments: Environments;
  readonly agents: Agents;
  readonly uploads: Uploads;
  readonly log: RunEventLog;
  readonly blobs: RunBlobs;
  readonly proofs: RunProofs;
  readonly sandboxes: SandboxRuntime;
  readonly runtime: RuntimeInfo;
  readonly witness: Witness;
  readonly index: RunIndex;
  readonly runs: RunService;
  /** Releases everything, in the reverse order. */
  readonly cleanup: Cleanup;
}

/** What a test may replace; everything else is the real thing. */
export interface Overrides {
  readonly clock?: Clock;
  readonly logger?: Logger;
  readonly store?: Store;
  readonly sandboxes?: SandboxRuntime;
}

/** @throws {CaissonError} that says what is missing and how to mend it; whatever was opened by then is closed again */
export async function createContext(config: Config, secrets: Secrets, overrides: Overrides = {}): Promise<Context> {
  const cleanup = new Cleanup();
  try {
    return await build(config, secrets, overrides, cleanup);
  } catch (error) {
    await cleanup.run();
    throw error;
  }
}

async function build(config: Config, secrets: Secrets, overrides: Overrides, cleanup: Cleanup): Promise<Context> {
  const clock = overrides.clock ?? systemClock;
  const logger = overrides.logger ?? createLogger(config.logLevel);
  const inData = (name: string) => join(config.dataDir, name);
  await mkdir(config.dataDir, { recursive: true, mode: 0o700 });
  const serverId = await loadServerId(inData('server-id'));

  const vault = createVault(secrets.masterKey);
  const signing = await loadSigningKey({ file: inData('audit.key'), name: serverId, vault });
  const store =
    overrides.store ?? (await openEmbeddedStore({ file: inData('caisson.db'), encryptionKey: vault.databaseKey }));
  cleanup.add('store', () => store.close());

  const sandboxes =
    overrides.sandboxes ??
    createGvisorRuntime({
      serverId,
      dataDir: config.dataDir,
      runtime: config.sandbox.runtime,
      allowUnsandboxed: config.sandbox.allowUnsandboxed,
      logger,
      clock,
    });
  const runtime = await sandboxes.describe();
  requireSandboxed(runtime, config);
  const witness = await openWitness(runtime, logger, cleanup);

  const organizations = new Organizations(store, clock);
  const organizationKeys = new OrganizationKeys(organizations, vault);
  const apiKeys = await ApiKeys.open(store, clock);
  const tickets = new StreamTickets(randomBytes(32), clock);
  const exceptions = parseOperatorExceptions(config.egress.privateHosts);
  const operatorNames = exceptions.map((exception) => exception.host);
  const environments = await Environments.open(store, organizationKeys, clock, {
    image: config.sandbox.defaultImage,
    operatorNames,
  });
  const agents = await Agents.open(store, clock, config.sandbox.agentsDir);
  const uploads = await Uploads.open({
    store,
    vault,
    folder: inData('uploads'),
    limits: config.uploads,
    clock,
    logger,
  });
  const log = await createEventLog({ store, vault, clock, logger, limits: config.log });
  cleanup.add('event log', () => log.close());
  const blobs = new RunBlobs({ folder: inData('blobs'), vault, store });
  const proofs = await RunProofs.open({ store, log, signing });
  const index = await RunIndex.open(store, log, logger);

  const modelUpstreams = Object.fromEntries(
    Object.entries(config.egress.modelUrls).map(([provider, url]) => [provider, new URL(url)]),
  );
  const deps: RunDeps = {
    dataDir: config.dataDir,
    log,
    sandboxes,
    witness,
    uploads,
    blobs,
    admission: new Admission(config.runs),
    logger,
    createEgressGateway: ({ network, ...options }) =>
      createEgressGateway({
        ...options,
        policy: compilePolicy(network, operatorNames),
        exceptions,
        modelUpstreams,
        logger,
      }),
    createRedactor: (values) => createRedactor(Object.entries(values).map(([name, value]) => ({ name, value }))),
    openAgentSession: createAgentSession({ packs: config.sandbox.agentsDir, version: config.version }),
    agentLaunch: (agent) => agentLaunch(agent, { packs: config.sandbox.agentsDir }),
    signHead: (runId) => proofs.sign(runId),
  };
  const runs = new RunService({
    deps,
    index,
    environments,
    agents,
    operatorExceptions: exceptions.map((exception) => exception.text),
    sandboxed: runtime.sandboxed,
    destroyData: (runId) => log.destroyKey(runId),
    clock,
  });
  return {
    config,
    serverId,
    clock,
    logger,
    store,
    vault,
    organizations,
    apiKeys,
    tickets,
    environments,
    agents,
    uploads,
    log,
    blobs,
    proofs,
    sandboxes,
    runtime,
    witness,
    index,
    runs,
    cleanup,
  };
}

function requireSandboxed(runtime: RuntimeInfo, config: Config): void {
  if (runtime.sandboxed) return;
  if (config.sandbox.allowUnsandboxed) return;
  throw new CaissonError(
    'sandbox_unavailable',
    `The runtime ${runtime.runtime} is not gVisor, so runs would not be isolated. \`caisson doctor\` tells what is missing, \`caisson setup\` mends it.`,
  );
}

/** Without gVisor there is nobody who could testify; such runs are possible only where the operator allowed them. */
async function openWitness(runtime: RuntimeInfo, logger: Logger, cleanup: Cleanup): Promise<Witness> {
  if (runtime.traceSocket !== undefined) {
    const sink = await createTraceSink({ socketPath: runtime.traceSocket, logger });
    cleanup.add('kernel witness', () => sink.close());
    return sink;
  }
  if (!runtime.sandboxed) {
    logger.warn({ runtime: runtime.runtime }, 'runs are NOT sandboxed, and no kernel witness sees them');
    return { watch: () => () => Promise.resolve() };
  }
  throw new CaissonError(
    'sandbox_unavailable',
    `The runtime ${runtime.runtime} reports to no witness, so nobody would see what runs do. \`caisson setup --runtime ${runtime.runtime}\` mends it.`,
  );
}
