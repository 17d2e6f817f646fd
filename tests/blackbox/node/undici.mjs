// Calls an address with undici: keep-alive, pipelined and parallel, and tells what came back.
//
// stdin: {"origin", "path", "method", "headers", "body": text or null, "count", "connections", "pipelining"}
// stdout: {"answers": [{"status", "body"}]} in the order of the requests
import { Pool } from "undici";

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const order = JSON.parse(Buffer.concat(chunks).toString("utf8"));

const pool = new Pool(order.origin, { connections: order.connections, pipelining: order.pipelining, headersTimeout: 20_000, bodyTimeout: 20_000 });
const one = async () => {
  const { statusCode, body } = await pool.request({ path: order.path, method: order.method, headers: order.headers, body: order.body });
  return { status: statusCode, body: await body.text() };
};
try {
  const answers = await Promise.all(Array.from({ length: order.count }, one));
  process.stdout.write(JSON.stringify({ answers }));
} finally {
  await pool.close();
}
