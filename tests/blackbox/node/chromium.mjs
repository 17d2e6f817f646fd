// Opens an address in a headless Chromium that answers the authentication dialog, and tells what the page received.
//
// stdin: {"executable", "url", "username", "password", "parallel": how many fetches the page then makes at the same time, "fetch": their URL}
// stdout: {"status", "body", "fetches": [{"status", "body"}]}; status 0 when the browser gave up with wrong credentials
import { chromium } from "playwright-core";

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const order = JSON.parse(Buffer.concat(chunks).toString("utf8"));

const fetchAll = async ({ url, count }) => {
  const one = async (number) => {
    const reply = await fetch(`${url}?name=${number}`);
    return { status: reply.status, body: await reply.text() };
  };
  return Promise.all(Array.from({ length: count }, (_, number) => one(number)));
};

const browser = await chromium.launch({ executablePath: order.executable, args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"] });
try {
  const context = await browser.newContext({ httpCredentials: { username: order.username, password: order.password } });
  const page = await context.newPage();
  const answer = { status: 0, body: "", fetches: [] };
  try {
    const response = await page.goto(order.url, { timeout: 30_000 });
    answer.status = response.status();
    answer.body = await response.text();
  } catch (problem) {
    if (!String(problem).includes("ERR_INVALID_AUTH_CREDENTIALS")) throw problem;
  }
  if (order.parallel > 0) answer.fetches = await page.evaluate(fetchAll, { url: order.fetch, count: order.parallel });
  process.stdout.write(JSON.stringify(answer));
} finally {
  await browser.close();
}
