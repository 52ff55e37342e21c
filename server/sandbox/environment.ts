/** The address at which the relay listens inside every sandbox. */
export const RELAY_PORT = 3128;
const PROXY = `http://127.0.0.1:${RELAY_PORT}`;
const NO_PROXY = 'localhost,127.0.0.1,::1';

/**
 * What every process of a sandbox finds in its environment: the one way out, said in each tool's own words. Nothing in
 * it is secret; the engine shows it to anyone who may inspect containers.
 */
export function sandboxEnvironment(): Readonly<Record<string, string>> {
  return {
    CAISSON: '1',
    HOME: '/home/agent',
    USER: 'agent',
    LANG: 'C.UTF-8',
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    // Programs disagree about the case of these names; curl reads `http_proxy` in lower case only.
    HTTP_PROXY: PROXY,
    HTTPS_PROXY: PROXY,
    NO_PROXY,
    http_proxy: PROXY,
    https_proxy: PROXY,
    no_proxy: NO_PROXY,
    // Node's own fetch and http take no notice of the above without it (nodejs.org/api/cli.html#node_use_env_proxy1).
    NODE_USE_ENV_PROXY: '1',
    npm_config_proxy: PROXY,
    npm_config_https_proxy: PROXY,
    PIP_PROXY: PROXY,
    // SSH goes through CONNECT. There is no known_hosts and no one to ask, so a host's first key is taken as its own.
    GIT_SSH_COMMAND: `ssh -o ProxyCommand='socat - PROXY:127.0.0.1:%h:%p,proxyport=${RELAY_PORT}' -o StrictHostKeyChecking=accept-new`,
    JAVA_TOOL_OPTIONS: ['http', 'https']
      .map((scheme) => `-D${scheme}.proxyHost=127.0.0.1 -D${scheme}.proxyPort=${RELAY_PORT}`)
      .join(' '),
  };
}
