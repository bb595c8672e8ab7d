<?php

// Books half an hour: php book.php DOCTOR PATIENT STARTS_AT [ID]

declare(strict_types=1);

require __DIR__ . '/Commands.php';

[, $doctor, $patient, $startsAt] = $argv;
$id = $argv[4] ?? bin2hex(random_bytes(16));
$commands = new Commands(getenv('KAFKA') ?: 'localhost:9092', getenv('PREFIX') ?: 'telemed', 'booking', '/examples/php');
$outcome = $commands->request('booking.appointment.book.v1', $doctor, $id, [
    'doctor_id' => $doctor,
    'patient_id' => $patient,
    'starts_at' => $startsAt,
    'modality' => 'video',
    'actor' => ['role' => 'patient', 'id' => $patient],
]);
if (str_ends_with($outcome['type'], '.rejected.v1')) {
    printf("refused %d %s: %s\n", $outcome['status_code'], $outcome['reason'], $outcome['message']);
} else {
    printf("booked %s until %s\n", $outcome['appointment_id'], $outcome['expires_at']);
}
