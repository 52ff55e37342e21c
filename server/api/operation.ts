import express, { type Router } from 'express';
import type { Clock } from '../base/clock.ts';
import { CaissonError } from '../../shared/protocol/errors.ts';
import type { Readiness } from '../readiness.ts';

export interface OperationOptions {
  readonly ready: () => Promise<Readiness>;
  /** A `mailto:` or `https:` URI, or nothing where the operator named none. */
  readonly securityContact: string | undefined;
  readonly clock: Clock;
}

const DAY_MS = 86_400_000;
/** RFC 9116 section 2.5.5 recommends less than a year. */
const CONTACT_DAYS = 180;

/** For load balancers, supervisors and finders of holes: public, outside the API's prefix, and without any detail. */
export function operationRoutes({ ready, securityContact, clock }: OperationOptions): Router {
  const router = express.Router({ caseSensitive: true, strict: true });
  router.use((_request, response, next) => {
    response.setHeader('Cache-Control', 'no-store');
    next();
  });
  router.get('/healthz', (_request, response) => {
    response.json({ status: 'ok' });
  });
  router.get('/readyz', async (_request, response) => {
    const checks = await ready();
    const ok = Object.values(checks).every(Boolean);
    response.status(ok ? 200 : 503).json({ status: ok ? 'ok' : 'unavailable', checks });
  });
  router.get('/.well-known/security.txt', (_request, response) => {
    if (securityContact === undefined)
      throw new CaissonError(
        'not_found',
        'This server’s operator has named no security contact (CAISSON_SECURITY_CONTACT).',
      );
    // Whole days, so that the text changes once a day and not with each request.
    const day = Math.floor(clock.now().getTime() / DAY_MS) * DAY_MS;
    const expires = new Date(day + CONTACT_DAYS * DAY_MS).toISOString();
    response.type('text/plain').send(`Contact: ${securityContact}\nExpires: ${expires}\nPreferred-Languages: en\n`);
  });
  return router;
}
