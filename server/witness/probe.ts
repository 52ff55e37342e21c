import { existsSync } from 'node:fs';
import { SeqpacketSocket } from 'node-unix-socket';

/** Whether a process listens on this SOCK_SEQPACKET socket; a socket file alone outlives its process. */
export async function isListening(socketPath: string): Promise<boolean> {
  if (!existsSync(socketPath)) return false;
  const socket = new SeqpacketSocket();
  try {
    return await new Promise<boolean>((resolve) => {
      socket.on('connect', () => resolve(true));
      socket.on('error', () => resolve(false));
      socket.connect(socketPath);
    });
  } catch {
    // connect() throws at once where nobody listens (ECONNREFUSED) and where the file is no such socket.
    return false;
  } finally {
    socket.destroy();
  }
}
