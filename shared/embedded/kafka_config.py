"""The configuration of the embedded Kafka."""

from pathlib import Path
from xml.sax.saxutils import escape


def server_properties(*, port: int, controller_port: int, data: Path) -> str:
    """Return the text of ``server.properties`` for one KRaft node that is broker and controller."""
    properties = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "PLAINTEXT",
        "log.dirs": str(data),
        # Topics come from one list in the code; a misspelt name must fail and not become a topic.
        "auto.create.topics.enable": "false",
        # One node: everything internal has one copy, and few partitions, so that the first start is quick.
        "default.replication.factor": "1",
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "2",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "share.coordinator.state.topic.num.partitions": "2",
        # A group's first member need not wait three seconds for others to join.
        "group.initial.rebalance.delay.ms": "0",
        # Tests make workers vanish, and wait for the others to take over.
        "group.min.session.timeout.ms": "1000",
        # After a crash the controller, in the same process, takes the broker for alive until its session ends (default 9 s), and
        # lets the new one in only then.
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "600",
        # Threads cost memory; a broker of one machine needs few.
        "num.network.threads": "2",
        "num.io.threads": "4",
        "num.recovery.threads.per.data.dir": "2",
        "background.threads": "2",
        # Buffers that Kafka allocates at start whether used or not (default 128 MiB).
        "log.cleaner.dedupe.buffer.size": "16777216",
        # Preallocated by each partition that is written to (default 10 MiB).
        "log.index.size.max.bytes": "2097152",
        "log.segment.bytes": "134217728",
        # What is deleted goes at once (default: after a minute): the disk is then busy while somebody waits for it, and not later.
        "log.segment.delete.delay.ms": "1000",
        "controlled.shutdown.enable": "true",
        "metric.reporters": "",
    }
    return "".join(f"{name}={value}\n" for name, value in properties.items())


def log4j_configuration(log_path: Path) -> str:
    """Return the text of ``log4j2.xml``: one file, three older ones at the most, 10 MB each."""
    path = escape(str(log_path), {'"': "&quot;"})
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<Configuration status="WARN" shutdownHook="disable">
  <Appenders>
    <RollingFile name="file" fileName="{path}" filePattern="{path}.%i">
      <PatternLayout pattern="%d{{yyyy-MM-dd'T'HH:mm:ss.SSSX}}{{UTC}} %-5level %c{{1}} %msg%n"/>
      <Policies><SizeBasedTriggeringPolicy size="10 MB"/></Policies>
      <DefaultRolloverStrategy max="3"/>
    </RollingFile>
  </Appenders>
  <Loggers>
    <Logger name="kafka" level="INFO"/>
    <Logger name="org.apache.kafka" level="WARN"/>
    <Root level="WARN"><AppenderRef ref="file"/></Root>
  </Loggers>
</Configuration>
"""
