/** The HTTP API's path prefix, the stream's subprotocol and the version of the event envelope, in one place. */
export const API_PREFIX = '/v1';
export const STREAM_SUBPROTOCOL = 'caisson.v1';
export const EVENT_VERSION = 1;
