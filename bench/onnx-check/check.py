"""Checks ONNX files with the onnx package and runs them in Python's onnxruntime. One JSON line per case on standard output.

Usage: check.py CASES.json   (a list of {"name", "file", "inputs": {name: {"shape", "data"}}, "outputs": [[...]], "tolerance"})
"""
import json, sys
import numpy as np
import onnx, onnxruntime as ort

ort.set_default_logger_severity(3)
print(json.dumps({'onnx': onnx.__version__, 'onnxruntime': ort.__version__, 'python': sys.version.split()[0]}))
for case in json.load(open(sys.argv[1])):
    result = {'name': case['name']}
    try:
        model = onnx.load(case['file'])
        # Shape inference in strict mode finds wrong types and shapes that the checker alone lets pass.
        onnx.checker.check_model(model, full_check=True)
        onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True)
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        session = ort.InferenceSession(case['file'], options, providers=['CPUExecutionProvider'])
        feeds = {k: np.asarray(v['data'], dtype=np.float32).reshape(v['shape']) for k, v in case['inputs'].items()}
        got = session.run(None, feeds)
        worst = max(float(np.max(np.abs(np.asarray(g, dtype=np.float64).ravel() - np.asarray(e)))) for g, e in zip(got, case['outputs']))
        result.update(ok=bool(worst <= case['tolerance']), difference=worst)
    except Exception as error:
        result.update(ok=False, error=str(error).splitlines()[0][:300])
    print(json.dumps(result), flush=True)
