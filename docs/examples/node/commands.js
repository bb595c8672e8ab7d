import { randomUUID } from 'node:crypto'
import { Kafka, Partitioners, logLevel } from 'kafkajs'

const PUBLICATIONS = 4
const PATIENCE_MILLISECONDS = 5_000

/** Publishes commands to one service of the mesh, and awaits what becomes of them; many at once, if you like. */
export class Commands {
  #waiting = new Map()

  constructor({ servers, prefix = 'telemed', service, source }) {
    const kafka = new Kafka({ clientId: source, brokers: servers.split(','), logLevel: logLevel.ERROR })
    this.source = source
    this.commandsTopic = `${prefix}.${service}.commands.v1`
    this.eventsTopic = `${prefix}.${service}.events.v1`
    this.admin = kafka.admin()
    this.producer = kafka.producer({
      // murmur2 of the key, as Java has it: the default since kafkajs 2. In kafkajs 1 it is JavaCompatiblePartitioner, and its own default another one.
      createPartitioner: Partitioners.DefaultPartitioner,
      idempotent: true,
      maxInFlightRequests: 1,
    })
    // kafkajs reads in groups alone: one of our own, which nobody shares.
    this.consumer = kafka.consumer({ groupId: `await-${randomUUID()}` })
  }

  /** Connects, and stands at the ends of the events topic: before anything is published. */
  async open() {
    await Promise.all([this.admin.connect(), this.producer.connect(), this.consumer.connect()])
    await this.consumer.subscribe({ topic: this.eventsTopic })
    const joined = new Promise((resolve) => this.consumer.on(this.consumer.events.GROUP_JOIN, resolve))
    const ends = await this.admin.fetchTopicOffsets(this.eventsTopic)
    await this.consumer.run({ autoCommit: false, eachMessage: async ({ message }) => this.#hear(message) })
    await joined
    for (const { partition, high } of ends) {
      this.consumer.seek({ topic: this.eventsTopic, partition, offset: high })
    }
  }

  /**
   * Asks for something, and returns the outcome: the event that happened, or the refusal (its type ends in .rejected.v1).
   * The same command with the same id comes to the same outcome, however often it is asked for.
   */
  async request(type, key, data, id = randomUUID()) {
    const message = {
      key,
      value: JSON.stringify(data),
      headers: {
        'content-type': 'application/json',
        ce_specversion: '1.0',
        ce_id: id,
        ce_source: this.source,
        ce_type: type,
        ce_time: new Date().toISOString(),
      },
    }
    const outcome = new Promise((resolve) => this.#waiting.set(id, resolve))
    try {
      for (let publication = 0; publication < PUBLICATIONS; publication++) {
        // The very same record again is harmless: a command is its source and id.
        await this.producer.send({ topic: this.commandsTopic, messages: [message], acks: -1 })
        const answer = await Promise.race([outcome, pause(PATIENCE_MILLISECONDS)])
        if (answer !== undefined) return answer
      }
    } finally {
      this.#waiting.delete(id)
    }
    throw new Error(`No outcome of ${type} ${id}: ask again, with the same id.`)
  }

  #hear(message) {
    const event = JSON.parse(message.value.toString())
    const { index, command } = event.decision ?? {}
    if (index === 0 && command.source === this.source) this.#waiting.get(command.id)?.(event)
  }

  async close() {
    await Promise.all([this.admin.disconnect(), this.producer.disconnect(), this.consumer.disconnect()])
  }
}

function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds).unref())
}
