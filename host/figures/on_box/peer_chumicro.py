# Runs on MicroPython: chumicro-mqtt publishes messages of 32 bytes from RAM, QoS 1, with a session
# that the broker keeps. argv: folder of its packages, port, messages, window.

import gc
import json
import sys
import time

sys.path.append(sys.argv[1])
from chumicro_mqtt import MQTTClient, ProtocolState
from chumicro_timing import ticks_ms

COUNT, WINDOW = int(sys.argv[3]), int(sys.argv[4])
PAYLOAD = bytes(32)
TOPIC = "wallbox/BENCH/ledger"

client = MQTTClient.from_config(
    {"mqtt.broker.host": "127.0.0.1", "mqtt.broker.port": int(sys.argv[2]),
     "mqtt.client_id": "BENCH"},
    clean_session=False,
    max_tx_queue_size=WINDOW + 8,
)
acknowledged = [0]


def on_publish(topic, payload):
    acknowledged[0] += 1


def turn():
    now = ticks_ms()
    if client.check(now):
        client.handle(now)
    if client.state == ProtocolState.FAILED:
        raise RuntimeError("chumicro-mqtt: failed: %s" % client.last_error)


client.connect()
while client.state != ProtocolState.CONNECTED:
    turn()
gc.collect()
before = gc.mem_alloc()
heap = 0
sent = 0
began = time.ticks_us()
while acknowledged[0] < COUNT:
    while sent < COUNT and sent - acknowledged[0] < WINDOW:
        client.publish(TOPIC, PAYLOAD, qos=1, on_publish=on_publish)
        sent += 1
    if not heap and sent == WINDOW:
        gc.collect()
        heap = gc.mem_alloc() - before
    turn()
elapsed = time.ticks_diff(time.ticks_us(), began)
print(json.dumps({"drain_us": elapsed, "messages": COUNT, "in_flight_bytes": heap}))
