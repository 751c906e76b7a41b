"""Beat detectors of the Python world on one database: finds beats, prints them with the CPU seconds as JSON lines.

Usage: beats.py DATABASE_FOLDER DETECTOR RECORD...     (signal 0, whole record)
"""

import json
import sys
import time
import warnings

import numpy as np
import wfdb

warnings.filterwarnings("ignore")
folder, detector, *records = sys.argv[1:]


def find(name, x, rate):
    if name == "sleepecg":
        import sleepecg

        return sleepecg.detect_heartbeats(x, rate)
    if name == "xqrs":
        from wfdb import processing

        return processing.xqrs_detect(sig=x, fs=rate, verbose=False)
    if name == "gqrs":
        from wfdb import processing

        return processing.gqrs_detect(sig=x, fs=rate)
    if name.startswith("neurokit2"):
        import neurokit2 as nk

        method = name.split(":")[1] if ":" in name else "neurokit"
        clean = nk.ecg_clean(x, sampling_rate=rate, method=method)
        return nk.ecg_peaks(clean, sampling_rate=rate, method=method)[1]["ECG_R_Peaks"]
    if name == "biosppy-hamilton":
        from biosppy.signals import ecg

        return ecg.hamilton_segmenter(signal=x, sampling_rate=rate)["rpeaks"]
    raise SystemExit(f"no detector {name}")


for record in records:
    signal = wfdb.rdrecord(f"{folder}/{record}", channels=[0])
    x, rate = np.nan_to_num(signal.p_signal[:, 0]), int(signal.fs)
    before = time.process_time()
    beats = find(detector, x, rate)
    seconds = time.process_time() - before
    print(json.dumps({"record": record, "cpuSeconds": seconds, "hours": len(x) / rate / 3600, "beats": [int(b) for b in beats]}), flush=True)
