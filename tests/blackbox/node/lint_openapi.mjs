// node lint_openapi.mjs CONFIG DOCUMENT: checks an OpenAPI document with the rules of CONFIG. Prints a line per problem, ends with 1
// if there is any. The engine is that of Redocly's command line, without its other two hundred packages.
import {createRequire} from 'node:module';

const {lint, loadConfig} = createRequire(import.meta.url)('@redocly/openapi-core');

const [configPath, document] = process.argv.slice(2);
if (!document) {
  console.error('usage: node lint_openapi.mjs CONFIG DOCUMENT');
  process.exit(2);
}
const config = await loadConfig({configPath});
const problems = await lint({ref: document, config});
for (const problem of problems) {
  const place = problem.location[0];
  console.error(`${document}: ${place?.pointer ?? ''}: ${problem.ruleId}: ${problem.message}`);
}
process.exit(problems.length === 0 ? 0 : 1);
