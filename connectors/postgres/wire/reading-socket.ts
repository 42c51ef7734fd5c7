import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/** Bytes of one read, and of the buffer that a connection keeps for them. */
const READ_BYTES = 64 * 1024;

/** Gets what came in. The bytes are its only until it returns. */
export type Receive = (chunk: Buffer) => void;

const receivers = new WeakMap<Duplex, { receive: Receive }>();

/**
 * A TCP socket that reads into one buffer of its own, over and over. Node's sockets otherwise allocate 64 KiB for every read, whatever
 * comes: at full speed that garbage is most of what a process holds. (Promise 6)
 *
 * For whoever listens to it, here the driver during login, it is a socket like any other: 'data' comes with bytes of its own.
 * {@link receiveInto} turns it over to somebody who needs no copies.
 */
export function readingSocket(): Socket {
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  const receiver = {
    receive: (chunk: Buffer): void => void socket.emit('data', Buffer.from(chunk)),
  };
  const socket = new Socket({
    onread: {
      buffer,
      callback: (length) => {
        receiver.receive(buffer.subarray(0, length));
        return true;
      },
    },
  });
  receivers.set(socket, receiver);
  return socket;
}

export function isReadingSocket(socket: Duplex): boolean {
  return receivers.has(socket);
}

/** From now on `receive` gets what comes in, without events where the socket is a {@link readingSocket}. Nobody else may listen. */
export function receiveInto(socket: Duplex, receive: Receive): void {
  const receiver = receivers.get(socket);
  if (receiver === undefined) socket.on('data', receive);
  else receiver.receive = receive;
}
