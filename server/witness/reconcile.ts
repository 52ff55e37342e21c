import type { NewEvent } from '../../shared/protocol/events.ts';
import { alert } from './account.ts';

const MAX_ALERTS = 20;

/** 127.0.0.0/8 (RFC 1122 section 3.2.1.3), ::1 (RFC 4291 section 2.5.3) and 127/8 mapped into IPv6 (section 2.5.5.2). */
const LOOPBACK = /^(127\.|::1$|::ffff:7f[0-9a-f]{2}:)/;
/** Connecting to the unspecified address reaches the machine itself, as on Linux. */
const UNSPECIFIED = /^(0\.0\.0\.0|::|::ffff:0:0)$/;

/**
 * What the kernel saw against the one way out: a sandbox's traffic goes through the forwarder on its loopback, so a
 * process that asks for any other internet address means to pass the gateway by. It fails, since there is no network;
 * that it was tried is worth knowing. Raises one alert per distinct address, at most 20 in all.
 */
export function createReconciler(): (events: readonly NewEvent[]) => NewEvent[] {
  const alerted = new Set<string>();
  return (events) =>
    events.flatMap((event) => {
      if (event.type !== 'process.connect') return [];
      const { family, address, port, process, pid } = event.data;
      if (family !== 'inet' && family !== 'inet6') return [];
      if (LOOPBACK.test(address) || UNSPECIFIED.test(address)) return [];
      if (alerted.has(address) || alerted.size >= MAX_ALERTS) return [];
      alerted.add(address);
      const target = family === 'inet6' ? `[${address}]:${port}` : `${address}:${port}`;
      const who = `${process || 'A process'} (process ${pid})`;
      return [
        alert(
          'witness.direct-connect',
          `${who} tried to connect to ${target} past the gateway. There is no network there.`,
        ),
      ];
    });
}
