"""One of our float ONNX models as TensorFlow Lite files (float32, float16, int8), for LiteRT to run.

Usage: to_tflite.py BUNDLE_FOLDER OUT_FOLDER     needs tensorflow and onnx; prints what it wrote
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import tensorflow as tf
from onnx import numpy_helper

bundle, out = Path(sys.argv[1]), Path(sys.argv[2])
manifest = json.loads((bundle / "manifest.json").read_text())
float_variant = next(v for v in manifest["variants"] if v["id"] == "fp32")
graph = onnx.load(bundle / float_variant["file"]).graph
weights = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
inputs = [(i["name"], i["shape"]) for i in manifest["inputs"]]


def attributes(node):
    return {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}


def pads(x, value):
    """[begin, end] of the time axis of N, C, T."""
    return tf.pad(x, [[0, 0], [0, 0], list(value)]) if any(value) else x


def run(values):
    """Interprets the graph with TensorFlow operations; 1-D convolutions run as N, T, C."""
    env = dict(values)
    get = lambda name: env[name] if name in env else tf.constant(weights[name])
    for node in graph.node:
        a, x = attributes(node), [get(n) for n in node.input if n]
        op = node.op_type
        if op == "Transpose":
            y = tf.transpose(x[0], a["perm"])
        elif op == "Conv":
            w = np.transpose(weights[node.input[1]], (2, 1, 0))
            y = tf.transpose(pads(x[0], a.get("pads", [0, 0])), (0, 2, 1))
            y = tf.nn.conv1d(y, w, a.get("strides", [1])[0], "VALID", dilations=a.get("dilations", [1])[0])
            y = y + weights[node.input[2]] if len(node.input) > 2 else y
            y = tf.transpose(y, (0, 2, 1))
        elif op in ("MaxPool", "AveragePool"):
            pool = tf.nn.max_pool1d if op == "MaxPool" else tf.nn.avg_pool1d
            y = pool(tf.transpose(x[0], (0, 2, 1)), a["kernel_shape"][0], a.get("strides", [1])[0], "VALID")
            y = tf.transpose(y, (0, 2, 1))
        elif op in ("GlobalAveragePool", "GlobalMaxPool"):
            reduce = tf.reduce_mean if op == "GlobalAveragePool" else tf.reduce_max
            y = reduce(x[0], axis=2, keepdims=True)
        elif op == "Flatten":
            y = tf.reshape(x[0], (1, -1))
        elif op == "Gemm":
            w = tf.transpose(x[1]) if a.get("transB") else x[1]
            y = tf.matmul(x[0], w) + (x[2] if len(x) > 2 else 0)
        elif op == "Concat":
            y = tf.concat(x, a["axis"])
        elif op in ("Relu", "Sigmoid", "Tanh"):
            y = {"Relu": tf.nn.relu, "Sigmoid": tf.sigmoid, "Tanh": tf.tanh}[op](x[0])
        elif op in ("Add", "Mul", "Sub"):
            y = {"Add": tf.add, "Mul": tf.multiply, "Sub": tf.subtract}[op](x[0], x[1])
        else:
            raise SystemExit(f"operation {op} is not known here")
        env[node.output[0]] = y
    return env[graph.output[0].name]


specs = [tf.TensorSpec([1, *shape], tf.float32, name=name) for name, shape in inputs]
function = tf.function(lambda *xs: run({name: x for (name, _), x in zip(inputs, xs)}), input_signature=specs)
golden = [[np.asarray(v, np.float32).reshape(1, *shape) for v, (_, shape) in zip(case, inputs)] for case in manifest["golden"]["inputs"]]
truth = np.asarray(manifest["golden"]["outputs"]["fp32"])
error = max(np.abs(function(*case).numpy().ravel() - truth[i]).max() for i, case in enumerate(golden))
if error > 1e-3:
    raise SystemExit(f"the rebuilt graph differs from the model by {error}")
concrete = function.get_concrete_function()
out.mkdir(parents=True, exist_ok=True)
for kind in ("fp32", "fp16", "int8"):
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete])
    if kind != "fp32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind == "fp16":
        converter.target_spec.supported_types = [tf.float16]
    if kind == "int8":
        converter.representative_dataset = lambda: iter(golden)
    data = converter.convert()
    (out / f"{manifest['name']}.{kind}.tflite").write_bytes(data)
    print(json.dumps({"model": manifest["name"], "kind": kind, "bytes": len(data)}))
