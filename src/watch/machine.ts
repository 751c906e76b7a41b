import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';

/** What the machine says of itself. */
export interface MachineFigures {
  readonly rssBytes: number;
  /** CPU of this process since the last reading; 1 is one core fully used. */
  readonly cpuShare: number;
  readonly cpuSeconds: number;
  readonly temperatureC: number | null;
  /** Whether a Raspberry Pi slows down for heat or low voltage; null where unknown. */
  readonly throttled: boolean | null;
  /** Event-loop delay since the last reading, p99. */
  readonly loopLagMs: number;
}

const THERMAL = '/sys/class/thermal/thermal_zone0/temp';
/** The Pi firmware's flags; bits 0 to 3 say "now": under-voltage, capped, throttled, soft limit. */
const THROTTLED = '/sys/devices/platform/soc/soc:firmware/get_throttled';
/** Kernels without that file have the firmware's own tool; it is asked seldom, for it is a process each time. */
const TOOL_EVERY_MS = 30_000;

/** As often as the alarms' round: a finer look would be most of what wakes an idle daemon. */
const LAG_RESOLUTION_MS = 100;

/** Runs `vcgencmd get_throttled`; resolves with what it prints, or null where there is no such tool. */
export type AskFirmware = () => Promise<string | null>;

const askFirmware: AskFirmware = () =>
  new Promise((resolve) => {
    execFile('vcgencmd', ['get_throttled'], { timeout: 5000 }, (error, stdout) => resolve(error ? null : stdout));
  });

/** Reads the machine's figures; one instance, asked every few seconds. */
export class Machine {
  private readonly lag = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS });
  private lastCpu = process.cpuUsage();
  private lastAtMs = performance.now();

  private fromTool: number | null = null;
  private nextToolMs = 0;

  constructor(private readonly ask: AskFirmware = askFirmware) {
    this.lag.enable();
  }

  read(): MachineFigures {
    const now = performance.now();
    const cpu = process.cpuUsage();
    const usedUs = cpu.user + cpu.system - this.lastCpu.user - this.lastCpu.system;
    const cpuShare = usedUs / 1000 / Math.max(1, now - this.lastAtMs);
    this.lastCpu = cpu;
    this.lastAtMs = now;
    // The monitor counts its own timer as delay.
    const loopLagMs = Math.max(0, this.lag.percentile(99) / 1e6 - LAG_RESOLUTION_MS);
    this.lag.reset();
    const throttled = readNumber(THROTTLED, 16) ?? this.throttledByTool(now);
    const temperature = readNumber(THERMAL, 10);
    return {
      rssBytes: process.memoryUsage.rss(),
      cpuShare,
      cpuSeconds: (cpu.user + cpu.system) / 1e6,
      temperatureC: temperature === null ? null : temperature / 1000,
      throttled: throttled === null ? null : (throttled & 0xf) !== 0,
      loopLagMs: Number.isFinite(loopLagMs) ? loopLagMs : 0,
    };
  }

  /** What the firmware's tool said last; it is asked in the background. */
  private throttledByTool(nowMs: number): number | null {
    if (nowMs >= this.nextToolMs) {
      this.nextToolMs = nowMs + TOOL_EVERY_MS;
      void this.ask().then((text) => {
        const flags = /throttled=0x([0-9a-f]+)/i.exec(text ?? '')?.[1];
        this.fromTool = flags === undefined ? null : Number.parseInt(flags, 16);
        // No tool now is no tool later.
        if (text === null) this.nextToolMs = Number.POSITIVE_INFINITY;
      });
    }
    return this.fromTool;
  }

  stop(): void {
    this.lag.disable();
  }
}

function readNumber(file: string, radix: number): number | null {
  try {
    const value = Number.parseInt(readFileSync(file, 'utf8'), radix);
    return Number.isFinite(value) ? value : null;
  } catch {
    return null;
  }
}
