"""What tensorflow_model_optimization makes of the float model of `npm run bench:lab -- --peer-prune`.

Usage: prune.py FOLDER, with setting.json (weights by name and shape, schedule, rates), weights.f32, batches-0.f32, batches-1.f32,
targets.f32 (training batches one after the other, the very ones that slothd's own pruning sees) in it. Prunes while training on by
prune_low_magnitude with PolynomialDecay, strips, and writes pruned.f32 in the order of weights.f32; prints versions as JSON.
"""
import json
import os
import sys
from importlib.metadata import version

os.environ['TF_USE_LEGACY_KERAS'] = '1'
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
import numpy as np
import tensorflow as tf
import tensorflow_model_optimization as tfmot
import tf_keras as keras

folder = sys.argv[1]
path = lambda name: os.path.join(folder, name)
setting = json.load(open(path('setting.json')))
L = keras.layers


def network():
    window, features = (keras.Input(tuple(shape), name=name) for name, shape in setting['inputs'])
    norm = lambda name: L.BatchNormalization(momentum=0.9, epsilon=1e-3, name=name)
    x = window
    for k, (filters, size) in enumerate([(12, 8), (16, 4)], 1):
        x = L.Conv1D(filters, size, strides=4, padding='same', use_bias=False, name=f'conv{k}')(x)
        x = L.ReLU()(norm(f'conv{k}_norm')(x))
    x = L.ReLU()(L.Dense(24, name='shape')(L.Dropout(0.3)(L.Flatten()(x))))
    r = L.Dropout(0.15)(L.ReLU()(norm('rhythm_norm')(L.Dense(48, use_bias=False, name='rhythm')(features))))
    i = L.ReLU()(L.Dense(16, name='intervals_deep')(L.ReLU()(L.Dense(24, name='intervals')(features))))
    j = L.Dropout(0.15)(L.Concatenate()([x, r, i]))
    return keras.Model([window, features], L.Dense(3, name='logits')(L.ReLU()(L.Dense(32, name='decide')(j))))


def parts(values):
    at = 0
    for name, shape in setting['weights']:
        size = int(np.prod(shape))
        yield name, values[at:at + size].reshape(shape)
        at += size


def of(model):
    """A model's weights by the names that slothd has for them."""
    return {f"{layer.name}/{weight.name.split('/')[-1].split(':')[0]}": weight for layer in model.layers for weight in layer.weights}


model = network()
own = of(model)
for name, value in parts(np.fromfile(path('weights.f32'), np.float32)):
    own[name].assign(value)

size, steps = setting['batchSize'], setting['steps']
inputs = [np.fromfile(path(f'batches-{i}.f32'), np.float32).reshape([-1, *shape]) for i, (_, shape) in enumerate(setting['inputs'])]
targets = np.fromfile(path('targets.f32'), np.float32).reshape([-1, 3])
data = tf.data.Dataset.from_tensor_slices((tuple(inputs), targets)).batch(size)

schedule = tfmot.sparsity.keras.PolynomialDecay(setting['initialSparsity'], setting['sparsity'], setting['beginStep'],
                                                setting['endStep'], frequency=setting['frequency'])
pruned = tfmot.sparsity.keras.prune_low_magnitude(model, pruning_schedule=schedule)
rate = keras.optimizers.schedules.CosineDecay(setting['learningRate'], steps)
pruned.compile(keras.optimizers.Adam(rate, global_clipnorm=setting['gradientLimit']),
               keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=setting['labelSmoothing']))
pruned.fit(data, epochs=1, verbose=0, callbacks=[tfmot.sparsity.keras.UpdatePruningStep()])
stripped = of(tfmot.sparsity.keras.strip_pruning(pruned))
np.concatenate([stripped[name].numpy().ravel() for name, _ in setting['weights']]).astype(np.float32).tofile(path('pruned.f32'))
print(json.dumps({'tfmot': version('tensorflow-model-optimization'), 'tensorflow': tf.__version__}))
