"""What Python's onnxruntime.quantization makes of the float model of `npm run bench:lab -- --peer`.

Usage: quantize.py FOLDER, with float.onnx, calibration-0.f32, calibration-1.f32 .. and items-0.f32 .. (one file an input, items one
after the other) in it. Writes ID.onnx and ID.logits (float32) for each setting, and prints their names and the versions as JSON.
"""
import json
import os
import sys

import numpy as np
import onnxruntime as ort
from onnxruntime.quantization import (CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_dynamic,
                                      quantize_static)
from onnxruntime.quantization.shape_inference import quant_pre_process

BATCH = 256
folder = sys.argv[1]
path = lambda name: os.path.join(folder, name)
inputs = ort.InferenceSession(path('float.onnx'), providers=['CPUExecutionProvider']).get_inputs()


def batches(kind, size):
    arrays = [np.fromfile(path(f'{kind}-{i}.f32'), np.float32).reshape([-1, *one.shape[1:]]) for i, one in enumerate(inputs)]
    for at in range(0, len(arrays[0]), size or len(arrays[0])):
        yield {one.name: array[at:at + (size or len(array))] for one, array in zip(inputs, arrays)}


class Reader(CalibrationDataReader):
    def __init__(self):
        # All at once: its calibrators take no last batch that is smaller than the others.
        self.batches = batches('calibration', None)

    def get_next(self):
        return next(self.batches, None)


quant_pre_process(path('float.onnx'), path('prepared.onnx'), skip_symbolic_shape=True)
made = ['dynamic']
quantize_dynamic(path('prepared.onnx'), path('dynamic.onnx'), weight_type=QuantType.QInt8, per_channel=True)
for method in ('MinMax', 'Percentile', 'Entropy'):
    quantize_static(path('prepared.onnx'), path(f'{method}.onnx'), Reader(), quant_format=QuantFormat.QDQ, per_channel=True,
                    activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
                    calibrate_method=CalibrationMethod[method],
                    extra_options={'CalibPercentile': 99.999} if method == 'Percentile' else {})
    made.append(method)
for name in ['float', *made]:
    session = ort.InferenceSession(path(f'{name}.onnx'), providers=['CPUExecutionProvider'])
    logits = np.concatenate([session.run(None, feeds)[0] for feeds in batches('items', BATCH)])
    logits.astype(np.float32).tofile(path(f'{name}.logits'))
print(json.dumps({'onnxruntime': ort.__version__, 'made': made}))
