import { describe, expect, it } from 'vitest';
import { pulsesensorPsws } from '../../../src/sensor/formats/pulsesensor-psws.js';
import { decodeText, encode, numbers, reasons } from './recorder.js';

const V1 = 'PSWS,1,LIVE,42,12345,2840,72,833,1,12,QUALIFIED';
const V2 = 'PSWS,2,LIVE,42,12345,2840,72,833,1,12,QUALIFIED,550,470,760,86,1,0,1';
const READINGS = [['deviceTime', 12_345], ['heartRate', 72], ['beat'], ['rr', 833], ['sample', 2840], ['frame']];

function read(text: string, options = {}) {
  return decodeText(pulsesensorPsws, text, options);
}

describe('pulsesensor-psws', () => {
  it('[TEST] version 1, simulated: read only where asked for', () => {
    const simulated = 'PSWS,1,SIM,42,12345,2840,72,833,1,12,QUALIFIED\r\n';
    expect(read(simulated, { acceptSimulated: true })).toEqual(READINGS);
    expect(read(simulated)).toEqual([['dropped', 'unknown', simulated.length - 2]]);
  });

  it('[TEST] version 2, with the battery where the configuration says so', () => {
    expect(read(`${V2}\r\n`)).toEqual(READINGS);
    expect(numbers(read(`${V2}\r\n`, { version: 2 }), 'battery')).toEqual([86]);
    expect(numbers(read(`${V2.replace(',86,', ',-1,')}\r\n`, { version: 2 }), 'battery')).toEqual([]);
  });

  it.each([
    ['[TEST] version 3', 'PSWS,3,LIVE,42,12345,2840,72,833,1,12,QUALIFIED', 'unknown'],
    ['[TEST] 70000', V1.replace('2840', '70000'), 'out-of-range'],
    ['a field too few', 'PSWS,1,LIVE,42,12345,2840,72,833,1,12', 'framing'],
    ['version 2 with the fields of 1', V1.replace(',1,LIVE', ',2,LIVE'), 'framing'],
    ['a cut tag', 'PSW', 'unknown'],
    ['a tag alone', 'PSWS,', 'unknown'],
    ['a tag and version alone', 'PSWS,1', 'framing'],
    ['another mode', V1.replace('LIVE', 'LIFE'), 'unknown'],
    ['a word for a number', V1.replace('833', 'x'), 'not-a-number'],
    ['two beats', V1.replace('833,1', '833,2'), 'out-of-range'],
    ['commas without end', `PSWS,${','.repeat(400)}`, 'unknown'],
  ])('refuses %s', (_name, line, reason) => {
    const events = read(`${line}\n`);
    expect(reasons(events)).toEqual([reason]);
    expect(numbers(events, 'sample')).toEqual([]);
  });

  it('tells lost samples by the sequence, drops a line that came twice, and takes a jump back for a restart', () => {
    const at = (sequence: number) => V1.replace(',42,', `,${sequence},`);
    const events = read([at(42), at(43), at(46), at(46), at(0), at(1)].join('\n').concat('\n'));
    expect(numbers(events, 'lost')).toEqual([2]);
    expect(reasons(events)).toEqual(['sequence']);
    expect(numbers(events, 'sample')).toHaveLength(5);
  });

  it('tells an interval only with its beat', () => {
    expect(numbers(read(`${V1.replace('833,1', '833,0')}\n`), 'rr')).toEqual([]);
  });

  it('writes the fields of the sketch', () => {
    const drive = (version: number) =>
      encode(pulsesensorPsws, { version, adcBits: 10 }, (sink) => {
        sink.deviceTime(20);
        sink.heartRate(72);
        sink.battery(86);
        sink.beat();
        sink.rr(833);
        sink.sample(700);
        sink.sample(701);
      }).toString();
    expect(drive(1)).toBe(
      '\r\nPSWS,1,LIVE,0,20,700,72,833,1,12,QUALIFIED\r\nPSWS,1,LIVE,1,20,701,72,833,0,12,QUALIFIED\r\n',
    );
    expect(drive(2)).toContain('PSWS,2,LIVE,0,20,700,72,833,1,12,QUALIFIED,512,0,1023,86,0,0,1\r\n');
  });
});
