"""The same work as a Python engineer would write it: pyserial, numpy, sleepecg, onnxruntime, paho-mqtt.

One thread per serial port (pyserial blocks), one session of onnxruntime for all, paho's own network thread. It does less
than slothd: no checks of quality, no durable outbox, no features of the models' second input (zeros are fed), no watchdog.
The job comes as JSON in the environment variable PIPELINE.
"""

import json
import os
import signal
import sys
import threading
import time
from collections import deque

import numpy as np
import onnxruntime as ort
import paho.mqtt.client as mqtt
import serial

JOB = json.loads(os.environ["PIPELINE"])
ROOT = "python/bench"
LIMIT_RR_MS, INTERVALS, MODEL_RR, MODEL_EVERY = 1500, 4, 60, 5
ECG_RATE_HZ, WINDOW_S, DETECT_EVERY_S = 250, 8, 0.2

options = ort.SessionOptions()
options.intra_op_num_threads = 1
options.inter_op_num_threads = 1
session = ort.InferenceSession(JOB["model"], options, providers=["CPUExecutionProvider"])
NAMES = [i.name for i in session.get_inputs()]
SHAPES = [[1] + [d for d in i.shape[1:]] for i in session.get_inputs()]

client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="python-bench")
client.connect("127.0.0.1", JOB["brokerPort"])
client.loop_start()


def publish(sensor, event, kind):
    body = json.dumps({"id": f"{sensor}-{kind}", "event": event, "kind": kind, "at": time.time()})
    client.publish(f"{ROOT}/{sensor}/alert", body, qos=1)


def infer(first):
    inputs = {NAMES[0]: first.reshape(SHAPES[0]).astype(np.float32)}
    for name, shape in zip(NAMES[1:], SHAPES[1:]):
        inputs[name] = np.zeros(shape, np.float32)
    return session.run(None, inputs)[0]


class RrSensor:
    """Text lines RR=812: the last 60 intervals go to the model, the last 4 to the rule."""

    def __init__(self, name):
        self.name, self.rr, self.open, self.count = name, deque(maxlen=MODEL_RR), False, 0

    def line(self, line):
        if not line.startswith(b"RR="):
            return
        self.rr.append(float(line[3:]))
        self.count += 1
        if len(self.rr) == MODEL_RR and self.count % MODEL_EVERY == 0:
            rr = np.asarray(self.rr)
            med = np.median(rr)
            d = np.diff(rr, prepend=rr[0]) / med
            infer(np.stack([np.clip(np.log(rr / med), -1.2, 1.2) * 4, np.clip(d, -1, 1) * 4, np.full(MODEL_RR, 2 * np.log(med / 800))], 1))
        if len(self.rr) >= INTERVALS:
            slow = sum(list(self.rr)[-INTERVALS:]) / INTERVALS > LIMIT_RR_MS
            if slow != self.open:
                self.open = slow
                publish(self.name, "new" if slow else "end", "extreme-bradycardia")

    def idle(self):
        pass


class EcgSensor:
    """One number a line: sleepecg over the last 8 s five times a second; each new beat goes to the model and the rule."""

    def __init__(self, name):
        import sleepecg

        self.detect = sleepecg.detect_heartbeats
        self.name, self.open = name, False
        self.samples = deque(maxlen=WINDOW_S * ECG_RATE_HZ)
        self.count, self.checked, self.last = 0, 0, None

    def line(self, line):
        if line.isdigit():
            self.samples.append(int(line))
            self.count += 1

    def idle(self):
        if self.count - self.checked < DETECT_EVERY_S * ECG_RATE_HZ or len(self.samples) < 2 * ECG_RATE_HZ:
            return
        self.checked = self.count
        x = np.asarray(self.samples, dtype=np.float64)
        first = self.count - len(x)
        for beat in self.detect(x, ECG_RATE_HZ):
            at = first + int(beat)
            # A beat at the edge of the window may still move.
            if at > self.count - ECG_RATE_HZ // 5 or (self.last is not None and at <= self.last + ECG_RATE_HZ // 5):
                continue
            rr_ms = None if self.last is None else (at - self.last) * 1000 / ECG_RATE_HZ
            self.last = at
            window = np.interp(np.linspace(beat - 113, beat + 136, 128), np.arange(len(x)), x)
            infer(np.stack([window - window.mean(), window - window.mean()], 1))
            if rr_ms is None:
                continue
            pause = rr_ms > JOB["pauseMs"]
            if pause != self.open:
                self.open = pause
                publish(self.name, "new" if pause else "end", "pause")


def read(path, sensor):
    port = serial.Serial(path, 115200, timeout=1)
    rest = b""
    while True:
        data = port.read(port.in_waiting or 1)
        lines = (rest + data).split(b"\r\n")
        rest = lines.pop()
        for line in lines:
            sensor.line(line)
        sensor.idle()


make = RrSensor if JOB["signal"] == "rr" else EcgSensor
for i, path in enumerate(JOB["ports"]):
    threading.Thread(target=read, args=(path, make(f"s{i}")), daemon=True).start()
client.publish(f"{ROOT}/ready", "1", qos=1, retain=True)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
while True:
    time.sleep(1)
