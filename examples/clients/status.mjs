// Prints every location's state, then one event. Usage: node status.mjs CONTROL-SOCKET
import { createConnection } from "node:net";
import { decodeMultiStream, encode } from "@msgpack/msgpack";

const socket = createConnection(process.argv[2] ?? process.env.CODELOCD_SOCKET);
const ask = (id, method, params) => socket.write(encode([0, id, method, [params]]));
ask(1, "status", {});

for await (const [type, ...rest] of decodeMultiStream(socket)) {
  if (type === 1) {
    const [id, error, result] = rest;
    if (error) throw new Error(`${error.kind}: ${error.message}`);
    if (id !== 1) continue;
    for (const { name, state } of result.locations) console.log(name, state);
    // Answers come in the order in which they are ready: so one at a time.
    ask(2, "subscribe", { topics: ["status"] });
  } else if (rest[0] === "event") {
    const [{ topic, seq, data }] = rest[1];
    console.log(`event ${seq} of ${topic}:`, data.full ? "the full state" : data.event.event);
    break;
  }
}
socket.end();
