"""librdkafka's mock cluster in a process of its own, which takes orders and ends with whoever started it.

Its first line on stdout is where it listens. Every line on stdin is an order, answered by `done`:

    topic NAME PARTITIONS      declare a topic; others get 4 partitions when they are first asked for
    down                       the broker takes no connections and drops those it has
    up                         it takes them again

It keeps some 5 MB a partition and silently drops what is older, makes no topics by request, tells no settings
of topics, writes no sums of its own and forgets everything when it ends.
"""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

REBALANCE_DELAY_MS = 500
_BROKER = 1


def _library() -> ctypes.CDLL:
    """The librdkafka that confluent-kafka's wheel carries, with the types of what is called."""
    import confluent_kafka

    place = Path(confluent_kafka.__file__).parent
    # Linux wheels carry it beside the package, those for macOS inside.
    (found, *_) = [
        *sorted(place.parent.glob("confluent_kafka.libs/librdkafka-*.so*")),
        *sorted(place.glob(".dylibs/librdkafka*.dylib")),
    ]
    library = ctypes.CDLL(str(found))
    pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    for name, result, arguments in (
        ("rd_kafka_conf_new", pointer, []),
        ("rd_kafka_conf_set", number, [pointer, text, text, text, ctypes.c_size_t]),
        ("rd_kafka_new", pointer, [number, pointer, text, ctypes.c_size_t]),
        ("rd_kafka_mock_cluster_new", pointer, [pointer, number]),
        ("rd_kafka_mock_cluster_bootstraps", text, [pointer]),
        ("rd_kafka_mock_topic_create", number, [pointer, text, number, number]),
        ("rd_kafka_mock_group_initial_rebalance_delay_ms", None, [pointer, ctypes.c_int32]),
        ("rd_kafka_mock_broker_set_down", number, [pointer, ctypes.c_int32]),
        ("rd_kafka_mock_broker_set_up", number, [pointer, ctypes.c_int32]),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def _serve() -> None:
    library = _library()
    told = ctypes.create_string_buffer(512)
    settings = library.rd_kafka_conf_new()
    # It would warn that it does not know where the cluster is that it is.
    library.rd_kafka_conf_set(settings, b"log_level", b"3", told, len(told))
    client = library.rd_kafka_new(0, settings, told, len(told))
    if not client:
        sys.exit(told.value.decode())
    cluster = library.rd_kafka_mock_cluster_new(client, 1)
    library.rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, REBALANCE_DELAY_MS)
    print(library.rd_kafka_mock_cluster_bootstraps(cluster).decode(), flush=True)
    # Whoever gave orders has gone when they end, killed or not.
    for line in sys.stdin:
        match line.split():
            case ["topic", name, partitions]:
                failed = library.rd_kafka_mock_topic_create(cluster, name.encode(), int(partitions), 1)
            case ["down"]:
                failed = library.rd_kafka_mock_broker_set_down(cluster, _BROKER)
            case ["up"]:
                failed = library.rd_kafka_mock_broker_set_up(cluster, _BROKER)
            case _:
                failed = True
        print("failed" if failed else "done", flush=True)


if __name__ == "__main__":
    _serve()
