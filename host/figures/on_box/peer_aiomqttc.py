# Runs on MicroPython: aiomqttc publishes messages of 32 bytes from RAM, QoS 1. argv: folder of its
# packages, port, messages, tasks that publish at once.

import asyncio
import json
import sys
import time

sys.path.append(sys.argv[1])
import aiomqttc

aiomqttc.log = lambda *parts: None

COUNT, TASKS = int(sys.argv[3]), int(sys.argv[4])
PAYLOAD = bytes(32)
TOPIC = "wallbox/BENCH/ledger"

client = aiomqttc.MQTTClient(
    "BENCH", "127.0.0.1", int(sys.argv[2]), keepalive=60, clean_session=False
)
left = [COUNT]


async def publish():
    while left[0] > 0:
        left[0] -= 1
        if not await client.publish(TOPIC, PAYLOAD, qos=1):
            raise RuntimeError("aiomqttc: a message was not acknowledged")


async def drain():
    if not await client.connect():
        raise RuntimeError("aiomqttc: no connection")
    began = time.ticks_us()
    await asyncio.gather(*[publish() for _ in range(TASKS)])
    elapsed = time.ticks_diff(time.ticks_us(), began)
    print(json.dumps({"drain_us": elapsed, "messages": COUNT}))


asyncio.run(drain())
