// The sum of two numbers behind HTTP Basic, as the documentation of Fastify and @fastify/basic-auth shows it, with schemas for
// both directions, which is what makes Fastify fast. Its log is off.
import { timingSafeEqual } from 'node:crypto'
import Fastify from 'fastify'
import basicAuth from '@fastify/basic-auth'

const { PORT, BENCH_USER, BENCH_PASSWORD, BENCH_REALM } = process.env
const wanted = [BENCH_USER, BENCH_PASSWORD].map((text) => Buffer.from(text))

function same (text, bytes) {
  const given = Buffer.from(text)
  return given.length === bytes.length && timingSafeEqual(given, bytes)
}

const fastify = Fastify({ logger: false, keepAliveTimeout: 60_000 })
await fastify.register(basicAuth, {
  authenticate: { realm: BENCH_REALM },
  validate (username, password, request, reply, done) {
    done(same(username, wanted[0]) && same(password, wanted[1]) ? undefined : new Error('Unauthorized'))
  }
})
fastify.route({
  method: 'POST',
  url: '/sum',
  schema: {
    body: { type: 'object', required: ['a', 'b'], properties: { a: { type: 'integer' }, b: { type: 'integer' } } },
    response: { 200: { type: 'object', properties: { sum: { type: 'integer' } } } }
  },
  onRequest: fastify.basicAuth,
  handler: async (request) => ({ sum: request.body.a + request.body.b })
})
await fastify.listen({ host: '127.0.0.1', port: Number(PORT), backlog: 4096 })
