import { ConvertError } from '../error.js';
import type { SourceModel, SourceOptions } from '../source.js';
import type { TfjsJson } from '../tfjs/read.js';

export async function openSavedModelFolder(folder: string, _name: string, _o: SourceOptions): Promise<SourceModel> {
  throw new ConvertError(`${folder}: not yet`);
}
export async function openTfjsGraph(
  file: string,
  _json: TfjsJson,
  _name: string,
  _o: SourceOptions,
): Promise<SourceModel> {
  throw new ConvertError(`${file}: not yet`);
}
