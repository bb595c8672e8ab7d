// Books half an hour: node book.js DOCTOR PATIENT STARTS_AT [ID]
import { Commands } from './commands.js'

const [doctor, patient, startsAt, id] = process.argv.slice(2)
const commands = new Commands({
  servers: process.env.KAFKA ?? 'localhost:9092',
  prefix: process.env.PREFIX,
  service: 'booking',
  source: '/examples/node',
})
await commands.open()
try {
  const outcome = await commands.request(
    'booking.appointment.book.v1',
    doctor,
    { doctor_id: doctor, patient_id: patient, starts_at: startsAt, modality: 'video', actor: { role: 'patient', id: patient } },
    id,
  )
  if (outcome.type.endsWith('.rejected.v1')) {
    console.log(`refused ${outcome.status_code} ${outcome.reason}: ${outcome.message}`)
  } else {
    console.log(`booked ${outcome.appointment_id} until ${outcome.expires_at}`)
  }
} finally {
  await commands.close()
}
