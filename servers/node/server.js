// Hello World on Node's own http module, as a user of it would write it.
//
// More than one thread is the cluster module, Node's documented way to use several cores: the primary
// process accepts and hands connections to the workers in turn.
"use strict";

const cluster = require("node:cluster");
const http = require("node:http");
const { parseArgs } = require("node:util");

const BODY = "Hello World";
const HEADERS = { Server: "node", "Content-Type": "text/plain" };

const { values } = parseArgs({
  options: {
    host: { type: "string", default: "127.0.0.1" },
    port: { type: "string", default: "8080" },
    threads: { type: "string", default: "1" },
  },
});
const host = values.host;
const port = Number(values.port);
const threads = Number(values.threads);

function answer(request, response) {
  // Date, Connection, the empty body of HEAD and what is left of a posted body are Node's work.
  const found = request.url === "/" || request.url.startsWith("/?");
  const body = found ? BODY : "Not Found";
  response.writeHead(found ? 200 : 404, { ...HEADERS, "Content-Length": Buffer.byteLength(body) });
  response.end(body);
}

function listen(failed) {
  const server = http.createServer({ keepAliveTimeout: 0 }, answer); // A client may pause as long as it likes.
  server.on("error", (error) => failed(error.code));
  server.listen({ port, host, backlog: 4096 }); // Node's own 511 is too short for a thousand clients at once.
}

function fail(code) {
  const reason = code === "EADDRINUSE" ? "Address already in use" : code; // As the other servers write it.
  process.stderr.write(`node: cannot listen on ${host}:${port}: ${reason}\n`);
  process.exit(1);
}

function lead() {
  let online = 0;
  for (let n = 0; n < threads; n++) {
    cluster.fork().on("message", fail);
  }
  cluster.on("exit", () => process.exit(1)); // With a worker less it is not the server that was asked for.
  cluster.on("online", () => {
    // All begin at the same time, so that the first connections do not all go to the first worker.
    if (++online === threads) {
      Object.values(cluster.workers).forEach((worker) => worker.send("listen"));
    }
  });
}

if (cluster.isWorker) {
  process.once("message", () => listen((code) => process.send(code)));
} else if (threads > 1) {
  lead();
} else {
  listen(fail);
}
