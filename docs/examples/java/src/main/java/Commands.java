import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeoutException;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** Publishes commands to one service of the mesh, and awaits what becomes of them. For one thread. */
final class Commands implements AutoCloseable {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int PUBLICATIONS = 4;
    private static final Duration PATIENCE = Duration.ofSeconds(5);

    private final String source;
    private final String commands;
    private final KafkaProducer<String, String> producer;
    private final KafkaConsumer<String, String> consumer;

    /** Connects, and stands at the ends of the events topic: before anything is published. */
    Commands(String servers, String prefix, String service, String source) {
        this.source = source;
        this.commands = prefix + "." + service + ".commands.v1";
        String events = prefix + "." + service + ".events.v1";
        // Nothing to set for the partition: Java's default is murmur2 of the key, as the contract wants it.
        producer = new KafkaProducer<>(
                Map.of("bootstrap.servers", servers, "acks", "all", "enable.idempotence", true, "linger.ms", 0),
                new StringSerializer(), new StringSerializer());
        consumer = new KafkaConsumer<>(
                Map.of("bootstrap.servers", servers, "enable.auto.commit", false),
                new StringDeserializer(), new StringDeserializer());
        List<TopicPartition> partitions = consumer.partitionsFor(events).stream()
                .map(partition -> new TopicPartition(events, partition.partition())).toList();
        consumer.assign(partitions);
        consumer.seekToEnd(partitions);
        // Seeking is lazy: asking for the positions makes it happen now.
        partitions.forEach(consumer::position);
    }

    /**
     * Asks for something, and returns the outcome: the event that happened, or the refusal (its type ends in .rejected.v1).
     *
     * @param id the command's id. The same command with the same id comes to the same outcome, however often it is asked for.
     * @throws TimeoutException nobody answered: ask again later, with the same id.
     */
    JsonNode request(String type, String key, String id, Map<String, ?> data) throws Exception {
        var command = new ProducerRecord<>(commands, key, JSON.writeValueAsString(data));
        Map.of("content-type", "application/json", "ce_specversion", "1.0", "ce_id", id, "ce_source", source,
                        "ce_type", type, "ce_time", Instant.now().toString())
                .forEach((name, value) -> command.headers().add(new RecordHeader(name, value.getBytes(StandardCharsets.UTF_8))));
        for (int publication = 0; publication < PUBLICATIONS; publication++) {
            // The very same record again is harmless: a command is its source and id.
            producer.send(command).get();
            JsonNode outcome = await(id);
            if (outcome != null) {
                return outcome;
            }
        }
        throw new TimeoutException("No outcome of " + type + " " + id + ": ask again, with the same id.");
    }

    private JsonNode await(String id) throws Exception {
        Instant deadline = Instant.now().plus(PATIENCE);
        while (Instant.now().isBefore(deadline)) {
            for (var record : consumer.poll(Duration.ofMillis(100))) {
                JsonNode event = JSON.readTree(record.value());
                JsonNode decision = event.path("decision");
                if (decision.path("index").asInt(-1) == 0
                        && decision.path("command").path("id").asText().equals(id)
                        && decision.path("command").path("source").asText().equals(source)) {
                    return event;
                }
            }
        }
        return null;
    }

    @Override
    public void close() {
        producer.close();
        consumer.close();
    }
}
