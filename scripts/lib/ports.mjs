// Ports on the loopback interface that nobody uses.
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";

/**
 * Below what systems hand out to outgoing connections (32,768 and up on Linux): else such a connection could take the port
 * of a server that is about to restart, and a client that tries a dead port again and again could even connect to itself.
 */
const FIRST = 10_000;
const LAST = 32_000;
const ATTEMPTS = 100;

/** A port that was free a moment ago. */
export async function freePort() {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const port = randomInt(FIRST, LAST);
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port found between ${FIRST} and ${LAST} in ${ATTEMPTS} attempts`);
}

async function isFree(port) {
  const server = createServer();
  try {
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}
