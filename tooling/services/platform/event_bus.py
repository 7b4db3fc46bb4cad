"""
Speaks for the platform in our tests: its own event definitions, Avro code, producer and consumer, unchanged.

Reads one JSON document from standard input (brokers, registry_url, topic_prefix, input) and answers with one on
standard output. Commands:
  schemas  input: list of event types; answers with the schema text that the platform registers for each.
  produce  input: list of {type, topic, key_field, data}; answers with the number of events that were acknowledged.
  consume  input: {topic, group, count}; answers with the events that arrived, in order, once there are `count`.
"""
import json
import sys
from unittest import mock

import attr
import django
from django.conf import settings

request = json.load(sys.stdin)
settings.configure(
    SERVICE_VARIANT="lms",
    EVENT_BUS_TOPIC_PREFIX=request["topic_prefix"] or None,
    EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS=request["brokers"],
    EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL=request["registry_url"],
    USE_TZ=True,
)
django.setup()

# pylint: disable=wrong-import-position
from edx_event_bus_kafka.internal.consumer import KafkaEventConsumer
from edx_event_bus_kafka.internal.producer import create_producer
from openedx_events.data import EventsMetadata
from openedx_events.enterprise import signals as _  # noqa: F401  (registers the definitions)
from openedx_events.event_bus.avro.deserializer import AvroSignalDeserializer
from openedx_events.event_bus.avro.serializer import AvroSignalSerializer
from openedx_events.tooling import OpenEdxPublicSignal


@attr.s(frozen=True)
class PingData:
    """The old service defined this event by itself, and the platform's tools learn it from that definition."""

    ping_uuid = attr.ib(type=str)
    ping_message = attr.ib(type=str)


PING = OpenEdxPublicSignal(event_type="org.openedx.enterprise.core.ping.v1", data={"ping": PingData})


def schemas(types):
    """The schema text of each event type."""
    return {
        event_type: AvroSignalSerializer(OpenEdxPublicSignal.get_signal_by_type(event_type)).schema_string()
        for event_type in types
    }


def produce(events):
    """Sends events as the platform does and waits until the broker has them."""
    producer = create_producer()
    failures = []
    with mock.patch(
        "edx_event_bus_kafka.internal.producer.record_producing_error",
        lambda error, context: failures.append(str(error)),
    ):
        for event in events:
            signal = OpenEdxPublicSignal.get_signal_by_type(event["type"])
            producer.send(
                signal=signal,
                topic=event["topic"],
                event_key_field=event["key_field"],
                event_data=AvroSignalDeserializer(signal).from_dict(event["data"]),
                event_metadata=EventsMetadata(event_type=signal.event_type, minorversion=0),
            )
        producer.prepare_for_shutdown()
    if failures:
        raise RuntimeError(failures)
    return len(events)


def consume(options):
    """Runs the platform's consumer until `count` events have reached a receiver."""
    received = []
    consumer = KafkaEventConsumer(options["topic"], options["group"])

    def receive(signal, metadata, **kwargs):
        data = {name: kwargs[name] for name in signal.init_data}
        received.append({
            "type": signal.event_type,
            "metadata": metadata.to_json_data(),
            # Through objects of the platform's classes and back: shows that every field was understood.
            "data": AvroSignalSerializer(signal).to_dict(data),
        })
        if len(received) == options["count"]:
            consumer._shut_down()  # pylint: disable=protected-access

    for signal in OpenEdxPublicSignal.all_events():
        signal.connect(receive, weak=False)
    consumer.consume_indefinitely()
    return received


commands = {"schemas": schemas, "produce": produce, "consume": consume}
json.dump(commands[sys.argv[1]](request["input"]), sys.stdout)
