import java.util.Map;
import java.util.UUID;

/** Books half an hour: DOCTOR PATIENT STARTS_AT [ID]. */
public final class Book {
    public static void main(String[] arguments) throws Exception {
        String doctor = arguments[0];
        String patient = arguments[1];
        String id = arguments.length > 3 ? arguments[3] : UUID.randomUUID().toString();
        String servers = System.getenv().getOrDefault("KAFKA", "localhost:9092");
        String prefix = System.getenv().getOrDefault("PREFIX", "telemed");
        try (var commands = new Commands(servers, prefix, "booking", "/examples/java")) {
            var outcome = commands.request("booking.appointment.book.v1", doctor, id, Map.of(
                    "doctor_id", doctor,
                    "patient_id", patient,
                    "starts_at", arguments[2],
                    "modality", "video",
                    "actor", Map.of("role", "patient", "id", patient)));
            if (outcome.path("type").asText().endsWith(".rejected.v1")) {
                System.out.printf("refused %d %s: %s%n",
                        outcome.path("status_code").asInt(), outcome.path("reason").asText(), outcome.path("message").asText());
            } else {
                System.out.printf("booked %s until %s%n", outcome.path("appointment_id").asText(), outcome.path("expires_at").asText());
            }
        }
    }
}
