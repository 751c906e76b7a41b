"""One call of each variant in Python: onnxruntime on the bundle's files, LiteRT (XNNPACK) on converted ones. JSON lines.

Usage: inference.py BUNDLE_FOLDER TFLITE_FOLDER SECONDS
"""

import json
import sys
import time
from itertools import product
from pathlib import Path

import numpy as np

bundle, tflite, seconds = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
manifest = json.loads((bundle / "manifest.json").read_text())
inputs = [
    (i["name"], np.asarray(v, np.float32).reshape(1, *i["shape"]))
    for i, v in zip(manifest["inputs"], manifest["golden"]["inputs"][0])
]


def measure(call):
    for _ in range(200):
        call()
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter_ns()
        call()
        times.append(time.perf_counter_ns() - start)
    return {"p50Us": round(float(np.percentile(times, 50)) / 1e3, 1), "p99Us": round(float(np.percentile(times, 99)) / 1e3, 1)}


def say(engine, variant, figures):
    print(json.dumps({"model": manifest["name"], "engine": engine, "variant": variant, **figures}), flush=True)


import onnxruntime as ort

options = ort.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
for variant in manifest["variants"]:
    session = ort.InferenceSession(bundle / variant["file"], options, providers=["CPUExecutionProvider"])
    feed = dict(inputs)
    say("onnxruntime (Python)", variant["id"], measure(lambda: session.run(None, feed)))

try:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType
except ImportError:
    sys.exit(0)
# As it comes, and with the kernels that people had when they found it slow on a PC.
RESOLVERS = {
    "LiteRT (Python, XNNPACK)": OpResolverType.AUTO,
    "LiteRT (Python, its own kernels)": OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
}
for engine, kind in product(RESOLVERS, ("fp32", "fp16", "int8")):
    file = tflite / f"{manifest['name']}.{kind}.tflite"
    if not file.exists():
        continue
    interpreter = Interpreter(model_path=str(file), num_threads=1, experimental_op_resolver_type=RESOLVERS[engine])
    interpreter.allocate_tensors()
    details = interpreter.get_input_details()
    by_shape = {tuple(v.shape): v for _, v in inputs}

    def call():
        for d in details:
            interpreter.set_tensor(d["index"], by_shape[tuple(d["shape"])])
        interpreter.invoke()

    say(engine, kind, measure(call))
