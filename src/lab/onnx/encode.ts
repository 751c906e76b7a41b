/** ONNX files from memory. Field numbers are those of onnx.proto
 * (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto), named beside each use. */
import { ATTRIBUTE_CODES, OnnxFormatError, TYPE_CODES } from './codes.js';
import type { Attribute, OnnxGraph, OnnxModel, OnnxNode, OnnxTensor, ValueInfo } from './ir.js';
import { elementCount } from './ir.js';
import { ProtobufWriter } from './protobuf.js';

/** The bytes of `model` as an ONNX file. */
export function encodeModel(model: OnnxModel): Uint8Array {
  const writer = new ProtobufWriter();
  writer.int(1, model.irVersion); // ir_version
  writer.string(2, model.producerName); // producer_name
  writer.string(3, model.producerVersion); // producer_version
  if (model.docString) writer.string(6, model.docString); // doc_string
  writer.message(7, (nested) => writeGraph(nested, model.graph)); // graph
  for (const [domain, version] of model.opsets) {
    writer.message(8, (nested) => {
      nested.string(1, domain);
      nested.int(2, version);
    }); // opset_import
  }
  for (const [key, value] of model.metadata) {
    writer.message(14, (nested) => {
      nested.string(1, key);
      nested.string(2, value);
    }); // metadata_props
  }
  return writer.finish();
}

function writeGraph(writer: ProtobufWriter, graph: OnnxGraph): void {
  for (const node of graph.nodes) writer.message(1, (nested) => writeNode(nested, node)); // node
  writer.string(2, graph.name); // name
  for (const [name, tensor] of graph.initializers) writer.message(5, (nested) => writeTensor(nested, tensor, name)); // initializer
  for (const input of graph.inputs) writer.message(11, (nested) => writeValueInfo(nested, input)); // input
  for (const output of graph.outputs) writer.message(12, (nested) => writeValueInfo(nested, output)); // output
  for (const info of graph.valueInfo.values()) writer.message(13, (nested) => writeValueInfo(nested, info)); // value_info
}

function writeNode(writer: ProtobufWriter, node: OnnxNode): void {
  for (const input of node.inputs) writer.string(1, input); // input
  for (const output of node.outputs) writer.string(2, output); // output
  writer.string(3, node.name); // name
  writer.string(4, node.op); // op_type
  for (const [name, attribute] of Object.entries(node.attributes)) {
    writer.message(5, (nested) => writeAttribute(nested, name, attribute)); // attribute
  }
  if (node.domain) writer.string(7, node.domain); // domain
}

function writeAttribute(writer: ProtobufWriter, name: string, attribute: Attribute): void {
  writer.string(1, name); // name
  switch (attribute.kind) {
    case 'float':
      writer.float(2, attribute.value); // f
      break;
    case 'int':
      writer.int(3, attribute.value); // i
      break;
    case 'string':
      writer.string(4, attribute.value); // s
      break;
    case 'tensor':
      writer.message(5, (nested) => writeTensor(nested, attribute.value, '')); // t
      break;
    case 'graph':
      writer.message(6, (nested) => writeGraph(nested, attribute.value)); // g
      break;
    case 'floats':
      for (const value of attribute.value) writer.float(7, value); // floats, not packed in onnx.proto (proto2)
      break;
    case 'ints':
      for (const value of attribute.value) writer.int(8, value); // ints
      break;
    case 'strings':
      for (const value of attribute.value) writer.string(9, value); // strings
      break;
  }
  writer.int(20, ATTRIBUTE_CODES[attribute.kind]); // type
}

function writeTensor(writer: ProtobufWriter, tensor: OnnxTensor, name: string): void {
  if (tensor.data.length !== elementCount(tensor.dims)) {
    throw new OnnxFormatError(
      `tensor '${name}' has ${tensor.data.length} values but its shape [${tensor.dims.join(', ')}] asks for ${elementCount(tensor.dims)}`,
    );
  }
  for (const dim of tensor.dims) writer.int(1, dim); // dims
  writer.int(2, TYPE_CODES[tensor.type]); // data_type
  if (name) writer.string(8, name); // name
  // raw_data is little-endian by definition; so is every machine slothd runs on (x64, arm64).
  writer.bytes(9, new Uint8Array(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength)); // raw_data
}

function writeValueInfo(writer: ProtobufWriter, info: ValueInfo): void {
  writer.string(1, info.name); // name
  const { type: elementType } = info;
  if (elementType === 'unknown') return;
  writer.message(2, (type) => {
    // TypeProto.tensor_type
    type.message(1, (tensorType) => {
      tensorType.int(1, TYPE_CODES[elementType]); // elem_type
      if (info.shape === null) return;
      const { shape } = info;
      tensorType.message(2, (shapeProto) => {
        for (const dim of shape) {
          shapeProto.message(1, (dimension) => {
            if (typeof dim === 'number')
              dimension.int(1, dim); // dim_value
            else dimension.string(2, dim); // dim_param
          });
        }
      });
    });
  });
}
