<?php

declare(strict_types=1);

/** Publishes commands to one service of the mesh, and awaits what becomes of them. */
final class Commands
{
    private const PUBLICATIONS = 4;
    private const PATIENCE_SECONDS = 5.0;
    private const FLUSH_MILLISECONDS = 10_000;

    private RdKafka\Producer $producer;
    private RdKafka\ProducerTopic $commands;
    private RdKafka\KafkaConsumer $consumer;

    /** Connects, and stands at the ends of the events topic: before anything is published. */
    public function __construct(string $servers, string $prefix, string $service, private string $source)
    {
        $settings = new RdKafka\Conf();
        $settings->set('bootstrap.servers', $servers);
        $settings->set('enable.idempotence', 'true');
        // librdkafka has another default: without this line a doctor's commands would lie on another partition than everybody else's.
        $settings->set('partitioner', 'murmur2_random');
        $this->producer = new RdKafka\Producer($settings);
        $this->commands = $this->producer->newTopic("$prefix.$service.commands.v1");

        $settings = new RdKafka\Conf();
        $settings->set('bootstrap.servers', $servers);
        $settings->set('group.id', 'unused');
        $settings->set('enable.auto.commit', 'false');
        $this->consumer = new RdKafka\KafkaConsumer($settings);
        $events = $this->consumer->newTopic("$prefix.$service.events.v1");
        $places = [];
        foreach ($this->consumer->getMetadata(false, $events, 10_000)->getTopics() as $topic) {
            foreach ($topic->getPartitions() as $partition) {
                [$low, $high] = [0, 0];
                $this->consumer->queryWatermarkOffsets($topic->getTopic(), $partition->getId(), $low, $high, 10_000);
                $places[] = new RdKafka\TopicPartition($topic->getTopic(), $partition->getId(), $high);
            }
        }
        $this->consumer->assign($places);
    }

    /**
     * Asks for something, and returns the outcome: the event that happened, or the refusal (its type ends in .rejected.v1).
     * The same command with the same id comes to the same outcome, however often it is asked for.
     *
     * @param array<string, mixed> $data
     * @return array<string, mixed>
     */
    public function request(string $type, string $key, string $id, array $data): array
    {
        $value = json_encode($data, JSON_THROW_ON_ERROR);
        $headers = [
            'content-type' => 'application/json',
            'ce_specversion' => '1.0',
            'ce_id' => $id,
            'ce_source' => $this->source,
            'ce_type' => $type,
            'ce_time' => gmdate('Y-m-d\TH:i:s\Z'),
        ];
        for ($publication = 0; $publication < self::PUBLICATIONS; $publication++) {
            // The very same record again is harmless: a command is its source and id.
            $this->commands->producev(RD_KAFKA_PARTITION_UA, 0, $value, $key, $headers);
            if ($this->producer->flush(self::FLUSH_MILLISECONDS) !== RD_KAFKA_RESP_ERR_NO_ERROR) {
                continue;
            }
            $outcome = $this->await($id);
            if ($outcome !== null) {
                return $outcome;
            }
        }
        throw new RuntimeException("No outcome of $type $id: ask again, with the same id.");
    }

    /** @return array<string, mixed>|null */
    private function await(string $id): ?array
    {
        $deadline = microtime(true) + self::PATIENCE_SECONDS;
        while (microtime(true) < $deadline) {
            $message = $this->consumer->consume(100);
            if ($message->err !== RD_KAFKA_RESP_ERR_NO_ERROR) {
                continue;
            }
            $event = json_decode($message->payload, true, flags: JSON_THROW_ON_ERROR);
            $decision = $event['decision'] ?? null;
            if ($decision !== null && $decision['index'] === 0
                && $decision['command']['id'] === $id && $decision['command']['source'] === $this->source) {
                return $event;
            }
        }
        return null;
    }
}
