"""Several hundred small models of single layers with their less usual options, made by Keras 3 and tf_keras, with the answers Keras
gave, for compare.mjs. Needs the environment of test/fixtures/keras/make.py.

    python cases.py OUT [FILTER]           # V=v3 or V=v2: Keras 3 or 2 alone; SAVED=1: SavedModels too
    node bench/keras-cases/compare.mjs OUT
"""
import os, sys, json, pathlib, traceback, re, shutil
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3'); os.environ['CUDA_VISIBLE_DEVICES']='-1'
import numpy as np, tensorflow as tf
tf.config.threading.set_intra_op_parallelism_threads(1); tf.config.threading.set_inter_op_parallelism_threads(1)
import keras as keras3, tf_keras as keras2
OUT = pathlib.Path(sys.argv[1]); OUT.mkdir(parents=True, exist_ok=True)
FILTER = re.compile(sys.argv[2]) if len(sys.argv) > 2 else None
SAVED = os.environ.get('SAVED') == '1'
rng = np.random.default_rng(11)

def randomize(model):
    fresh = []
    for w in model.weights:
        shape = tuple(w.shape); name = w.path if hasattr(w,'path') else w.name
        if 'seed_gen' in name or 'count' in name or not str(w.dtype).replace("<dtype: '",'').startswith(('float','bfloat')): fresh.append(np.asarray(w)); continue
        fan = max(1, int(np.prod(shape[:-1])) if len(shape) > 1 else 1)
        value = rng.normal(size=shape) / np.sqrt(fan) if len(shape) > 1 else rng.normal(size=shape) * 0.3
        if 'variance' in name: value = 0.3 + rng.random(shape)
        if 'gamma' in name: value = value + 1
        fresh.append(np.asarray(value, dtype='float32').astype(np.asarray(w).dtype))
    model.set_weights(fresh)

CASES = {}
def case(name, *, only=None):
    def deco(f): CASES[name] = (f, only); return f
    return deco

def one(name, shape, make, only=None):
    """a model of Input(shape) -> make(l)(x)"""
    def f(k):
        l = k.layers
        i = l.Input(shape, name='x')
        return k.Model(i, make(l, i), name='m')
    CASES[name] = (f, only)

S = (24, 4); I2 = (10, 8, 4); I3 = (6, 5, 4, 2)
ACTS = ['relu','relu6','leaky_relu','elu','selu','sigmoid','hard_sigmoid','hard_silu','hard_swish','exponential','log_sigmoid','celu','hard_tanh','tanh_shrink','hard_shrink','soft_shrink','sparse_plus','sparsemax','squareplus','threshold','softplus','softsign','tanh','softmax','log_softmax','swish','silu','mish','gelu','linear','glu','sparse_sigmoid']
for a in ACTS:
    one(f'act_{a}_conv', S, lambda l, x, a=a: l.Conv1D(6, 3, activation=a)(x))
    one(f'act_{a}_layer', S, lambda l, x, a=a: l.Activation(a)(l.Conv1D(6,3)(x)))
    one(f'act_{a}_dense', (7,), lambda l, x, a=a: l.Dense(6, activation=a)(x))
for p in ('same','valid','causal'):
    for s in (1,2,3):
        for d in (1,2,3):
            if s > 1 and d > 1: continue
            for kk in (2,5) if not (p=='same' and s==1 and d==1) else (2,4,5):
                one(f'conv1d_{p}_s{s}_d{d}_k{kk}', S, lambda l, x, p=p,s=s,d=d,kk=kk: l.Conv1D(5, kk, padding=p, strides=s, dilation_rate=d, use_bias=(kk!=2))(x))
one('conv1d_groups', S, lambda l, x: l.Conv1D(6, 3, groups=2, activation='relu')(x))
one('conv1d_groups4', S, lambda l, x: l.Conv1D(8, 3, groups=4, padding='same', strides=2)(x))
one('conv1d_channels_first', (4, 24), lambda l, x: l.Conv1D(6, 3, data_format='channels_first', padding='same')(x))
one('conv1d_long_same', (5, 2), lambda l, x: l.Conv1D(3, 9, padding='same')(x))
for p in ('same','valid'):
    for s in ((1,1),(2,1),(2,3)):
        one(f'conv2d_{p}_{s[0]}{s[1]}', I2, lambda l,x,p=p,s=s: l.Conv2D(6,(3,2),strides=s,padding=p)(x))
        one(f'sep2d_{p}_{s[0]}{s[0]}', I2, lambda l,x,p=p,s=s: l.SeparableConv2D(6,(3,2),strides=s[0],padding=p,depth_multiplier=2,activation='relu')(x))
        one(f'dw2d_{p}_{s[0]}{s[0]}', I2, lambda l,x,p=p,s=s: l.DepthwiseConv2D((3,2),strides=s[0],padding=p,depth_multiplier=3,activation='relu')(x))
        one(f'conv2dt_{p}_{s[0]}{s[1]}', I2, lambda l,x,p=p,s=s: l.Conv2DTranspose(5,(3,2),strides=s,padding=p,activation='tanh')(x))
    one(f'conv2d_dil_{p}', I2, lambda l,x,p=p: l.Conv2D(6,3,dilation_rate=(2,1),padding=p)(x))
    one(f'dw2d_dil_{p}', I2, lambda l,x,p=p: l.DepthwiseConv2D(3,dilation_rate=2,padding=p)(x))
    one(f'sep1d_dil_{p}', S, lambda l,x,p=p: l.SeparableConv1D(6,3,dilation_rate=2,padding=p)(x))
    one(f'dw1d_dil_{p}', S, lambda l,x,p=p: l.DepthwiseConv1D(3,dilation_rate=2,padding=p,depth_multiplier=2)(x))
    one(f'sep1d_s2_{p}', S, lambda l,x,p=p: l.SeparableConv1D(6,4,strides=2,padding=p,use_bias=False)(x))
    one(f'dw1d_s2_{p}', S, lambda l,x,p=p: l.DepthwiseConv1D(4,strides=2,padding=p,use_bias=False)(x))
    for s in (1,2,3,5):
        for kk in (2,3,4):
            one(f'conv1dt_{p}_s{s}_k{kk}', S, lambda l,x,p=p,s=s,kk=kk: l.Conv1DTranspose(5,kk,strides=s,padding=p)(x))
    one(f'conv1dt_outpad_{p}', S, lambda l,x,p=p: l.Conv1DTranspose(5,3,strides=2,padding=p,output_padding=1)(x))
    one(f'conv2dt_outpad_{p}', I2, lambda l,x,p=p: l.Conv2DTranspose(5,3,strides=2,padding=p,output_padding=(1,0))(x))
    one(f'conv1dt_dil_{p}', S, lambda l,x,p=p: l.Conv1DTranspose(5,3,dilation_rate=2,padding=p)(x))
    one(f'conv3d_{p}', I3, lambda l,x,p=p: l.Conv3D(4,2,strides=(1,2,1),padding=p)(x))
    one(f'conv3dt_{p}', I3, lambda l,x,p=p: l.Conv3DTranspose(4,2,strides=2,padding=p)(x))
    for s in (None,1,3):
        for n in (2,3):
            one(f'maxpool1d_{p}_{s}_{n}', S, lambda l,x,p=p,s=s,n=n: l.MaxPooling1D(n,strides=s,padding=p)(x))
            one(f'avgpool1d_{p}_{s}_{n}', S, lambda l,x,p=p,s=s,n=n: l.AveragePooling1D(n,strides=s,padding=p)(x))
            one(f'maxpool2d_{p}_{s}_{n}', I2, lambda l,x,p=p,s=s,n=n: l.MaxPooling2D((n,2),strides=s,padding=p)(x))
            one(f'avgpool2d_{p}_{s}_{n}', I2, lambda l,x,p=p,s=s,n=n: l.AveragePooling2D((n,2),strides=s,padding=p)(x))
    one(f'maxpool3d_{p}', I3, lambda l,x,p=p: l.MaxPooling3D(2,padding=p)(x))
    one(f'avgpool3d_{p}', I3, lambda l,x,p=p: l.AveragePooling3D((2,1,3),strides=(1,2,1),padding=p)(x))
    one(f'pool_cf_{p}', (4,24), lambda l,x,p=p: l.MaxPooling1D(3,strides=2,padding=p,data_format='channels_first')(x))
one('sep1d_causal', S, lambda l,x: l.SeparableConv1D(6,3,padding='causal')(x))
one('conv2d_groups', I2, lambda l,x: l.Conv2D(6,3,groups=2)(x))
for nm in ('GlobalAveragePooling','GlobalMaxPooling'):
    for dim, sh in ((1,S),(2,I2),(3,I3)):
        for kd in (False, True):
            one(f'{nm}{dim}_kd{kd}', sh, lambda l,x,nm=nm,dim=dim,kd=kd: getattr(l,f'{nm}{dim}D')(keepdims=kd)(x))
            one(f'{nm}{dim}_conv_kd{kd}', sh, lambda l,x,nm=nm,dim=dim,kd=kd: getattr(l,f'{nm}{dim}D')(keepdims=kd)(getattr(l,f'Conv{dim}D')(3,2)(x)))
        one(f'{nm}{dim}_cf', sh, lambda l,x,nm=nm,dim=dim: getattr(l,f'{nm}{dim}D')(data_format='channels_first')(x))
        one(f'{nm}{dim}_cf_kd', sh, lambda l,x,nm=nm,dim=dim: getattr(l,f'{nm}{dim}D')(data_format='channels_first',keepdims=True)(x))
# activation layers with parameters
one('leaky_default', S, lambda l,x: l.LeakyReLU()(x))
one('leaky_p', S, lambda l,x: (l.LeakyReLU(negative_slope=0.01) if 'negative' in str(l.LeakyReLU.__init__.__code__.co_varnames) else l.LeakyReLU(alpha=0.01))(x))
for mv in (None, 0.7, 6.0):
    for ns in (0.0, 0.3):
        for th in (0.0, 0.4, -0.5):
            one(f'relu_mv{mv}_ns{ns}_th{th}', S, lambda l,x,mv=mv,ns=ns,th=th: l.ReLU(max_value=mv,negative_slope=ns,threshold=th)(x))
one('elu_alpha', S, lambda l,x: l.ELU(alpha=0.4)(x))
one('prelu', S, lambda l,x: l.PReLU()(x)); one('prelu_shared', S, lambda l,x: l.PReLU(shared_axes=[1])(l.Conv1D(5,3)(x))); one('prelu_shared2', I2, lambda l,x: l.PReLU(shared_axes=[1,2])(l.Conv2D(5,3)(x))); one('prelu_all', S, lambda l,x: l.PReLU(shared_axes=[1,2])(x)); one('prelu_dense', (6,), lambda l,x: l.PReLU()(l.Dense(4)(x)))
for ax in (-1, 1, 2, -2, (1,2), [1,2]):
    one(f'softmax_{ax}', S, lambda l,x,ax=ax: l.Softmax(axis=ax)(x)); one(f'softmax_conv_{ax}', S, lambda l,x,ax=ax: l.Softmax(axis=ax)(l.Conv1D(5,3)(x)))
one('softmax_2d_conv_1', I2, lambda l,x: l.Softmax(axis=1)(l.Conv2D(5,3)(x))); one('softmax_2d_conv_2', I2, lambda l,x: l.Softmax(axis=2)(l.Conv2D(5,3)(x)))
one('thresholded', S, lambda l,x: l.ThresholdedReLU(theta=0.3)(x), only='v2')
one('act_as_layer_arg', (6,), lambda l,x: l.Dense(5, activation=l.ELU(0.3))(x)); one('act_as_layer_arg_prelu', (6,), lambda l,x: l.Dense(5, activation=l.PReLU())(x)); one('act_as_layer_softmax', S, lambda l,x: l.Conv1D(5, 3, activation=l.Softmax(axis=1))(x)); one('act_as_layer_relu', S, lambda l,x: l.Conv1D(5, 3, activation=l.ReLU(max_value=1.0))(x))
one('act_fn', (6,), lambda l,x: l.Dense(5, activation=tf.nn.leaky_relu)(x)); one('act_fn_gelu_approx', (6,), lambda l,x: l.Dense(5, activation=lambda t: tf.nn.gelu(t, approximate=True))(x))
# normalization
for sc in (True, False):
    for ce in (True, False):
        one(f'bn_s{sc}_c{ce}', S, lambda l,x,sc=sc,ce=ce: l.BatchNormalization(scale=sc,center=ce,epsilon=1e-5)(x)); one(f'bn_conv_s{sc}_c{ce}', S, lambda l,x,sc=sc,ce=ce: l.BatchNormalization(scale=sc,center=ce)(l.Conv1D(5,3,use_bias=ce)(x))); one(f'ln_s{sc}_c{ce}', S, lambda l,x,sc=sc,ce=ce: l.LayerNormalization(scale=sc,center=ce)(l.Conv1D(5,3)(x)))
for ax in (1,2,-2,-1):
    one(f'bn_axis{ax}', S, lambda l,x,ax=ax: l.BatchNormalization(axis=ax)(x)); one(f'bn_conv_axis{ax}', S, lambda l,x,ax=ax: l.BatchNormalization(axis=ax)(l.Conv1D(5,3)(x))); one(f'bn2d_conv_axis{ax}', I2, lambda l,x,ax=ax: l.BatchNormalization(axis=ax)(l.Conv2D(5,3)(x)))
one('bn_axis_list', I2, lambda l,x: l.BatchNormalization(axis=[1,3])(x), only='v2'); one('bn_axis_list1', I2, lambda l,x: l.BatchNormalization(axis=[3])(x), only='v2'); one('bn_renorm', S, lambda l,x: l.BatchNormalization(renorm=True)(x), only='v2')
one('bn_dense', (6,), lambda l,x: l.BatchNormalization()(l.Dense(5)(x))); one('bn_input', (6,), lambda l,x: l.Dense(3)(l.BatchNormalization()(x))); one('bn_dense_relu', (6,), lambda l,x: l.BatchNormalization()(l.Dense(5,activation='relu')(x))); one('bn_dense3', S, lambda l,x: l.BatchNormalization()(l.Dense(5)(x))); one('bn_convt', S, lambda l,x: l.BatchNormalization()(l.Conv1DTranspose(5,3,strides=2)(x))); one('bn_dw', S, lambda l,x: l.BatchNormalization()(l.DepthwiseConv1D(3,depth_multiplier=2)(x))); one('bn_sep', S, lambda l,x: l.BatchNormalization()(l.SeparableConv1D(5,3)(x))); one('bn_flatten', S, lambda l,x: l.Dense(3)(l.BatchNormalization()(l.Flatten()(l.Conv1D(5,3)(x))))); one('bn_groups', S, lambda l,x: l.BatchNormalization()(l.Conv1D(6,3,groups=2)(x)))
for ax in (1,(1,2),[1,2],2,-2): one(f'ln_axis{ax}', S, lambda l,x,ax=ax: l.LayerNormalization(axis=ax)(x))
one('ln_axis_2d', I2, lambda l,x: l.LayerNormalization(axis=(1,3))(x)); one('ln_rms', S, lambda l,x: l.LayerNormalization(rms_scaling=True)(x)); one('ln_big', S, lambda l,x: l.LayerNormalization(epsilon=1e-6)(l.Rescaling(1000.,500.)(x)))
for g in (1,2,4,-1): one(f'groupnorm_{g}', S, lambda l,x,g=g: l.GroupNormalization(groups=g)(x)); one(f'groupnorm2d_{g}', I2, lambda l,x,g=g: l.GroupNormalization(groups=g)(l.Conv2D(8,3)(x)))
one('rmsnorm', S, lambda l,x: l.RMSNormalization()(x), only='v3'); one('rmsnorm_scale', S, lambda l,x: l.RMSNormalization(epsilon=1e-3)(l.Dense(5)(x)), only='v3')
one('spectral', (6,), lambda l,x: l.SpectralNormalization(l.Dense(4))(x))
for ax in (-1,1,(1,2),[1,2]): one(f'unitnorm_{ax}', S, lambda l,x,ax=ax: l.UnitNormalization(axis=ax)(x))
def normed(l, ax, **kw):
    n = l.Normalization(axis=ax, **kw); n.adapt(rng.normal(3, 2, size=(50,)+S).astype('float32')); return n
for ax in (-1, None, 1, (1,2)):
    one(f'norm_adapt_{ax}', S, lambda l,x,ax=ax: normed(l,ax)(x))
one('norm_adapt_inv', S, lambda l,x: normed(l,-1,invert=True)(x))
one('norm_given', S, lambda l,x: l.Normalization(mean=[1.,2.,3.,4.],variance=[1.,4.,2.,.5])(x)); one('norm_given_scalar', S, lambda l,x: l.Normalization(axis=None,mean=1.5,variance=2.)(x)); one('norm_given_np', S, lambda l,x: l.Normalization(mean=np.array([1.,2.,3.,4.],'float32'),variance=np.array([1.,4.,2.,.5],'float32'))(x))
one('rescaling', S, lambda l,x: l.Rescaling(1/255., offset=-.5)(x)); one('rescaling_list', S, lambda l,x: l.Rescaling([.1,.2,.3,.4], offset=[1.,2.,3.,4.])(x)); one('rescaling_np', S, lambda l,x: l.Rescaling(np.array([.1,.2,.3,.4],'float32'))(x)); one('rescaling_conv', S, lambda l,x: l.Rescaling([.1,.2,.3], offset=1.)(l.Conv1D(3,3)(x)))
# recurrent
for R in ('GRU','LSTM','SimpleRNN'):
    for rs in (True, False):
        for gb in (True, False):
            one(f'{R}_rs{rs}_gb{gb}', S, lambda l,x,R=R,rs=rs,gb=gb: getattr(l,R)(5,return_sequences=rs,go_backwards=gb)(x))
        one(f'{R}_state_rs{rs}', S, lambda l,x,R=R,rs=rs: getattr(l,R)(5,return_sequences=rs,return_state=True)(x)); one(f'{R}_state_gb_rs{rs}', S, lambda l,x,R=R,rs=rs: getattr(l,R)(5,return_sequences=rs,return_state=True,go_backwards=True)(x))
    one(f'{R}_nobias', S, lambda l,x,R=R: getattr(l,R)(5,use_bias=False)(x)); one(f'{R}_unroll', S, lambda l,x,R=R: getattr(l,R)(5,unroll=True,return_sequences=True)(x)); one(f'{R}_drop', S, lambda l,x,R=R: getattr(l,R)(5,dropout=.2,recurrent_dropout=.3)(x))
    for a in ('relu','linear','sigmoid','elu','hard_sigmoid','softplus','softsign','selu','gelu','swish'):
        one(f'{R}_act_{a}', S, lambda l,x,R=R,a=a: getattr(l,R)(5,activation=a)(x))
    if R != 'SimpleRNN':
        for a in ('hard_sigmoid','tanh','relu','linear'): one(f'{R}_ract_{a}', S, lambda l,x,R=R,a=a: getattr(l,R)(5,recurrent_activation=a,return_sequences=True)(x))
        one(f'{R}_hh', S, lambda l,x,R=R: getattr(l,R)(5,recurrent_activation='hard_sigmoid',activation='hard_sigmoid')(x))
    for mm in ('concat','sum','mul','ave',None):
        for rs in (True, False): one(f'bi_{R}_{mm}_rs{rs}', S, lambda l,x,R=R,mm=mm,rs=rs: l.Bidirectional(getattr(l,R)(5,return_sequences=rs),merge_mode=mm)(x))
    one(f'bi_{R}_gb', S, lambda l,x,R=R: l.Bidirectional(getattr(l,R)(5,return_sequences=True,go_backwards=True))(x))
    one(f'bi_{R}_own', S, lambda l,x,R=R: l.Bidirectional(getattr(l,R)(5,return_sequences=True), backward_layer=getattr(l,R)(3,return_sequences=True,go_backwards=True,activation='relu'))(x))
    one(f'bi_{R}_state', S, lambda l,x,R=R: l.Bidirectional(getattr(l,R)(5,return_state=True))(x))
    one(f'{R}_masked', S, lambda l,x,R=R: getattr(l,R)(5)(l.Masking(0.)(x)))
    one(f'{R}_init', S, lambda l,x,R=R: getattr(l,R)(5)(x, initial_state=([l.Dense(5)(l.Flatten()(x))]*(2 if R=='LSTM' else 1))))
    one(f'rnn_cell_{R}', S, lambda l,x,R=R: l.RNN(getattr(l,R+'Cell')(5))(x))
    one(f'{R}_timemajor', S, lambda l,x,R=R: getattr(l,R)(5,time_major=True)(x), only='v2')
    one(f'{R}_stack', S, lambda l,x,R=R: l.Dense(3)(getattr(l,R)(4)(getattr(l,R)(5,return_sequences=True)(x))))
one('GRU_reset_before', S, lambda l,x: l.GRU(5,reset_after=False)(x)); one('GRU_reset_before_nobias', S, lambda l,x: l.GRU(5,reset_after=False,use_bias=False,return_sequences=True)(x)); one('GRU_reset_after_nobias', S, lambda l,x: l.GRU(5,reset_after=True,use_bias=False)(x)); one('bi_GRU_reset_before', S, lambda l,x: l.Bidirectional(l.GRU(5,reset_after=False,return_sequences=True))(x))
one('bi_mixed', S, lambda l,x: l.Bidirectional(l.LSTM(5), backward_layer=l.GRU(5,go_backwards=True))(x))
one('rnn_stacked_cells', S, lambda l,x: l.RNN([l.GRUCell(5),l.LSTMCell(3)])(x)); one('convlstm1d', (5,8,2), lambda l,x: l.ConvLSTM1D(3,3)(x))
one('emb_mask', (8,), lambda l,x: l.LSTM(4)(l.Embedding(9,3,mask_zero=True)(x))); one('emb', (8,), lambda l,x: l.Flatten()(l.Embedding(9,3)(x)))
# time distributed
T = (5, 8, 3)
one('td_dense', S, lambda l,x: l.TimeDistributed(l.Dense(3,activation='relu'))(x)); one('td_conv', T, lambda l,x: l.TimeDistributed(l.Conv1D(4,3,activation='relu',padding='same'))(x)); one('td_pool', T, lambda l,x: l.TimeDistributed(l.MaxPooling1D(2))(x)); one('td_flat', T, lambda l,x: l.TimeDistributed(l.Flatten())(x)); one('td_bn', T, lambda l,x: l.TimeDistributed(l.BatchNormalization())(x)); one('td_lstm', T, lambda l,x: l.TimeDistributed(l.LSTM(4))(x)); one('td_drop', T, lambda l,x: l.TimeDistributed(l.Dropout(.2))(x)); one('td_act', T, lambda l,x: l.TimeDistributed(l.Activation('softmax'))(x)); one('td_gap', T, lambda l,x: l.TimeDistributed(l.GlobalAveragePooling1D())(x)); one('td_prelu', T, lambda l,x: l.TimeDistributed(l.PReLU())(x)); one('td_reshape', T, lambda l,x: l.TimeDistributed(l.Reshape((4,6)))(x)); one('td_td', T, lambda l,x: l.TimeDistributed(l.TimeDistributed(l.Dense(2)))(x)); one('td_bi', T, lambda l,x: l.TimeDistributed(l.Bidirectional(l.GRU(3)))(x))
one('cnn_lstm', T, lambda l,x: l.Dense(2,activation='softmax')(l.LSTM(6)(l.TimeDistributed(l.Flatten())(l.TimeDistributed(l.MaxPooling1D(2))(l.TimeDistributed(l.Conv1D(4,3,activation='relu'))(x))))))
@case('td_model')
def _(k):
    l = k.layers; i = l.Input(T, name='x')
    inner = k.Sequential([l.Input((8,3)), l.Conv1D(4,3,activation='relu'), l.BatchNormalization(), l.Flatten(), l.Dense(3)], name='enc')
    return k.Model(i, l.GRU(4)(l.TimeDistributed(inner)(i)), name='m')
# shapes
one('reshape_m1', S, lambda l,x: l.Reshape((-1,8))(x)); one('reshape_conv', S, lambda l,x: l.Reshape((-1,))(l.Conv1D(5,3)(x))); one('reshape_1d', (12,), lambda l,x: l.Conv1D(3,3)(l.Reshape((12,1))(x))); one('permute', I2, lambda l,x: l.Permute((3,1,2))(l.Conv2D(5,3)(x))); one('permute1', S, lambda l,x: l.LSTM(3)(l.Permute((2,1))(x))); one('repeat', (6,), lambda l,x: l.RepeatVector(4)(l.Dense(3)(x))); one('flatten_cf', I2, lambda l,x: l.Flatten(data_format='channels_first')(x)); one('flatten_flat_dense', I2, lambda l,x: l.Dense(3)(l.Flatten()(l.MaxPooling2D()(l.Conv2D(5,3)(x))))); one('flatten_softmax', S, lambda l,x: l.Softmax()(l.Flatten()(l.Conv1D(5,3)(x)))); one('flatten_mul', S, lambda l,x: l.Multiply()([l.Flatten()(l.Conv1D(5,3)(x)), l.Flatten()(l.Conv1D(5,3)(x))])); one('flatten_add_dense', S, lambda l,x: l.Add()([l.Flatten()(l.Conv1D(2,3,padding='same')(x)), l.Dense(48)(l.Flatten()(x))])); one('flatten_ln', S, lambda l,x: l.LayerNormalization()(l.Flatten()(l.Conv1D(5,3)(x)))); one('flatten_prelu', S, lambda l,x: l.PReLU()(l.Flatten()(l.Conv1D(5,3)(x)))); one('flatten_out', S, lambda l,x: l.Flatten()(l.Conv1D(5,3)(x))); one('flatten_drop_act', S, lambda l,x: l.Dense(2)(l.Dropout(.1)(l.Activation('relu')(l.Flatten()(l.Conv1D(5,3)(x)))))); one('flatten_reshape', S, lambda l,x: l.Reshape((22,5))(l.Flatten()(l.Conv1D(5,3)(x)))); one('flatten_repeat', S, lambda l,x: l.RepeatVector(3)(l.Flatten()(l.Conv1D(5,3)(x)))); one('flatten_rescale', S, lambda l,x: l.Rescaling(2.,1.)(l.Flatten()(l.Conv1D(5,3)(x)))); one('flatten_unit', S, lambda l,x: l.UnitNormalization()(l.Flatten()(l.Conv1D(5,3)(x)))); one('flatten_norm', S, lambda l,x: l.Normalization(mean=list(np.arange(110.)),variance=list(1+np.arange(110.)))(l.Flatten()(l.Conv1D(5,3)(x)))); one('flatten_concat', S, lambda l,x: l.Dense(2)(l.Concatenate()([l.Flatten()(l.Conv1D(5,3)(x)), l.GlobalMaxPooling1D()(x), l.Flatten()(x)]))); one('flatten_concat1', S, lambda l,x: l.Concatenate(axis=1)([l.Flatten()(l.Conv1D(5,3)(x)), l.Flatten()(x)])); one('flatten_bn_act', S, lambda l,x: l.Activation('tanh')(l.BatchNormalization(scale=False)(l.Flatten()(l.Conv1D(5,3)(x)))))
one('zp1', S, lambda l,x: l.ZeroPadding1D(2)(x)); one('zp1b', S, lambda l,x: l.ZeroPadding1D((0,3))(l.Conv1D(3,3)(x))); one('zp2', I2, lambda l,x: l.ZeroPadding2D((1,2))(x)); one('zp2b', I2, lambda l,x: l.ZeroPadding2D(((1,0),(2,3)))(l.Conv2D(3,2)(x))); one('zp2cf', I2, lambda l,x: l.ZeroPadding2D((1,2),data_format='channels_first')(x)); one('zp3', I3, lambda l,x: l.ZeroPadding3D(1)(x)); one('crop1', S, lambda l,x: l.Cropping1D((2,1))(x)); one('crop2', I2, lambda l,x: l.Cropping2D(((1,0),(2,1)))(x)); one('crop2cf', I2, lambda l,x: l.Cropping2D(1,data_format='channels_first')(x)); one('crop3', I3, lambda l,x: l.Cropping3D(1)(x)); one('crop1_0', S, lambda l,x: l.Cropping1D((0,0))(x)); one('up1', S, lambda l,x: l.UpSampling1D(3)(x)); one('up2', I2, lambda l,x: l.UpSampling2D((3,2))(x)); one('up2bil', I2, lambda l,x: l.UpSampling2D(2,interpolation='bilinear')(x)); one('up2cf', I2, lambda l,x: l.UpSampling2D(2,data_format='channels_first')(x)); one('up3', I3, lambda l,x: l.UpSampling3D(2)(x))
# merges
for m in ('Add','Multiply','Average','Maximum','Minimum'):
    one(f'{m}_3', S, lambda l,x,m=m: getattr(l,m)()([x, l.Conv1D(4,3,padding='same')(x), l.Dense(4)(x)])); one(f'{m}_bc', S, lambda l,x,m=m: getattr(l,m)()([l.Conv1D(5,3,padding='same')(x), l.Dense(5)(l.GlobalAveragePooling1D()(x))])); one(f'{m}_bc_kd', S, lambda l,x,m=m: getattr(l,m)()([l.Conv1D(5,3,padding='same')(x), l.Dense(5)(l.GlobalAveragePooling1D(keepdims=True)(x))])); one(f'{m}_bc1', S, lambda l,x,m=m: getattr(l,m)()([l.Conv1D(5,3,padding='same')(x), l.Conv1D(1,3,padding='same')(x)]))
one('Subtract', S, lambda l,x: l.Subtract()([x, l.Conv1D(4,3,padding='same')(x)])); one('Subtract_bc', S, lambda l,x: l.Subtract()([l.GlobalAveragePooling1D()(x), x]))
for ax in (1,2,-1,-2): one(f'concat_{ax}', S, lambda l,x,ax=ax: l.Concatenate(axis=ax)([x, l.Conv1D(4,3,padding='same')(x), x])); one(f'concat_conv_{ax}', S, lambda l,x,ax=ax: l.Concatenate(axis=ax)([l.Conv1D(4,5,padding='same')(x), l.Conv1D(4,3,padding='same')(x)]))
one('concat_0', S, lambda l,x: l.Concatenate(axis=0)([x, x]))
one('dot_1', S, lambda l,x: l.Dot(axes=1)([x, l.Conv1D(3,3,padding='same')(x)])); one('dot_2', S, lambda l,x: l.Dot(axes=2)([x, l.Conv1D(4,3)(x)])); one('dot_21', S, lambda l,x: l.Dot(axes=(2,1))([x, l.Permute((2,1))(x)])); one('dot_norm', (6,), lambda l,x: l.Dot(axes=1,normalize=True)([x, l.Dense(6)(x)])); one('dot_flat', (6,), lambda l,x: l.Dot(axes=-1)([x, l.Dense(6)(x)])); one('dot_mixed', S, lambda l,x: l.Dot(axes=(1,1))([x, l.Dense(24)(l.GlobalMaxPooling1D()(x))]))
one('se_block', S, lambda l,x: l.Multiply()([l.Conv1D(6,3)(x), l.Reshape((1,6))(l.Dense(6,activation='sigmoid')(l.Dense(2,activation='relu')(l.GlobalAveragePooling1D()(l.Conv1D(6,3)(x)))))]))
# attention
one('mha', S, lambda l,x: l.MultiHeadAttention(2,3)(x,x)); one('mha_v', S, lambda l,x: l.MultiHeadAttention(2,3,value_dim=5)(x,l.Conv1D(6,3)(x))); one('mha_nobias', S, lambda l,x: l.MultiHeadAttention(3,4,use_bias=False,output_shape=7)(x,x)); one('mha_kw', S, lambda l,x: l.MultiHeadAttention(2,3)(query=x,value=x)); one('mha_key', S, lambda l,x: l.MultiHeadAttention(2,3)(x,l.Dense(4)(x),l.Dense(5)(x))); one('mha_causal', S, lambda l,x: l.MultiHeadAttention(2,3)(x,x,use_causal_mask=True)); one('mha_axes', I2, lambda l,x: l.MultiHeadAttention(2,3,attention_axes=(1,))(x,x)); one('mha_scores', S, lambda l,x: l.MultiHeadAttention(2,3)(x,x,return_attention_scores=True)[0])
@case('transformer')
def _(k):
    l = k.layers; x = i = l.Input(S, name='x')
    x = l.Dense(8)(x)
    for _ in range(2):
        a = l.MultiHeadAttention(2, 4, dropout=0.1)(x, x); x = l.LayerNormalization(epsilon=1e-6)(l.Add()([x, a]))
        f = l.Dense(8)(l.Dropout(.1)(l.Dense(16, activation='gelu')(x))); x = l.LayerNormalization(epsilon=1e-6)(l.Add()([x, f]))
    return k.Model(i, l.Dense(3, activation='softmax')(l.GlobalAveragePooling1D()(x)), name='m')
one('attention', S, lambda l,x: l.Attention()([x, l.Conv1D(4,3)(x)])); one('attention_scale', S, lambda l,x: l.Attention(use_scale=True)([x, l.Conv1D(4,3)(x), l.Conv1D(4,3)(x)])); one('attention_concat', S, lambda l,x: l.Attention(score_mode='concat')([x, x])); one('attention_causal', S, lambda l,x: l.Attention()([x,x], use_causal_mask=True)); one('additive', S, lambda l,x: l.AdditiveAttention()([x, l.Conv1D(4,3)(x)])); one('einsum', S, lambda l,x: l.EinsumDense('abc,cd->abd', output_shape=(None,5), bias_axes='d')(x)); one('gqa', S, lambda l,x: l.GroupQueryAttention(3,4,2)(x,x), only='v3')
# ops
one('op_add', S, lambda l,x: x + l.Conv1D(4,3,padding='same')(x)); one('op_addc', S, lambda l,x: x + 2.5); one('op_mulc', S, lambda l,x: 0.5 * l.Conv1D(4,3)(x)); one('op_sub', S, lambda l,x: x - l.Dense(4)(x)); one('op_rsub', S, lambda l,x: 1.0 - l.Dense(4,activation='sigmoid')(x)); one('op_div', S, lambda l,x: x / 3.); one('op_slice', S, lambda l,x: x[:, -1, :]); one('op_slice2', S, lambda l,x: x[:, ::2, :]); one('op_add_rank', (24,24), lambda l,x: x + l.Dense(24)(l.GlobalAveragePooling1D()(x))) ; one('op_neg', S, lambda l,x: -x); one('op_pow', S, lambda l,x: x ** 2)
def kop(name, f):
    def g(k):
        l = k.layers; i = l.Input(S, name='x'); return k.Model(i, f(k.ops, l, i), name='m')
    CASES['kop_'+name] = (g, 'v3')
kop('relu', lambda o,l,x: o.relu(x)); kop('mean', lambda o,l,x: o.mean(x, axis=1)); kop('max', lambda o,l,x: o.max(x, axis=1)); kop('average', lambda o,l,x: o.average(x, axis=1)); kop('concat', lambda o,l,x: o.concatenate([x, x], axis=1)); kop('expand', lambda o,l,x: o.expand_dims(l.Dense(3)(x), -1)); kop('squeeze', lambda o,l,x: o.squeeze(l.Conv1D(1,3)(x), -1)); kop('softmax', lambda o,l,x: o.softmax(x, axis=1)); kop('softmaxd', lambda o,l,x: o.softmax(x)); kop('reshape', lambda o,l,x: o.reshape(x, (-1, 96))); kop('transpose', lambda o,l,x: o.transpose(x, (0,2,1))); kop('multiply', lambda o,l,x: o.multiply(x, l.Dense(4)(l.GlobalMaxPooling1D(keepdims=True)(x)))); kop('multiply_rank', lambda o,l,x: o.multiply(l.Conv1D(24,3,padding='same')(x), l.Dense(24)(l.GlobalMaxPooling1D()(x))));  kop('maximum', lambda o,l,x: o.maximum(x, l.Dense(4)(x))); kop('maximumc', lambda o,l,x: o.maximum(x, 0.1)); kop('subtract', lambda o,l,x: o.subtract(x, l.Dense(4)(x))); kop('divide', lambda o,l,x: o.divide(x, 1.5+l.Dense(4,activation='sigmoid')(x))); kop('dot', lambda o,l,x: o.dot(l.Flatten()(x), l.Flatten()(x))); kop('abs', lambda o,l,x: o.abs(x)); kop('sqrt', lambda o,l,x: o.sqrt(o.abs(x))); kop('matmul', lambda o,l,x: o.matmul(x, o.transpose(x,(0,2,1)))); kop('elu', lambda o,l,x: o.elu(x, 0.3)); kop('leaky', lambda o,l,x: o.leaky_relu(x)); kop('sigmoid', lambda o,l,x: o.sigmoid(x)); kop('gelu', lambda o,l,x: o.gelu(x)); kop('stack', lambda o,l,x: o.stack([x, x], axis=1)); kop('flip', lambda o,l,x: o.flip(x, axis=1)); kop('pad', lambda o,l,x: o.pad(x, ((0,0),(1,1),(0,0)))); kop('sum', lambda o,l,x: o.sum(x, axis=-1)); kop('normalize', lambda o,l,x: o.normalize(x, axis=-1)); kop('identity', lambda o,l,x: o.identity(3)+l.Dense(3)(l.Dense(3)(l.Flatten()(x)))); kop('clip', lambda o,l,x: o.clip(x, -1, 1)); kop('log', lambda o,l,x: o.log(o.abs(x)+1)); kop('square', lambda o,l,x: o.square(x)); kop('cast', lambda o,l,x: o.cast(o.cast(x*3,'int32'),'float32')); kop('where', lambda o,l,x: o.where(x>0, x, 0.1*x)); kop('var', lambda o,l,x: o.var(x, axis=1)); kop('std', lambda o,l,x: o.std(x, axis=1))
one('lambda', S, lambda l,x: l.Lambda(lambda t: t*2)(x)); one('dropouts', S, lambda l,x: l.GaussianDropout(.1)(l.GaussianNoise(.1)(l.AlphaDropout(.1)(l.SpatialDropout1D(.2)(l.ActivityRegularization(.1)(l.Dropout(.2,noise_shape=(None,1,4))(x)))))))
# preprocessing
one('resizing', I2, lambda l,x: l.Resizing(5,4)(x)); one('centercrop', I2, lambda l,x: l.CenterCrop(4,4)(x)); one('discretization', (5,), lambda l,x: l.Discretization([0.,1.])(x)); one('catenc', (1,), lambda l,x: l.CategoryEncoding(5)(x)); one('randflip', I2, lambda l,x: l.RandomFlip()(x))
# structure
@case('nested')
def _(k):
    l = k.layers; i = l.Input(S, name='x')
    inner_in = l.Input(S); t = l.Conv1D(5,3,name='conv')(inner_in); t = l.BatchNormalization(name='bn')(t); inner = k.Model(inner_in, [l.GlobalMaxPooling1D()(t), l.GlobalAveragePooling1D()(t)], name='inner')
    a, b = inner(i); c, d = inner(l.Dense(4)(i))
    return k.Model(i, [l.Dense(3, name='one')(l.Concatenate()([a,d])), l.Dense(2, name='two')(l.Concatenate()([b,c]))], name='m')
@case('nested_same_names')
def _(k):
    l = k.layers; i = l.Input(S, name='x')
    mk = lambda n: k.Sequential([l.Input(S), l.Conv1D(5,3,name='conv'), l.BatchNormalization(name='bn'), l.GlobalMaxPooling1D(name='pool'), l.Dense(4,name='dense')], name=n)
    return k.Model(i, l.Dense(3,name='dense')(l.Add()([mk('a')(i), mk('b')(i)])), name='m')
@case('nested_frozen')
def _(k):
    l = k.layers
    inner = k.Sequential([l.Input(S), l.Conv1D(5,3), l.BatchNormalization(), l.Conv1D(5,3), l.BatchNormalization(), l.GlobalMaxPooling1D(), l.Dense(4)], name='enc')
    inner.layers[1].trainable = False; inner.layers[2].trainable = False
    i = l.Input(S, name='x')
    return k.Model(i, l.Dense(3)(inner(i)), name='m')
@case('nested_all_frozen')
def _(k):
    l = k.layers
    inner = k.Sequential([l.Input(S), l.Conv1D(5,3), l.BatchNormalization(), l.GRU(3,return_sequences=True), l.BatchNormalization(), l.GlobalMaxPooling1D(), l.Dense(4)], name='enc'); inner.trainable = False
    i = l.Input(S, name='x'); return k.Model(i, l.Dense(3)(inner(i)), name='m')
@case('nested_three')
def _(k):
    l = k.layers
    a = k.Sequential([l.Input(S), l.Conv1D(5,3), l.BatchNormalization()], name='a'); b = k.Sequential([l.Input(S), a, l.Conv1D(4,3)], name='b'); c = k.Sequential([l.Input(S), b, l.GlobalAveragePooling1D(), l.Dense(2)], name='c')
    return c
@case('seq_lazy')
def _(k):
    l = k.layers; m = k.Sequential([l.Conv1D(5,3), l.ReLU(), l.Flatten(), l.Dense(2)]); m.build((None,)+S); m(np.zeros((1,)+S,'float32')); return m
@case('seq_input_shape')
def _(k):
    l = k.layers; return k.Sequential([l.Conv1D(5,3,input_shape=S), l.BatchNormalization(), l.Flatten(), l.Dense(2)])
@case('fixed_batch')
def _(k):
    l = k.layers; i = l.Input(batch_shape=(3,)+S, name='x'); return k.Model(i, l.Dense(2)(l.Reshape((-1,))(l.Conv1D(5,3)(i))), name='m')
@case('stateful')
def _(k):
    l = k.layers; i = l.Input(batch_shape=(3,)+S, name='x'); return k.Model(i, l.GRU(5, stateful=True)(i), name='m')
@case('open_time')
def _(k):
    l = k.layers; i = l.Input((None,4), name='x'); return k.Model(i, l.Dense(2)(l.GlobalAveragePooling1D()(l.Bidirectional(l.LSTM(4,return_sequences=True))(l.Conv1D(5,3,strides=2,padding='same')(i)))), name='m')
@case('dict_io')
def _(k):
    l = k.layers; a = l.Input(S, name='ecg'); b = l.Input((3,), name='age'); z = l.Concatenate()([l.GlobalMaxPooling1D()(a), b]); return k.Model({'ecg': a, 'age': b}, {'cls': l.Dense(3,name='cls_d')(z), 'reg': l.Dense(1,name='reg_d')(z)}, name='m')
@case('many_in')
def _(k):
    l = k.layers; b = l.Input((3,), name='b'); a = l.Input((3,), name='a'); return k.Model([b, a], l.Subtract()([b, l.Dense(3)(a)]), name='m')
@case('same_out_twice')
def _(k):
    l = k.layers; i = l.Input(S, name='x'); y = l.Dense(2)(i); return k.Model(i, [y, y], name='m')
@case('input_out')
def _(k):
    l = k.layers; i = l.Input(S, name='x'); return k.Model(i, [i, l.Dense(2)(i)], name='m')
@case('unused_input')
def _(k):
    l = k.layers; i = l.Input(S, name='x'); j = l.Input((2,), name='y'); return k.Model([i, j], l.Dense(2)(i), name='m')
@case('middle_out')
def _(k):
    l = k.layers; i = l.Input(S, name='x'); c = l.Conv1D(5,3,name='c')(i); b = l.BatchNormalization()(c); return k.Model(i, [c, b, l.Dense(2)(l.Flatten()(b))], name='m')
@case('shared_conv_bn')
def _(k):
    l = k.layers; i = l.Input(S, name='x'); c = l.Conv1D(4,3,padding='same'); n = l.BatchNormalization(); return k.Model(i, n(c(n(c(i)))), name='m')
@case('shared_rnn')
def _(k):
    l = k.layers; i = l.Input(S, name='x'); g = l.LSTM(4); return k.Model(i, l.Concatenate()([g(i), g(l.Dense(4)(i))]), name='m')
@case('names_odd')
def _(k):
    l = k.layers; sep = '/' if k is keras2 else ' '
    i = l.Input(S, name='x'); return k.Model(i, l.Dense(2, name=f'block{sep}dense')(l.Flatten(name='fl.at')(l.Conv1D(3,3,name=f'block{sep}conv-1')(i))), name='m')
@case('resnet')
def _(k):
    l = k.layers; i = l.Input((64,2), name='x'); x = l.Conv1D(8,7,strides=2,padding='same',use_bias=False)(i); x = l.ReLU()(l.BatchNormalization()(x)); x = l.MaxPooling1D(3,2,padding='same')(x)
    for f, s in ((8,1),(16,2),(16,1)):
        y = l.Conv1D(f,3,strides=s,padding='same',use_bias=False)(x); y = l.ReLU()(l.BatchNormalization()(y)); y = l.BatchNormalization()(l.Conv1D(f,3,padding='same',use_bias=False)(y))
        if s != 1 or x.shape[-1] != f: x = l.BatchNormalization()(l.Conv1D(f,1,strides=s,use_bias=False)(x))
        x = l.ReLU()(l.Add()([x,y]))
    return k.Model(i, l.Dense(4,activation='softmax')(l.GlobalAveragePooling1D()(x)), name='m')
@case('unet')
def _(k):
    l = k.layers; i = l.Input((32,2), name='x'); a = l.Conv1D(6,3,padding='same',activation='relu')(i); p = l.MaxPooling1D()(a); b = l.Conv1D(8,3,padding='same',activation='relu')(p); u = l.Conv1DTranspose(6,2,strides=2)(b); c = l.Concatenate()([a,u]); return k.Model(i, l.Conv1D(3,1,activation='softmax')(c), name='m')
@case('wavenet')
def _(k):
    l = k.layers; i = l.Input((32,1), name='x'); x = l.Conv1D(4,1)(i); skips = []
    for d in (1,2,4):
        t = l.Conv1D(4,2,padding='causal',dilation_rate=d,activation='tanh')(x); s = l.Conv1D(4,2,padding='causal',dilation_rate=d,activation='sigmoid')(x); z = l.Multiply()([t,s]); skips.append(l.Conv1D(4,1)(z)); x = l.Add()([x, skips[-1]])
    return k.Model(i, l.Conv1D(2,1)(l.ReLU()(l.Add()(skips))), name='m')
@case('inception')
def _(k):
    l = k.layers; i = l.Input((40,3), name='x'); b = l.Conv1D(4,1,use_bias=False)(i); x = l.Concatenate()([l.Conv1D(4,n,padding='same',use_bias=False)(b) for n in (10,5,3)] + [l.Conv1D(4,1,use_bias=False)(l.MaxPooling1D(3,1,padding='same')(i))]); x = l.ReLU()(l.BatchNormalization()(x)); return k.Model(i, l.Dense(3,activation='softmax')(l.GlobalAveragePooling1D()(x)), name='m')
@case('autoencoder')
def _(k):
    l = k.layers; i = l.Input((20,2), name='x'); z = l.LSTM(5)(i); d = l.LSTM(5,return_sequences=True)(l.RepeatVector(20)(z)); return k.Model(i, l.TimeDistributed(l.Dense(2))(d), name='m')
@case('eegnet')
def _(k):
    l = k.layers; i = l.Input((4,32,1), name='x'); x = l.Conv2D(4,(1,8),padding='same',use_bias=False)(i); x = l.BatchNormalization()(x); x = l.DepthwiseConv2D((4,1),use_bias=False,depth_multiplier=2)(x); x = l.Activation('elu')(l.BatchNormalization()(x)); x = l.AveragePooling2D((1,4))(x); x = l.SeparableConv2D(6,(1,4),use_bias=False,padding='same')(x); x = l.Activation('elu')(l.BatchNormalization()(x)); x = l.Flatten()(l.AveragePooling2D((1,2))(x)); return k.Model(i, l.Activation('softmax')(l.Dense(3)(x)), name='m')
def policy(name, pol):
    def f(k):
        pm = k.mixed_precision if hasattr(k,'mixed_precision') else k.config
        (k.mixed_precision.set_global_policy if k is keras2 else k.config.set_dtype_policy)(pol)
        try:
            l = k.layers; i = l.Input(S, name='x'); x = l.BatchNormalization()(l.Conv1D(5,3,activation='relu')(i)); return k.Model(i, l.Dense(3)(l.GRU(4)(x)), name='m')
        finally: (k.mixed_precision.set_global_policy if k is keras2 else k.config.set_dtype_policy)('float32')
    CASES[name] = (f, None)
policy('pol_mixed_float16','mixed_float16'); policy('pol_float16','float16'); policy('pol_bfloat16','bfloat16'); policy('pol_mixed_bfloat16','mixed_bfloat16'); policy('pol_float64','float64')
@case('int_input')
def _(k):
    l = k.layers; i = l.Input((6,), name='ids', dtype='int32'); return k.Model(i, l.Dense(2)(l.Flatten()(l.Embedding(9,3)(i))), name='m')
@case('string_input', only='v3')
def _(k):
    l = k.layers; i = l.Input((1,), name='t', dtype='string'); return k.Model(i, l.StringLookup(vocabulary=['a','b'])(i), name='m')
@case('subclassed', only='v3')
def _(k):
    class Mine(k.Model):
        def __init__(self, **kw): super().__init__(**kw); self.d = k.layers.Dense(3)
        def call(self, x): return self.d(x)
    m = Mine(); m.build((None,6)); m(np.zeros((1,6),'float32')); return m
@case('custom_layer')
def _(k):
    @k.saving.register_keras_serializable(package='mine')
    class Dense(k.layers.Dense):
        def call(self, x): return super().call(x) * 2
    l = k.layers; i = l.Input((6,), name='x'); return k.Model(i, Dense(3)(i), name='m')
@case('quantized_int8', only='v3')
def _(k):
    l = k.layers; i = l.Input((6,), name='x'); return k.Model(i, l.Dense(3)(l.Dense(8)(i)), name='m')
@case('lora', only='v3')
def _(k):
    l = k.layers; i = l.Input((6,), name='x'); d = l.Dense(8); m = k.Model(i, l.Dense(3)(d(i)), name='m'); d.enable_lora(2); return m
@case('compiled')
def _(k):
    l = k.layers; i = l.Input(S, name='x'); m = k.Model(i, l.Dense(3,activation='softmax')(l.LSTM(4)(l.BatchNormalization()(i))), name='m'); m.compile(optimizer='adam', loss='categorical_crossentropy', metrics=['accuracy']); m.fit(rng.normal(size=(8,)+S), np.eye(3)[rng.integers(0,3,8)], verbose=0); return m

def flat(a): return [float(v) if np.isfinite(v) else None for v in np.asarray(a).astype('float32').ravel()]
report = {}
V = os.environ.get('V','v3 v2').split()
for name, (make, only) in CASES.items():
    for k, v in ((keras3,'v3'),(keras2,'v2')):
        if (only and only != v) or v not in V: continue
        key = f'{name}.{v}'
        if (OUT/f'{key}.json').exists(): continue
        if FILTER and not FILTER.search(key): continue
        try:
            keras3.utils.clear_session(); keras2.backend.clear_session()
            m = make(k)
            if name != 'compiled' and not name.startswith(('norm_adapt','lora')): randomize(m)
            if name == 'quantized_int8': m.quantize('int8')
            xs = []
            for i in m.inputs:
                shape = (3,) + tuple(24 if d is None else d for d in i.shape[1:])
                nm = i.name.split(':')[0]
                if str(i.dtype).replace("<dtype: '",'').startswith(('int','string')) or name.startswith(('emb','catenc')): xs.append(rng.integers(0,5,shape).astype('float32'))
                else: xs.append(rng.normal(size=shape).astype('float32'))
            if 'masked' in name: xs[0][:, 10:] = 0
            feed = xs if len(xs)>1 else xs[0]
            if name == 'dict_io': feed = {i.name.split(':')[0]: x for i, x in zip(m.inputs, xs)}
            if name == 'string_input': y = [np.zeros((3,1))]
            else: y = m(feed, training=False)
            if isinstance(y, dict): y = [y[kk] for kk in y]
            y = y if isinstance(y, (list,tuple)) else [y]
        except Exception as e:
            report[key] = f'not made: {type(e).__name__} {str(e).splitlines()[0][:150]}'; continue
        answers = {'inputs': [flat(x) for x in xs], 'inputNames': [i.name.split(':')[0] for i in m.inputs], 'inputShapes': [list(x.shape[1:]) for x in xs], 'outputs': [flat(o) for o in y]}
        (OUT/f'{key}.json').write_text(json.dumps(answers))
        made = []
        for ext in (('keras','h5') if re.search('nested|GRU|LSTM|bi_|td_|mha|transformer|norm_|pol_|sep|frozen|names|compiled|attention|shared|groupnorm|conv1d_same_s1_d1_k4|cnn_lstm|seq_', key) else ('keras',)):
            try: m.save(str(OUT/f'{key}.{ext}')); made.append(ext)
            except Exception as e: report[f'{key}.{ext}'] = f'not saved: {type(e).__name__} {str(e).splitlines()[0][:150]}'
        if SAVED:
            try:
                p = str(OUT/f'{key}.saved')
                m.export(p, verbose=False) if k is keras3 else m.save(p, include_optimizer=False, save_format='tf')
                made.append('saved')
            except Exception as e: report[f'{key}.saved'] = f'not saved: {type(e).__name__} {str(e).splitlines()[0][:150]}'
        report[key] = 'made ' + ' '.join(made)
        print(key, report[key], flush=True)
(OUT/'report.txt').write_text('\n'.join(f'{a}: {b}' for a,b in report.items()))
